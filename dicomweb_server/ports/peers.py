"""Peers: other archives, workstations and modalities that we ask things of, whichever protocol they speak."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.ports.index import StoredInstance

Attributes = Mapping[str, Any]
"""DICOM JSON: attributes by tag, eight upper-case hex digits."""


class PeerError(Exception):
    """The peer could not be reached, or refused. The message says why, for people; it names no patients.

    `status`: of its HTTP answer, if there was one.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class PeerAwayError(PeerError):
    """Nobody is there, or too busy to answer: the same may succeed later."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """What became of the instances that were to be sent, fetched or moved. `failed_uids`: as far as they are known."""

    completed: int
    warning: int
    failed: int
    failed_uids: tuple[str, ...] = ()


class Peer(Protocol):
    """One remote."""

    async def echo(self) -> None:
        """Is it there? PeerError if not."""

    async def store(self, instances: Sequence[StoredInstance]) -> Transfer:
        """Send instances."""

    def find(self, level: Level, keys: Attributes) -> AsyncIterator[dict[str, Any]]:
        """Search: matches as DICOM JSON."""

    async def get(self, level: Level, keys: Attributes) -> Transfer:
        """Fetch what the unique keys name, and store it here."""

    async def move(self, level: Level, keys: Attributes, destination: str) -> Transfer:
        """Have it send what the unique keys name to a third, or to us, by AE title."""
