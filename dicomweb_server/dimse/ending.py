"""How an association ended, for whoever waits for it and for the log."""

from dataclasses import dataclass
from enum import Enum


class End(Enum):
    """The ways in which an association ends."""

    RELEASED = "released"
    REJECTED = "rejected"
    ABORTED_BY_PEER = "aborted by the peer"
    ABORTED = "aborted"
    INVALID = "protocol error"
    TIMEOUT = "timeout"
    LOST = "connection lost"
    UNREACHED = "no connection"


@dataclass(frozen=True, slots=True)
class Ending:
    """How and why; `detail` names no values of patients."""

    how: End
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.how.value}: {self.detail}" if self.detail else self.how.value


class AssociationLostError(ConnectionError):
    """The association ended in the middle of something."""


class AssociationRefusedError(AssociationLostError):
    """There is no association: the peer was not reached, or rejected it."""


class ContextRefusedError(AssociationLostError):
    """The peer was reached, but does not accept what is to be asked of it."""
