"""RunMark: was the last stop clean, and is the index the one that last served these blobs (or one from a backup)?

The same random token is kept in the index and in a file beside the blobs, and is new with every start and clean stop.
"""

import os
import secrets
import time
from enum import Enum
from pathlib import Path

from dicomweb_server.storage.data_folder import PRIVATE_FILE
from dicomweb_server.storage.durability import Durability
from dicomweb_server.storage.transaction import Transaction


class Leftovers(Enum):
    """What blobs that no row refers to must be, when a store is opened."""

    NONE = "the last stop was clean"
    UNACKNOWLEDGED = "a crash left what was not acknowledged: it may be removed"
    UNKNOWN = "the index is not the one that last served these blobs: they may be instances it does not know"


class RunMark:
    """Written when a store is opened and closed."""

    def __init__(self, file: Path, transaction: Transaction, durability: Durability) -> None:
        self._file = file
        self._transaction = transaction
        self._durability = durability

    def begin(self) -> Leftovers:
        """A server starts; what its sweep may do."""
        state = self._transaction.state
        is_known = self._token() in (state("run"), state("run_before")) and state("trusted") != "0"
        leftovers = Leftovers.NONE if state("clean") == "1" else Leftovers.UNACKNOWLEDGED
        with self._transaction.open(time.time()) as transaction:
            if not is_known:
                leftovers = Leftovers.UNKNOWN
                # Revisions may repeat those that were told to clients since the backup: they get another prefix.
                transaction.set_state("epoch", secrets.token_hex(4))
                transaction.set_state("trusted", "0")
        self._renew(clean=False)
        return leftovers

    def end(self) -> None:
        """A clean stop."""
        self._renew(clean=True)

    def _renew(self, *, clean: bool) -> None:
        token = secrets.token_hex(16)
        temporary = self._file.with_suffix(".new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE)
        try:
            os.write(descriptor, token.encode("ascii"))
        finally:
            os.close(descriptor)
        with self._transaction.open(time.time()) as transaction:
            transaction.set_state("run_before", transaction.state("run"))
            transaction.set_state("run", token)
            transaction.set_state("clean", str(int(clean)))
        self._durability.sync()  # a crash between here and the next line leaves the file with `run_before`
        temporary.replace(self._file)
        self._durability.note([self._file])
        self._durability.sync()

    def _token(self) -> str:
        try:
            return self._file.read_text("ascii")
        except FileNotFoundError:
            return ""
