"""PURE: what a new, a changed and a finished workitem looks like, or which attribute is wrong (PS3.4 §CC.2.5, §CC.2.6).

The time comes from the caller, as a DT value.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from dicomweb_server.dicom.comparable import comparable
from dicomweb_server.dicom.dictionary import public_vr
from dicomweb_server.dicom.workitem import (
    CANCELLATION_REASON,
    CANCELLATION_TIME,
    COMMUNICATIONS,
    CONTACT_NAME,
    CONTACT_URI,
    DISCONTINUATION_REASON,
    MODIFIED,
    PROGRESS,
    SOP_CLASS_UID,
    SOP_INSTANCE_UID,
    START,
    STATE,
    TRANSACTION_UID,
    UPS_PUSH,
    WORKLIST_LABEL,
    Document,
    Problem,
    State,
    WorkitemError,
    progress_of,
    values_of,
    with_progress,
    with_state,
)
from dicomweb_server.dicom.workitem_attributes import BY_TAG, TABLE, TERMS, Final, Given, Requirement

DEFAULT_LABEL = "WORKLIST"  # of a workitem that comes with an empty Worklist Label
_CHARACTER_SET = "00080005"
_UNSPECIFIED = {  # CID 9300
    "00080100": {"vr": "SH", "Value": ["110513"]},
    "00080102": {"vr": "SH", "Value": ["DCM"]},
    "00080104": {"vr": "LO", "Value": ["Discontinued for unspecified reason"]},
}
_COMPLETION = {Final.IF_COMPLETED, Final.PRESENT_IF_COMPLETED}
Path = tuple[str, ...]


def new_workitem(instance_uid: str, given: Document, now: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """A workitem that may be created, and the tags of what was changed about it; WorkitemError."""
    document = without_character_set(given)
    if has_value(document, STATE) and values_of(document, STATE) != [State.SCHEDULED.value]:
        raise WorkitemError(Problem.NOT_SCHEDULED)
    _check(document, TABLE, creating=True)
    _check_identity(document, {SOP_CLASS_UID: UPS_PUSH, SOP_INSTANCE_UID: instance_uid})
    modified = [] if has_value(document, WORKLIST_LABEL) else [WORKLIST_LABEL]
    document.pop(TRANSACTION_UID, None)
    document |= {tag: {"vr": "LO", "Value": [DEFAULT_LABEL]} for tag in modified}
    document |= {
        SOP_CLASS_UID: {"vr": "UI", "Value": [UPS_PUSH]},
        SOP_INSTANCE_UID: {"vr": "UI", "Value": [instance_uid]},
    }
    return _touched(document, now), tuple(modified)


def drafted_workitem(given: Document) -> dict[str, Any]:
    """What creates a workitem, of what somebody knows about it, or of another one: all that may be empty is there."""
    ours = (SOP_CLASS_UID, SOP_INSTANCE_UID, MODIFIED)
    known = {tag: attribute for tag, attribute in given.items() if tag not in ours}
    return {**_blank(Given.PRESENT), **with_state({}, State.SCHEDULED), **known, **_blank(Given.EMPTY)}


def changed_workitem(old: Document, given: Document, now: str) -> dict[str, Any]:
    """A workitem with what a change says of it; WorkitemError. What only a creation gives may be repeated."""
    change = {tag: each for tag, each in without_character_set(given).items() if not _same(old.get(tag), each)}
    change.pop(MODIFIED, None)
    _check(change, [BY_TAG[tag] for tag in change if tag in BY_TAG], creating=False)
    fixed = [(tag,) for tag in (SOP_CLASS_UID, SOP_INSTANCE_UID) if tag in change]
    if fixed:
        raise WorkitemError(Problem.NOT_ALLOWED, fixed)
    return _touched({**old, **change}, now) if change else dict(old)


def finished_workitem(document: Document, state: State, now: str) -> dict[str, Any]:
    """A workitem that has ended; WorkitemError if it lacks what its end requires (PS3.4 §CC.2.5.1.1).

    When and why it was canceled is filled in where nobody said so, as §CC.2.5.1.3.2 takes for granted.
    """
    if state is State.CANCELED:
        item = progress_of(document)
        if not has_value(item, CANCELLATION_TIME):
            item[CANCELLATION_TIME] = {"vr": "DT", "Value": [now]}
        if not has_value(item, DISCONTINUATION_REASON):
            item[DISCONTINUATION_REASON] = {"vr": "SQ", "Value": [_UNSPECIFIED]}
        document = with_progress(document, item)
    missing = list(_lacking(document, TABLE, state, ()))
    if missing:
        raise WorkitemError(Problem.NOT_READY, missing)
    return with_state(document, state)


def canceled_workitem(document: Document, request: Document, now: str) -> dict[str, Any]:
    """A workitem that nobody had begun, canceled for the reasons that a request gives (PS3.4 §CC.2.2.3)."""
    item = progress_of(document) | {
        tag: request[tag] for tag in (CANCELLATION_REASON, DISCONTINUATION_REASON) if has_value(request, tag)
    }
    contact = {tag: request[tag] for tag in (CONTACT_URI, CONTACT_NAME) if has_value(request, tag)}
    if CONTACT_URI in contact:
        item[COMMUNICATIONS] = {"vr": "SQ", "Value": [contact]}
    canceled = with_progress(document, item)
    _check(canceled, [BY_TAG[PROGRESS]], creating=False)
    return finished_workitem(canceled, State.CANCELED, now)


def without_character_set(document: Document) -> dict[str, Any]:
    """The same attributes; text is Unicode in JSON."""
    return {tag: attribute for tag, attribute in document.items() if tag != _CHARACTER_SET}


def has_value(document: Document, tag: str) -> bool:
    """Whether an attribute is there with a value."""
    attribute = document.get(tag, {})
    is_sequence = attribute.get("vr") == "SQ"
    return bool(attribute.get("InlineBinary")) or any(
        is_sequence or each not in (None, "", {}) for each in values_of(document, tag)
    )


def _blank(given: Given) -> dict[str, Any]:
    return {each.tag: {"vr": public_vr(int(each.tag, 16))} for each in TABLE if each.create is given}


def _touched(document: Document, now: str) -> dict[str, Any]:
    return {**document, MODIFIED: {"vr": "DT", "Value": [now]}}


def _same(old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> bool:
    return new == old or (old is None and not has_value({"": new}, ""))


def _check_identity(document: Document, expected: Mapping[str, str]) -> None:
    wrong = [(tag,) for tag, uid in expected.items() if has_value(document, tag) and document[tag]["Value"] != [uid]]
    if wrong:
        raise WorkitemError(Problem.INVALID, wrong)


def _check(document: Document, requirements: Iterable[Requirement], *, creating: bool) -> None:
    found: dict[Problem, list[Path]] = {}
    for problem, path in _problems(document, requirements, (), creating=creating):
        found.setdefault(problem, []).append(path)
    for problem in (Problem.MISSING, Problem.NO_VALUE, Problem.NOT_ALLOWED, Problem.INVALID):
        if problem in found:
            raise WorkitemError(problem, found[problem])


def _problems(
    document: Document, requirements: Iterable[Requirement], above: Path, *, creating: bool
) -> Iterator[tuple[Problem, Path]]:
    for each in requirements:
        path, given = (*above, each.tag), each.create if creating else each.change
        problem = _problem(document, each.tag, given)
        if problem is not None:
            yield problem, path
        elif each.items and each.tag in document:
            for item in values_of(document, each.tag):
                yield from _problems(item, each.items, path, creating=creating)


def _problem(document: Document, tag: str, given: Given) -> Problem | None:
    if tag not in document:
        return Problem.MISSING if given in (Given.VALUE, Given.PRESENT, Given.EMPTY) else None
    if given is Given.NONE:
        return Problem.NOT_ALLOWED
    if (document[tag]["vr"] == "SQ") is not (public_vr(int(tag, 16)) == "SQ"):
        return Problem.INVALID
    if not has_value(document, tag):
        return Problem.NO_VALUE if given in (Given.VALUE, Given.VALUE_IF_ANY) else None
    if given is Given.EMPTY:
        return Problem.INVALID
    values = values_of(document, tag)
    if tag in TERMS and (len(values) != 1 or values[0] not in TERMS[tag]):
        return Problem.INVALID
    if tag == START and (len(values) != 1 or not comparable("DT", str(values[0]))):
        return Problem.INVALID
    return None


def _lacking(document: Document, requirements: Iterable[Requirement], state: State, above: Path) -> Iterator[Path]:
    """What an end requires and is not there; of a sequence, in any of its items."""
    wanted = {Final.ALWAYS} | (_COMPLETION if state is State.COMPLETED else {Final.IF_CANCELED})
    for each in requirements:
        path = (*above, each.tag)
        if each.final not in wanted:
            continue
        may_be_empty = each.final is Final.PRESENT_IF_COMPLETED and each.tag in document
        if not may_be_empty and not has_value(document, each.tag):
            yield path
        elif each.items:
            for item in values_of(document, each.tag):
                yield from _lacking(item, each.items, state, path)
