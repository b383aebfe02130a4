"""Workitems (Unified Procedure Steps, PS3.4 annex CC) and who wants to be told about them; where both are kept."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from dicomweb_server.dicom.query import Match
from dicomweb_server.dicom.workitem import Document, State


@dataclass(frozen=True, slots=True)
class Workitem:
    """One workitem. `transaction_uid`: the lock of whoever performs it, which nobody is told.

    `created`, `ended`: seconds of the epoch, `ended` is 0 until it has ended. `size`: of its JSON, when it was read.
    """

    uid: str
    state: State
    document: Document
    transaction_uid: str = field(default="", repr=False)
    created: float = 0.0
    ended: float = 0.0
    size: int = 0


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Who is told. `channel`: the protocol by which, `dimse` or `web`."""

    ae_title: str
    channel: str = "dimse"


@dataclass(frozen=True, slots=True)
class Changed:
    """A change that was made: the workitem before and after, and who is to be told."""

    before: Workitem
    after: Workitem
    subscribers: tuple[Subscriber, ...]


@dataclass(frozen=True, slots=True)
class Watch:
    """A global subscription: of all workitems that match, which each does where there are no keys."""

    subscriber: Subscriber
    is_locked: bool
    matches: tuple[Match, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkitemFilter:
    """What a query surely wants, so that not all workitems need to be read. Starts as `comparable`, "" is no bound.

    `equal`: values by names of `dicom.workitem.KEYS`, in the form in which they are compared.
    """

    first_start: str = ""
    last_start: str = ""
    equal: Mapping[str, str] = field(default_factory=dict)


ALL = WorkitemFilter()


class Workitems(Protocol):
    """The workitems."""

    async def add_workitem(
        self, workitem: Workitem, is_watched: Callable[[Watch], bool]
    ) -> Sequence[Subscriber] | None:
        """Keep one, and subscribe those whose watch it is for; who they are, None if its UID is known already."""

    async def workitem(self, uid: str) -> Workitem | None:
        """One of them."""

    async def change_workitem(self, uid: str, change: Callable[[Workitem], Workitem]) -> Changed | None:
        """Change one with nothing in between; None if it is unknown. What `change` raises is raised."""

    async def workitem_uids(self, wanted: WorkitemFilter = ALL) -> Sequence[str]:
        """Those that may match, by start; one without a value that can be compared always may."""

    async def workitems(self, uids: Sequence[str], most_bytes: int) -> Sequence[Workitem]:
        """The first of these, in this order, as many as fit, but one; those that are gone are left out."""

    async def expirations(self) -> Sequence[tuple[str, str]]:
        """UID and Scheduled Procedure Step Expiration DateTime of those that are scheduled and have one."""

    async def remove_ended(self, moment: float) -> int:
        """Forget those that ended before a moment and that no subscription locks; how many there were."""

    async def was_removed(self, uid: str) -> bool:
        """Whether there was one of this UID, not too many others ago."""

    async def workitem_counts(self) -> Mapping[State, int]:
        """How many there are in each state."""


class Subscriptions(Protocol):
    """Who wants to be told about what."""

    async def subscribers(self, uid: str) -> Sequence[Subscriber]:
        """Of one workitem."""

    async def all_subscribers(self) -> Sequence[Subscriber]:
        """Of any, or of all that will come."""

    async def subscribe(self, subscriber: Subscriber, uid: str, *, is_locked: bool) -> bool:
        """To one workitem; False if it is unknown."""

    async def unsubscribe(self, ae_title: str, uid: str) -> bool:
        """From one workitem; False if that is unknown."""

    async def watch(self, watch: Watch, most: int) -> bool:
        """Subscribe to what will come; False if so many others do that there is no room for one more."""

    async def subscribe_to(self, watch: Watch, uids: Sequence[str] | None) -> Sequence[str]:
        """To those (None: all) that the AE is not subscribed to; which they were."""

    async def suspend(self, ae_title: str) -> None:
        """Subscribe to nothing more that comes."""

    async def forget(self, ae_title: str) -> None:
        """End all its subscriptions."""
