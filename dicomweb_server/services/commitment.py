"""CommitmentService: what others shall answer for, and what they want us to (PS3.4 annex J); kept over restarts."""

import time
from collections.abc import Sequence
from dataclasses import replace

from dicomweb_server.dicom.uids import new_uid
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.commitment import AskedCommitment, CommitmentTable, OwedReport
from dicomweb_server.ports.peers import Modality, Reference
from dicomweb_server.services.modalities import Modalities

__all__ = ["AskedCommitment", "CommitmentService", "OwedReport", "Reference"]


class CommitmentService:
    """`most_asked`: of our requests that are remembered, with what was told about them."""

    def __init__(self, table: CommitmentTable, modalities: Modalities, most_asked: int = 100) -> None:
        self.table = table
        self._modalities = modalities
        self._most_asked = most_asked

    async def ask(self, modality: Modality, references: Sequence[Reference], transaction_uid: str = "") -> str:
        """Ask a modality to answer for instances; the transaction's UID, by which `asked` tells what it said.

        PeerError if it cannot be asked; ServerError(BAD_REQUEST) for no instances.
        """
        if not references:
            raise ServerError(Reason.BAD_REQUEST, "there are no instances to ask for")
        transaction_uid = transaction_uid or new_uid()
        asked = AskedCommitment(transaction_uid, modality.ae_title, tuple(references), time.time())
        await self.table.put_asked(asked, self._most_asked)  # before, for the answer may be quick
        try:
            await self._modalities.peer(modality).commit(references, transaction_uid)
        except BaseException:
            await self.table.remove_asked(transaction_uid)
            raise
        return transaction_uid

    async def told(
        self,
        transaction_uid: str,
        ae_title: str,
        committed: Sequence[Reference],
        failed: Sequence[tuple[Reference, int]],
    ) -> bool:
        """A modality has answered; False if nobody asked that one for that."""
        asked = await self.table.asked(transaction_uid)
        if asked is None or asked.ae_title != ae_title:
            return False
        wanted = frozenset(asked.references)
        answered = replace(
            asked,
            is_answered=True,
            committed=tuple(each for each in committed if each in wanted),
            failed=tuple(each for each in failed if each[0] in wanted),
        )
        await self.table.put_asked(answered, self._most_asked)
        return True

    async def asked(self, transaction_uid: str) -> AskedCommitment:
        """A request of ours, and what is known of it; ServerError(NOT_FOUND)."""
        found = await self.table.asked(transaction_uid)
        if found is None:
            raise ServerError(Reason.NOT_FOUND, "no such storage commitment was asked for")
        return found
