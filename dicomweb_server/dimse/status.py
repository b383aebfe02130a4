"""What happened → DIMSE status (PS3.7 annex C, PS3.4 annexes B, C). Comments never hold values of patients."""

from collections.abc import Mapping
from dataclasses import dataclass

from dicomweb_server.dicom.frame_choice import FrameProblem, FrameProblemError
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.services.ingest import IngestOutcome
from dicomweb_server.services.ingest import Status as IngestStatus

LONGEST_COMMENT = 64  # of VR LO
LONGEST_SENTENCE = 300  # in a line of the log


@dataclass(frozen=True, slots=True)
class Status:
    """A status, and a sentence that explains it to whoever reads the log."""

    code: int
    detail: str = ""

    @property
    def comment(self) -> str:
        """As much of the explanation as the peer can be told, "" without one."""
        return comment(self.detail)

    @property
    def sentence(self) -> str:
        """The explanation for a line of the log: bounded, and nothing in it that moves a cursor."""
        return "".join(c if c.isprintable() else "?" for c in self.detail[:LONGEST_SENTENCE])

    @property
    def outcome(self) -> str:
        """Its class (PS3.7 §C.1), in a word."""
        if self.code == 0:
            return "success"
        if self.code in (0xFF00, 0xFF01):
            return "pending"
        if self.code == 0xFE00:
            return "cancel"
        if self.code in (0x0001, 0x0107, 0x0116) or self.code >> 12 == 0xB:
            return "warning"
        return "failure"


SUCCESS = Status(0x0000)
PENDING = Status(0xFF00)
PENDING_WITH_WARNING = Status(0xFF01)  # some optional keys were not supported
CANCELLED = Status(0xFE00)
PROCESSING_FAILURE = Status(0x0110, "the server failed")
NO_SUCH_INSTANCE = Status(0x0112)
INVALID_ARGUMENT = Status(0x0115)
INVALID_VALUE = Status(0x0106)
MISSING_ATTRIBUTE = Status(0x0120)
INVALID_OBJECT_INSTANCE = Status(0x0117, "the SOP Instance UID is ill-formed")
DUPLICATE_INSTANCE = Status(0x0111)
ATTRIBUTES_NOT_USED = Status(0x0107)  # a warning: the rest was
NO_SUCH_ACTION = Status(0x0123)
NOT_SUPPORTED = Status(0x0001, "some of the attributes are not there")  # a warning: the others were told
SOP_CLASS_NOT_SUPPORTED = Status(0x0122, "not the SOP class of the presentation context")
UNRECOGNIZED_OPERATION = Status(0x0211, "the SOP class has no such operation")

_STORE: Mapping[Reason, int] = {
    Reason.NOT_DICOM: 0xC000,
    Reason.CANNOT_UNDERSTAND: 0xC000,
    Reason.MISSING_UID: 0xA900,
    Reason.WRONG_STUDY: 0xA900,
    Reason.MISMATCHED_IDENTITY: 0xA900,
    Reason.UNSUPPORTED_SOP_CLASS: 0x0122,
    Reason.UNSUPPORTED_TRANSFER_SYNTAX: 0xC122,
    Reason.DUPLICATE_REFUSED: 0x0111,
    Reason.MISSING_BULK_DATA: 0xC000,
    Reason.BAD_REQUEST: 0xC000,
    Reason.UNSUPPORTED_MEDIA_TYPE: 0xC000,
    Reason.NOT_ACCEPTABLE: 0xC000,
    Reason.RANGE_NOT_SATISFIABLE: 0xC000,
    Reason.NOT_FOUND: 0x0112,
    Reason.GONE: 0x0112,
    Reason.FORBIDDEN: 0x0124,
    Reason.CONFLICT: 0x0110,
    Reason.METHOD_NOT_ALLOWED: 0x0211,
    Reason.TOO_LARGE: 0xA700,
    Reason.TIMEOUT: 0x0110,
    Reason.NOT_OFFERED: 0x0110,
    Reason.CANCELED: 0x0110,
    Reason.PEER_FAILED: 0x0110,
    Reason.OUT_OF_RESOURCES: 0xA700,
    Reason.BUSY: 0xA700,
    Reason.STORAGE_DAMAGED: 0x0110,
    Reason.INTERNAL: 0x0110,
}
# C-FIND, C-MOVE, C-GET: A900 means that the identifier is wrong, Cxxx that it cannot be processed (PS3.4 §C.4).
_QUERY: Mapping[Reason, int] = dict.fromkeys(Reason, 0xC000) | {
    Reason.CANNOT_UNDERSTAND: 0xA900,
    Reason.MISSING_UID: 0xA900,
    Reason.BAD_REQUEST: 0xA900,
    Reason.MISMATCHED_IDENTITY: 0xA900,
    Reason.TOO_LARGE: 0xA700,
    Reason.OUT_OF_RESOURCES: 0xA700,
    Reason.BUSY: 0xA700,
}


# C-MOVE and C-GET of frames (PS3.4 §Y.4).
_FRAMES: Mapping[FrameProblem, int] = {
    FrameProblem.NONE_FOUND: 0xAA00,
    FrameProblem.NO_NEW_OBJECT: 0xAA01,
    FrameProblem.NOT_EXTRACTED: 0xAA02,
    FrameProblem.NOT_TIMED: 0xAA03,
    FrameProblem.INVALID: 0xAA04,
}


def store_status(reason: Reason, detail: str = "") -> Status:
    """Why an instance was not stored (PS3.4 table B.2-1)."""
    return Status(_STORE[reason], detail or reason.value)


def store_outcome_status(outcome: IngestOutcome, mismatch: str = "") -> Status:
    """What became of an instance (PS3.4 table B.2-1); a success, but not as it was sent, is a warning."""
    if outcome.reason is not None:
        return store_status(outcome.reason, outcome.detail)
    if outcome.status is IngestStatus.KEPT:
        return Status(0xB000, "another instance with this UID was stored before and kept")
    return stored_status(mismatch)


def stored_status(mismatch: str = "") -> Status:
    """An instance is stored; `mismatch`: what its command said of it that is not true."""
    return Status(0xB007, mismatch) if mismatch else SUCCESS


def unknown_destination(ae_title: str) -> Status:
    """There is no such destination of a C-MOVE (PS3.4 table C.4-2)."""
    return Status(0xA801, f"move destination {ae_title[:16]} is not known here")


def query_status(error: ServerError) -> Status:
    """Why a C-FIND, C-MOVE or C-GET failed (PS3.4 tables C.4-1 to C.4-3)."""
    if isinstance(error, FrameProblemError):
        return Status(_FRAMES[error.problem], error.detail)
    return Status(_QUERY[error.reason], error.detail)


def comment(text: str) -> str:
    """A text as an Error Comment (0000,0902): at most 64 characters of the default repertoire, no backslash."""
    plain = "".join(c if " " <= c <= "~" and c != "\\" else "?" for c in text[:LONGEST_COMMENT])
    return plain if len(text) <= LONGEST_COMMENT else plain[: LONGEST_COMMENT - 3].rstrip() + "..."
