"""PURE: what subscribers are told when a workitem was created, changed or shall be canceled (PS3.4 §CC.2.4)."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from dicomweb_server.dicom.workitem import (
    ALL_WORKITEMS,
    CANCELLATION_REASON,
    CONTACT_NAME,
    CONTACT_URI,
    DISCONTINUATION_REASON,
    PERFORMERS,
    PROGRESS,
    READINESS,
    SOP_INSTANCE_UID,
    STATE,
    STATIONS,
    Document,
    progress_of,
    values_of,
)

_REQUESTING_AE = "00741236"
_REASONS = (CANCELLATION_REASON, DISCONTINUATION_REASON)
_PERFORMER_CODE, _PERFORMER_ORGANIZATION = "00404009", "00404036"
_TOLD_PROGRESS = ("00741004", "00741006", "00741007", "00741008")
_SCP_STATUS, _SUBSCRIPTION_LIST_STATUS, _WORKITEM_LIST_STATUS = "00741242", "00741244", "00741246"


class EventType(IntEnum):
    """Event Type ID (table CC.2.4-1)."""

    STATE_REPORT = 1
    CANCEL_REQUESTED = 2
    PROGRESS_REPORT = 3
    SCP_STATUS_CHANGE = 4
    ASSIGNED = 5


@dataclass(frozen=True, slots=True)
class WorkitemEvent:
    """One thing that subscribers are told. `document`: the event's information, as DICOM JSON."""

    kind: EventType
    workitem_uid: str
    document: Document


def state_report(workitem: Document) -> WorkitemEvent:
    """In which state a workitem is."""
    told = {tag: workitem[tag] for tag in (STATE, READINESS) if tag in workitem}
    progress = progress_of(workitem)
    return _event(EventType.STATE_REPORT, workitem, told | {tag: progress[tag] for tag in _REASONS if tag in progress})


def creation_events(workitem: Document) -> list[WorkitemEvent]:
    """A workitem is there."""
    is_assigned = any(values_of(workitem, tag) for tag in (STATIONS, PERFORMERS))
    return [state_report(workitem), *([_assigned(workitem)] if is_assigned else ())]


def change_events(before: Document, after: Document) -> list[WorkitemEvent]:
    """What of a change subscribers are told."""
    return list(_change_events(before, after))


def _change_events(before: Document, after: Document) -> Iterator[WorkitemEvent]:
    if any(before.get(tag) != after.get(tag) for tag in (STATE, READINESS)):
        yield state_report(after)
    if any(before.get(tag) != after.get(tag) for tag in (STATIONS, PERFORMERS)):
        yield _assigned(after)
    old, new = progress_of(before), progress_of(after)
    if any(old.get(tag) != new.get(tag) for tag in _TOLD_PROGRESS):
        yield _event(EventType.PROGRESS_REPORT, after, {PROGRESS: after[PROGRESS]})


def cancel_request(workitem: Document, ae_title: str, request: Document) -> WorkitemEvent:
    """Somebody wants a workitem to be canceled that another one performs."""
    told = {tag: request[tag] for tag in (*_REASONS, CONTACT_URI, CONTACT_NAME) if tag in request}
    return _event(EventType.CANCEL_REQUESTED, workitem, {_REQUESTING_AE: {"vr": "AE", "Value": [ae_title]}, **told})


def scp_status(status: str) -> WorkitemEvent:
    """The server is RESTARTED, or GOING DOWN; it has what it had."""
    told = {_SCP_STATUS: status, _SUBSCRIPTION_LIST_STATUS: "WARM START", _WORKITEM_LIST_STATUS: "WARM START"}
    document = {tag: {"vr": "CS", "Value": [value]} for tag, value in told.items()}
    return WorkitemEvent(EventType.SCP_STATUS_CHANGE, ALL_WORKITEMS, document)


def _assigned(workitem: Document) -> WorkitemEvent:
    told = {STATIONS: workitem[STATIONS]} if STATIONS in workitem else {}
    performers = values_of(workitem, PERFORMERS)
    codes = [code for each in performers for code in values_of(each, _PERFORMER_CODE)]
    organizations = [each[_PERFORMER_ORGANIZATION] for each in performers if _PERFORMER_ORGANIZATION in each]
    if codes:
        told[_PERFORMER_CODE] = {"vr": "SQ", "Value": codes}
    if organizations:
        told[_PERFORMER_ORGANIZATION] = organizations[0]
    return _event(EventType.ASSIGNED, workitem, told)


def _event(kind: EventType, workitem: Document, document: Document) -> WorkitemEvent:
    return WorkitemEvent(kind, workitem[SOP_INSTANCE_UID]["Value"][0], document)
