"""WorkitemService: workitems (Unified Procedure Steps, PS3.4 annex CC), whichever protocol asks.

Every refusal is a WorkitemError. Subscribers are told by the event queue what was done, after it is durable.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.compose import compose_data_set
from dicomweb_server.dicom.data_set_json import data_set_json
from dicomweb_server.dicom.matching import matches
from dicomweb_server.dicom.query import Match, Query
from dicomweb_server.dicom.uids import EXPLICIT_VR_LITTLE_ENDIAN, is_valid_uid, new_uid
from dicomweb_server.dicom.workitem import (
    ALL_WORKITEMS,
    FILTERED_WORKITEMS,
    FINAL,
    SOP_INSTANCE_UID,
    STATE,
    TRANSACTION_UID,
    Document,
    Notice,
    Problem,
    State,
    WorkitemError,
    allowed_cancel,
    allowed_change,
    with_state,
)
from dicomweb_server.dicom.workitem_events import (
    WorkitemEvent,
    cancel_request,
    change_events,
    creation_events,
    scp_status,
    state_report,
)
from dicomweb_server.dicom.workitem_rules import (
    canceled_workitem,
    changed_workitem,
    drafted_workitem,
    finished_workitem,
    new_workitem,
)
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.workitems import (
    Changed,
    Subscriber,
    Subscriptions,
    Watch,
    Workitem,
    Workitems,
)
from dicomweb_server.services.document_page import DocumentPage
from dicomweb_server.services.workitem_events import EventQueue
from dicomweb_server.services.workitem_search import WorkitemFinder, WorkitemSearch

__all__ = [
    "ALL_WORKITEMS",
    "FILTERED_WORKITEMS",
    "Created",
    "Subscriber",
    "Workitem",
    "WorkitemSearch",
    "WorkitemService",
    "canceled",
    "canceled_events",
    "dicom_now",
]

_LARGEST = 4 << 20  # with every image that goes in or came out
_MOST_WATCHES = 1000  # each is looked at when a workitem comes


@dataclass(frozen=True, slots=True)
class Created:
    """A workitem was created. `modified`: the tags of attributes that were changed about it."""

    uid: str
    modified: tuple[int, ...] = ()

    @property
    def notice(self) -> Notice | None:
        """What its creator is told beside."""
        return Notice.MODIFIED if self.modified else None


class WorkitemService:
    """All that is asked about them."""

    def __init__(self, workitems: Workitems, subscriptions: Subscriptions, events: EventQueue) -> None:
        self.events = events
        self._workitems = workitems
        self._finder = WorkitemFinder(workitems)
        self._subscriptions = subscriptions

    async def create(self, document: Document, uid: str = "") -> Created:
        """Add a workitem; without a UID it is given one."""
        uid = uid or new_uid()
        if not is_valid_uid(uid) or uid in (ALL_WORKITEMS, FILTERED_WORKITEMS):
            raise WorkitemError(Problem.INVALID, [(SOP_INSTANCE_UID,)])
        content, modified = new_workitem(uid, _canonical(document), dicom_now())
        workitem = Workitem(uid, State.SCHEDULED, content, created=time.time())
        told = await self._workitems.add_workitem(workitem, lambda watch: _is_watched(content, watch))
        if told is None:
            raise WorkitemError(Problem.DUPLICATE)
        self.events.put(creation_events(content), told)
        return Created(uid, tuple(int(tag, 16) for tag in modified))

    async def retrieve(self, uid: str) -> Workitem:
        """One workitem, without the lock of whoever performs it."""
        found = await self._workitems.workitem(uid)
        if found is None:
            raise await self._missing(uid)
        return replace(found, transaction_uid="")

    async def draft(self, uid: str, document: Document | None = None) -> Document:
        """What creates a workitem elsewhere: one of this document, or else a copy of the one that is scheduled here."""
        if document is None:
            kept = await self.retrieve(uid)
            if kept.state is not State.SCHEDULED:
                raise WorkitemError(Problem.NOT_SCHEDULED)
            return drafted_workitem(kept.document)
        draft = drafted_workitem(_canonical(document))
        new_workitem(uid, draft, dicom_now())  # or it would be refused there
        return draft

    async def update(self, uid: str, document: Document, transaction_uid: str = "") -> None:
        """Change attributes of a workitem; of one in progress only for whoever has its Transaction UID."""
        now, given = dicom_now(), _canonical(document)

        def changed(found: Workitem) -> Workitem:
            _check_lock(found, transaction_uid)
            new = replace(found, document=changed_workitem(found.document, given, now))
            _encoded(new.document)
            return new

        done = await self._changed(uid, changed)
        self.events.put(change_events(done.before.document, done.after.document), done.subscribers)

    async def change_state(self, uid: str, state: str, transaction_uid: str) -> Notice | None:
        """Claim a workitem, or end it (PS3.4 §CC.2.1); a Notice: it had ended so before. Of many, one claims it."""
        if state not in {each.value for each in State}:
            raise WorkitemError(Problem.INVALID, [(STATE,)])
        wanted, now, notices = State(state), dicom_now(), list[Notice | None]()

        def changed(found: Workitem) -> Workitem:
            notices[:] = [allowed_change(found.state, wanted, found.transaction_uid, transaction_uid)]
            if notices[0] is not None:
                return found
            if wanted is State.IN_PROGRESS:
                return _claimed(found, transaction_uid)
            return _ended(found, wanted, finished_workitem(found.document, wanted, now))

        done = await self._changed(uid, changed)
        self.events.put(change_events(done.before.document, done.after.document), done.subscribers)
        return notices[0]

    async def request_cancel(self, uid: str, ae_title: str, request: Document | None = None) -> Notice | None:
        """Ask for a workitem to be canceled (PS3.4 §CC.2.2); a Notice: it was already. One that nobody has begun is."""
        now, reasons, notices = dicom_now(), _canonical(request or {}), list[Notice | None]()

        def changed(found: Workitem) -> Workitem:
            notices[:] = [allowed_cancel(found.state)]
            if found.state is not State.SCHEDULED:
                return found
            return canceled(found, reasons, now)

        done = await self._changed(uid, changed)
        if done.before.state is State.SCHEDULED:
            self.events.put(canceled_events(done), done.subscribers)
        elif notices[0] is None:
            if not done.subscribers:
                raise WorkitemError(Problem.NOBODY_TO_ASK)
            self.events.put([cancel_request(done.after.document, ae_title, reasons)], done.subscribers)
        return notices[0]

    async def search(self, search: WorkitemSearch) -> AsyncGenerator[list[Document], None]:
        """The workitems that match, by their start, in batches; some of these may be empty."""
        async for batch in self._finder.found(search):
            yield [each.document for each in batch]

    async def page(self, search: WorkitemSearch, offset: int, limit: int) -> DocumentPage:
        """At most `limit` of what `search` finds, and not too many bytes, after `offset` others."""
        return await self._finder.page(search, offset, limit)

    async def subscribe(
        self, uid: str, subscriber: Subscriber, *, is_locked: bool = False, keys: tuple[Match, ...] = ()
    ) -> None:
        """Have an AE told about a workitem, or about all by a well-known UID: those there are and those to come.

        `is_locked`: what has ended is kept until the AE is not subscribed any more; `keys`: of a filtered subscription.
        """
        if uid not in (ALL_WORKITEMS, FILTERED_WORKITEMS):
            if not await self._subscriptions.subscribe(subscriber, uid, is_locked=is_locked):
                raise await self._missing(uid)
            await self._tell_state([uid], subscriber)
            return
        watch = Watch(subscriber, is_locked, keys if uid == FILTERED_WORKITEMS else ())
        # First, or what comes meanwhile would be missed.
        if not await self._subscriptions.watch(watch, _MOST_WATCHES):
            raise ServerError(Reason.BUSY, f"{_MOST_WATCHES} subscribe to all workitems already")
        uids = await self._matching(watch.matches) if watch.matches else None
        new = await self._subscriptions.subscribe_to(watch, uids)
        if is_locked:
            await self._tell_state(new, subscriber)

    async def unsubscribe(self, uid: str, ae_title: str) -> None:
        """Tell an AE no more about a workitem, or about none by a well-known UID."""
        if uid in (ALL_WORKITEMS, FILTERED_WORKITEMS):
            await self._subscriptions.forget(ae_title)
        elif not await self._subscriptions.unsubscribe(ae_title, uid):
            raise await self._missing(uid)

    async def suspend(self, uid: str, ae_title: str) -> None:
        """Subscribe an AE to nothing more that comes; it is told about the rest as before."""
        if uid not in (ALL_WORKITEMS, FILTERED_WORKITEMS):
            raise WorkitemError(Problem.NOT_APPROPRIATE)
        await self._subscriptions.suspend(ae_title)

    async def announce(self, status: str) -> None:
        """Tell every subscriber that this server is RESTARTED or GOING DOWN (PS3.4 §CC.2.4.3)."""
        self.events.put([scp_status(status)], await self._subscriptions.all_subscribers())

    async def counts(self) -> Mapping[State, int]:
        """How many workitems there are in each state."""
        return await self._workitems.workitem_counts()

    async def _missing(self, uid: str) -> WorkitemError:
        return WorkitemError(Problem.REMOVED if await self._workitems.was_removed(uid) else Problem.UNKNOWN)

    async def _changed(self, uid: str, change: Callable[[Workitem], Workitem]) -> Changed:
        done = await self._workitems.change_workitem(uid, change)
        if done is None:
            raise await self._missing(uid)
        return done

    async def _matching(self, keys: tuple[Match, ...]) -> list[str]:
        found = self.search(WorkitemSearch(keys))
        return [each[SOP_INSTANCE_UID]["Value"][0] async for batch in found for each in batch]

    async def _tell_state(self, uids: Sequence[str], subscriber: Subscriber) -> None:
        async for batch in self._finder.batches(uids):
            for each in batch:
                self.events.put([state_report(each.document)], [subscriber])
            await asyncio.sleep(0)  # the notifier takes them


def dicom_now(after: float = 0.0) -> str:
    """The time, or that so many seconds later, as a DT value in UTC."""
    return (datetime.now(UTC) + timedelta(seconds=after)).strftime("%Y%m%d%H%M%S%z")


def _encoded(document: Document) -> bytes:
    """ServerError(TOO_LARGE), or CANNOT_UNDERSTAND for what is no DICOM JSON."""
    data = compose_data_set(document)
    if len(data) > _LARGEST:
        raise ServerError(Reason.TOO_LARGE, f"a workitem of more than {_LARGEST} bytes")
    return data


def _canonical(document: Document) -> Document:
    """As this server writes it, whoever wrote it: tags in capitals, each with a VR, items that are objects."""
    return data_set_json(_encoded(document), EXPLICIT_VR_LITTLE_ENDIAN)


def _check_lock(workitem: Workitem, transaction_uid: str) -> None:
    """Whether a change may be made with this Transaction UID (PS3.4 §CC.2.6.3)."""
    if workitem.state in FINAL:
        raise WorkitemError(Problem.FINAL)
    if workitem.state is State.SCHEDULED and transaction_uid:
        raise WorkitemError(Problem.NOT_IN_PROGRESS)
    if workitem.transaction_uid != transaction_uid:
        raise WorkitemError(Problem.WRONG_TRANSACTION if transaction_uid else Problem.NO_TRANSACTION)


def _claimed(workitem: Workitem, transaction_uid: str) -> Workitem:
    if not is_valid_uid(transaction_uid):
        raise WorkitemError(Problem.INVALID, [(TRANSACTION_UID,)])
    document = with_state(workitem.document, State.IN_PROGRESS)
    return replace(workitem, state=State.IN_PROGRESS, document=document, transaction_uid=transaction_uid)


def canceled(workitem: Workitem, reasons: Document, now: str) -> Workitem:
    """One that nobody has begun: it is claimed by the server, which then cancels it (PS3.4 §CC.2.2.3)."""
    ours = _claimed(workitem, new_uid())
    return _ended(ours, State.CANCELED, canceled_workitem(workitem.document, reasons, now))


def canceled_events(done: Changed) -> list[WorkitemEvent]:
    """What subscribers are told of that."""
    between = with_state(done.before.document, State.IN_PROGRESS)
    return [state_report(between), state_report(done.after.document)]


def _ended(workitem: Workitem, state: State, document: Document) -> Workitem:
    return replace(workitem, state=state, document=document, ended=time.time())


def _is_watched(document: Document, watch: Watch) -> bool:
    return matches(document, Query(Level.STUDY, matches=watch.matches))
