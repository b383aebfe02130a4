"""Commitments: who asked us to answer for instances, what we said, and whom we asked; kept until they are told."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from dicomweb_server.ports.peers import Reference


@dataclass(frozen=True, slots=True)
class OwedReport:
    """A request of storage commitment whose report has not been delivered. `created`: seconds of the epoch.

    `local_ae_title`: of the AE of ours that was asked, "" if it is the server's own.
    """

    number: int
    transaction_uid: str
    ae_title: str
    references: tuple[Reference, ...]
    created: float
    attempts: int = 0
    local_ae_title: str = ""


@dataclass(frozen=True, slots=True)
class AskedCommitment:
    """What we asked another to answer for. Until it `is_answered`, nothing is known about any of the instances.

    `failed`: each with the Failure Reason (0008,1197) that was told.
    """

    transaction_uid: str
    ae_title: str
    references: tuple[Reference, ...]
    created: float
    is_answered: bool = False
    committed: tuple[Reference, ...] = ()
    failed: tuple[tuple[Reference, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants us to answer for: an instance, perhaps of a study and series; or all that is in these."""

    reference: Reference | None
    study_uid: str = ""
    series_uid: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """What we say of it. `failure`: the Failure Reason (0008,1197), 0 if we answer for it."""

    wanted: Wanted
    failure: int = 0


@dataclass(frozen=True, slots=True)
class KeptRequest:
    """A transaction. `judged`: None until it is answered; `is_forgotten`: it was answered too long ago."""

    transaction_uid: str
    wanted: tuple[Wanted, ...] = ()
    created: float = 0.0
    judged: tuple[Judged, ...] | None = None
    is_forgotten: bool = False


class CommitmentRequests(Protocol):
    """What others want us to answer for, and what we said, for those who ask again. Durable as below."""

    async def add_request(self, request: KeptRequest) -> bool:
        """Keep one; False if its transaction UID is in use, also by one that came by DIMSE."""

    async def answer_request(self, transaction_uid: str, judged: Sequence[Judged]) -> None:
        """Note the answer, and forget those that are too old."""

    async def note_answered(self, transaction_uid: str, judged: Sequence[Judged]) -> None:
        """The same for a transaction that was not added; what is known of its UID already stays."""

    async def request(self, transaction_uid: str) -> KeptRequest | None:
        """One of them, those included that came by DIMSE and are not judged."""

    async def unanswered(self) -> Sequence[KeptRequest]:
        """Those that were added and not answered, oldest first."""


class CommitmentTable(Protocol):
    """Reports that are owed, and requests of ours. What is written is durable when a method returns."""

    async def add_owed(
        self, transaction_uid: str, ae_title: str, references: Sequence[Reference], local_ae_title: str = ""
    ) -> OwedReport:
        """Keep a request."""

    async def owed(self) -> Sequence[OwedReport]:
        """All that are not delivered, oldest first."""

    async def note_attempts(self, number: int, attempts: int) -> None:
        """How often delivery was tried."""

    async def remove_owed(self, number: int) -> None:
        """It is delivered, or given up."""

    async def put_asked(self, asked: AskedCommitment, most: int) -> None:
        """Keep a request of ours, or what became of it; only the `most` newest are kept."""

    async def remove_asked(self, transaction_uid: str) -> None:
        """Forget a request of ours."""

    async def asked(self, transaction_uid: str) -> AskedCommitment | None:
        """A request of ours."""
