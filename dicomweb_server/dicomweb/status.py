"""What STOW-RS says of each instance and of the whole request (PS3.18 §10.5.3, §I.2): total tables, nothing else."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus

from dicomweb_server.errors import Reason
from dicomweb_server.services.ingest import IngestOutcome, Status

PROCESSING_FAILURE = 0x0110
CANNOT_UNDERSTAND = 0xC000

# Failure Reason (0008,1197), PS3.18 table I.2-2. Of the ranges A7xx, A9xx and Cxxx the last digits are ours.
FAILURE_REASON: Mapping[Reason, int] = {
    Reason.NOT_DICOM: 0xC001,
    Reason.CANNOT_UNDERSTAND: CANNOT_UNDERSTAND,
    Reason.MISSING_UID: 0xC002,
    Reason.WRONG_STUDY: 0xA900,
    Reason.MISMATCHED_IDENTITY: 0xA901,
    Reason.UNSUPPORTED_SOP_CLASS: 0x0122,
    Reason.UNSUPPORTED_TRANSFER_SYNTAX: 0xC122,
    Reason.DUPLICATE_REFUSED: 0x0111,
    Reason.MISSING_BULK_DATA: 0xC003,
    Reason.BAD_REQUEST: 0xC004,
    Reason.UNSUPPORTED_MEDIA_TYPE: 0xC005,
    Reason.NOT_ACCEPTABLE: PROCESSING_FAILURE,
    Reason.RANGE_NOT_SATISFIABLE: PROCESSING_FAILURE,
    Reason.NOT_FOUND: 0x0112,
    Reason.GONE: 0x0112,
    Reason.FORBIDDEN: PROCESSING_FAILURE,
    Reason.CONFLICT: PROCESSING_FAILURE,
    Reason.METHOD_NOT_ALLOWED: PROCESSING_FAILURE,
    Reason.TOO_LARGE: 0xA701,
    Reason.TIMEOUT: PROCESSING_FAILURE,
    Reason.NOT_OFFERED: PROCESSING_FAILURE,
    Reason.CANCELED: PROCESSING_FAILURE,
    Reason.PEER_FAILED: PROCESSING_FAILURE,
    Reason.OUT_OF_RESOURCES: 0xA700,
    Reason.BUSY: 0xA702,
    Reason.STORAGE_DAMAGED: PROCESSING_FAILURE,
    Reason.INTERNAL: PROCESSING_FAILURE,
}

# Warning Reason (0008,1196) of an instance that is stored, None for no warning. Codes of our own in the range B0xx:
# other bytes were there under its UIDs, and stay (B001) or are gone (B002).
WARNING_REASON: Mapping[Status, int | None] = {
    Status.STORED: None,
    Status.DUPLICATE: None,
    Status.KEPT: 0xB001,
    Status.REPLACED: 0xB002,
    Status.REJECTED: None,
    Status.FAILED: None,
}

_SYNTAX = frozenset({Reason.NOT_DICOM, Reason.CANNOT_UNDERSTAND, Reason.BAD_REQUEST})
_UNAVAILABLE = frozenset({Reason.OUT_OF_RESOURCES, Reason.BUSY})
_DEFECTS = frozenset({Reason.INTERNAL, Reason.STORAGE_DAMAGED})


def response_status(outcomes: Sequence[IngestOutcome]) -> HTTPStatus:
    """The status of a request with these outcomes, of which there is at least one (PS3.18 table 10.5.3-1)."""
    if any(outcome.is_success for outcome in outcomes):
        spotless = all(outcome.is_success and WARNING_REASON[outcome.status] is None for outcome in outcomes)
        return HTTPStatus.OK if spotless else HTTPStatus.ACCEPTED
    return _failure_status({outcome.reason for outcome in outcomes if outcome.reason is not None})


def _failure_status(reasons: Iterable[Reason]) -> HTTPStatus:
    """The status when nothing was stored: whatever the sender may try again comes first."""
    found = frozenset(reasons)
    if found & _UNAVAILABLE:
        return HTTPStatus.SERVICE_UNAVAILABLE
    if found & _DEFECTS:
        return HTTPStatus.INTERNAL_SERVER_ERROR
    if found <= _SYNTAX:
        return HTTPStatus.BAD_REQUEST
    if found == {Reason.TOO_LARGE}:
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    if found == {Reason.UNSUPPORTED_MEDIA_TYPE}:
        return HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    return HTTPStatus.CONFLICT
