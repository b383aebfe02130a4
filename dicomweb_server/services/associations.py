"""The DIMSE associations that are open now, whoever requested them; knows nothing of how they work."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from dicomweb_server.errors import Reason, ServerError


class Part(Enum):
    """Who requested an association."""

    ACCEPTED = "Acceptor"
    REQUESTED = "Requestor"


@dataclass(frozen=True, slots=True)
class OpenAssociation:
    """How an association stands. `seconds`: since it began; `operations`: that have ended, by name and outcome."""

    part: Part
    calling_ae_title: str
    called_ae_title: str
    address: str
    seconds: float
    contexts: int
    received: int
    sent: int
    operations: Mapping[str, int] = field(default_factory=dict)


class Association(Protocol):
    """One that is open."""

    def describe(self) -> OpenAssociation:
        """How it stands."""

    def abort(self, why: str) -> None:
        """End it at once."""


class Associations:
    """By a number that is given once."""

    def __init__(self) -> None:
        self._open: dict[int, Association] = {}
        self._last = 0

    def add(self, association: Association) -> int:
        """One has begun; its number."""
        self._last += 1
        self._open[self._last] = association
        return self._last

    def remove(self, number: int) -> None:
        """It has ended."""
        del self._open[number]

    def all(self) -> dict[int, OpenAssociation]:
        """How all of them stand, oldest first."""
        return {number: association.describe() for number, association in self._open.items()}

    def find(self, number: int) -> OpenAssociation:
        """How one stands; ServerError(NOT_FOUND)."""
        return self._found(number).describe()

    def abort(self, number: int, why: str) -> None:
        """End one at once; ServerError(NOT_FOUND)."""
        self._found(number).abort(why)

    def _found(self, number: int) -> Association:
        if number not in self._open:
            raise ServerError(Reason.NOT_FOUND, "no such association is open")
        return self._open[number]
