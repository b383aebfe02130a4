"""Commitments: who asked us to answer for instances, and whom we asked; kept until they are told."""

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


class CommitmentTable(Protocol):
    """Both kinds. What is written is durable when a method returns."""

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
