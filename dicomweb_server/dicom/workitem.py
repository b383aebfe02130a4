"""PURE: the workitem (Unified Procedure Step, PS3.4 annex CC): its states, who may change them, each refusal."""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from dicomweb_server.dicom.dictionary import keyword_of
from dicomweb_server.errors import Reason, ServerError

Document = Mapping[str, Any]
"""DICOM JSON of a data set."""

UPS_PUSH = "1.2.840.10008.5.1.4.34.6.1"  # the SOP class of every instance (§CC.3.1)
ALL_WORKITEMS = "1.2.840.10008.5.1.4.34.5"  # global subscription (§CC.3.1.2)
FILTERED_WORKITEMS = "1.2.840.10008.5.1.4.34.5.1"  # filtered global subscription (§CC.2.3.3.1)

SOP_CLASS_UID = "00080016"
SOP_INSTANCE_UID = "00080018"
TRANSACTION_UID = "00081195"
MODIFIED = "00404010"  # Scheduled Procedure Step Modification DateTime
WORKLIST_LABEL = "00741202"
PRIORITY = "00741200"
START = "00404005"
READINESS = "00404041"
EXPIRATION = "00404008"  # Scheduled Procedure Step Expiration DateTime
STATE = "00741000"
PROGRESS = "00741002"  # Progress Information Sequence, one item
CANCELLATION_TIME = "00404052"
DISCONTINUATION_REASON = "0074100E"  # … Code Sequence
CANCELLATION_REASON = "00741238"
CONTACT_URI, CONTACT_NAME = "0074100A", "0074100C"
COMMUNICATIONS = "00741008"  # Procedure Step Communications URI Sequence, where these two are
PERFORMED = "00741216"  # Unified Procedure Step Performed Procedure Sequence
STATIONS = "00404025"  # Scheduled Station Name Code Sequence
PERFORMERS = "00404034"  # Scheduled Human Performers Sequence

# What a query is often asked for by one value: the name of a column → the attribute, and its VR.
KEYS: Mapping[str, tuple[int, str]] = {
    "state": (0x00741000, "CS"),
    "patient_id": (0x00100020, "LO"),
    "worklist_label": (0x00741202, "LO"),
    "label": (0x00741204, "LO"),
}


class State(Enum):
    """Procedure Step State (table CC.1.1-1)."""

    SCHEDULED = "SCHEDULED"
    IN_PROGRESS = "IN PROGRESS"
    COMPLETED = "COMPLETED"
    CANCELED = "CANCELED"


FINAL = frozenset({State.COMPLETED, State.CANCELED})


class Problem(Enum):
    """Why a request is refused: status code (PS3.4 §CC.2, PS3.7 annex C), what it is to other protocols, in words."""

    NOT_ALLOWED = (0x0105, Reason.BAD_REQUEST, "attribute not allowed here")
    INVALID = (0x0106, Reason.BAD_REQUEST, "invalid value")
    DUPLICATE = (0x0111, Reason.CONFLICT, "there is a workitem of this UID")
    MISSING = (0x0120, Reason.BAD_REQUEST, "missing attribute")
    NO_VALUE = (0x0121, Reason.BAD_REQUEST, "attribute without a value")
    FINAL = (0xC300, Reason.CONFLICT, "the workitem may no longer be updated")
    NO_TRANSACTION = (0xC301, Reason.BAD_REQUEST, "the Transaction UID is missing")
    WRONG_TRANSACTION = (0xC301, Reason.BAD_REQUEST, "the Transaction UID is another")
    CLAIMED = (0xC301, Reason.CONFLICT, "the workitem was claimed with another Transaction UID")
    ALREADY_IN_PROGRESS = (0xC302, Reason.CONFLICT, "the workitem is already IN PROGRESS")
    NOT_SCHEDULED_ANEW = (0xC303, Reason.BAD_REQUEST, "a workitem becomes SCHEDULED by its creation only")
    NOT_READY = (0xC304, Reason.CONFLICT, "final state needs")
    UNKNOWN = (0xC307, Reason.NOT_FOUND, "there is no such workitem")
    REMOVED = (0xC307, Reason.GONE, "the workitem ended long ago, and was removed")
    UNKNOWN_RECEIVER = (0xC308, Reason.NOT_FOUND, "the receiving AE title is not known")
    NOT_SCHEDULED = (0xC309, Reason.BAD_REQUEST, "a new workitem has to be SCHEDULED")
    NOT_IN_PROGRESS = (0xC310, Reason.CONFLICT, "the workitem is not IN PROGRESS")
    COMPLETED = (0xC311, Reason.CONFLICT, "the workitem is already COMPLETED")
    NOBODY_TO_ASK = (0xC312, Reason.CONFLICT, "the performer cannot be contacted")
    NOT_APPROPRIATE = (0xC314, Reason.BAD_REQUEST, "not appropriate for this instance")
    NO_REPORTS = (0xC315, Reason.NOT_OFFERED, "no event reports are sent")

    def __init__(self, code: int, reason: Reason, text: str) -> None:
        self.code = code
        self.reason = reason
        self.text = text


class Notice(Enum):
    """What a request that was granted is told beside: status code, in words."""

    MODIFIED = (0xB300, "the workitem was created with modifications")
    NOT_LOCKED = (0xB301, "the deletion lock was not granted")
    ALREADY_CANCELED = (0xB304, "the workitem is already CANCELED")
    ALREADY_COMPLETED = (0xB306, "the workitem is already COMPLETED")

    def __init__(self, code: int, text: str) -> None:
        self.code = code
        self.text = text


class WorkitemError(ServerError):
    """A request about a workitem that is refused. `paths`: of the attributes that are wrong, tags from the top down."""

    def __init__(self, problem: Problem, paths: Sequence[Sequence[str]] = ()) -> None:
        names = ", ".join(".".join(map(_name, path)) for path in paths[:10])
        super().__init__(problem.reason, f"{problem.text}: {names}" if names else problem.text)
        self.problem = problem
        self.tags = tuple(int(path[0], 16) for path in paths)


def _name(tag: str) -> str:
    return keyword_of(int(tag, 16)) or f"({tag[:4]},{tag[4:]})"


# (now, wanted) → what comes of asking with the correct Transaction UID (table CC.1.1-2); None: it is done.
_CHANGES: Mapping[tuple[State, State], Problem | Notice | None] = {
    (State.SCHEDULED, State.IN_PROGRESS): None,
    (State.SCHEDULED, State.COMPLETED): Problem.NOT_IN_PROGRESS,
    (State.SCHEDULED, State.CANCELED): Problem.NOT_IN_PROGRESS,
    (State.IN_PROGRESS, State.IN_PROGRESS): Problem.ALREADY_IN_PROGRESS,
    (State.IN_PROGRESS, State.COMPLETED): None,
    (State.IN_PROGRESS, State.CANCELED): None,
    (State.COMPLETED, State.IN_PROGRESS): Problem.FINAL,
    (State.COMPLETED, State.COMPLETED): Notice.ALREADY_COMPLETED,
    (State.COMPLETED, State.CANCELED): Problem.FINAL,
    (State.CANCELED, State.IN_PROGRESS): Problem.FINAL,
    (State.CANCELED, State.COMPLETED): Problem.FINAL,
    (State.CANCELED, State.CANCELED): Notice.ALREADY_CANCELED,
}
# Now → what comes of a request of others to cancel.
_CANCELS: Mapping[State, Problem | Notice | None] = {
    State.SCHEDULED: None,
    State.IN_PROGRESS: None,
    State.COMPLETED: Problem.COMPLETED,
    State.CANCELED: Notice.ALREADY_CANCELED,
}


def allowed_change(now: State, wanted: State, lock: str, transaction_uid: str) -> Notice | None:
    """Whether whoever gives this Transaction UID may change the state so; a Notice: it is so already. WorkitemError.

    `lock`: the Transaction UID of whoever performs it, or did.
    """
    if wanted is State.SCHEDULED:
        raise WorkitemError(Problem.NOT_SCHEDULED_ANEW)
    if not transaction_uid:
        raise WorkitemError(Problem.NO_TRANSACTION)
    if now is not State.SCHEDULED and transaction_uid != lock:
        is_end = now is State.IN_PROGRESS and wanted in FINAL
        raise WorkitemError(Problem.WRONG_TRANSACTION if is_end else Problem.CLAIMED)
    return _granted(_CHANGES[now, wanted])


def allowed_cancel(now: State) -> Notice | None:
    """Whether it may be asked to cancel a workitem; a Notice: it is so already. WorkitemError."""
    return _granted(_CANCELS[now])


def _granted(outcome: Problem | Notice | None) -> Notice | None:
    if isinstance(outcome, Problem):
        raise WorkitemError(outcome)
    return outcome


def values_of(document: Document, tag: str) -> Sequence[Any]:
    """The values of an attribute, none if it is not there."""
    values: Sequence[Any] | None = document.get(tag, {}).get("Value")
    return values or ()


def progress_of(document: Document) -> dict[str, Any]:
    """The item of the Progress Information Sequence, an empty one for want of it."""
    return dict(next(iter(values_of(document, PROGRESS)), {}))


def with_progress(document: Document, item: Document) -> dict[str, Any]:
    """The same workitem with this item of the Progress Information Sequence."""
    return {**document, PROGRESS: {"vr": "SQ", "Value": [item]}}


def with_state(document: Document, state: State) -> dict[str, Any]:
    """The same workitem in a state."""
    return {**document, STATE: {"vr": "CS", "Value": [state.value]}}
