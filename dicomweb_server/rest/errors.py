"""Reason to what Orthanc calls an error: its number, its text and the members of its JSON."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

import orjson
from starlette.types import Scope

from dicomweb_server.errors import Reason
from dicomweb_server.http.errors import RETRY_AFTER_SECONDS, STATUS, status_name
from dicomweb_server.http.responses import HeaderList, Whole


class OrthancError(NamedTuple):
    """An error as scripts written for Orthanc know it."""

    status: int
    text: str


_INTERNAL = OrthancError(-1, "Internal error")
_BAD_REQUEST = OrthancError(8, "Bad request")
_NETWORK = OrthancError(9, "Error in the network protocol")
_BAD_FILE = OrthancError(15, "Bad file format")
_TIMEOUT = OrthancError(16, "Timeout")
_UNKNOWN = OrthancError(17, "Unknown resource")

ERRORS: Mapping[Reason, OrthancError] = {
    Reason.NOT_DICOM: _BAD_FILE,
    Reason.CANNOT_UNDERSTAND: _BAD_FILE,
    Reason.MISSING_UID: _BAD_FILE,
    Reason.WRONG_STUDY: _BAD_REQUEST,
    Reason.MISMATCHED_IDENTITY: _BAD_REQUEST,
    Reason.UNSUPPORTED_SOP_CLASS: _BAD_FILE,
    Reason.UNSUPPORTED_TRANSFER_SYNTAX: _BAD_FILE,
    Reason.DUPLICATE_REFUSED: OrthancError(46, "Duplicate resource"),
    Reason.MISSING_BULK_DATA: _BAD_FILE,
    Reason.BAD_REQUEST: _BAD_REQUEST,
    Reason.UNSUPPORTED_MEDIA_TYPE: _BAD_REQUEST,
    Reason.NOT_ACCEPTABLE: OrthancError(
        34, "Cannot send a response which is acceptable according to the Accept header"
    ),
    Reason.RANGE_NOT_SATISFIABLE: OrthancError(41, "Incorrect range request"),
    Reason.NOT_FOUND: _UNKNOWN,
    Reason.GONE: _UNKNOWN,
    Reason.FORBIDDEN: OrthancError(45, "Access to a resource is forbidden"),
    Reason.CONFLICT: OrthancError(43, "Bad revision number, another client has changed the resource meanwhile"),
    Reason.METHOD_NOT_ALLOWED: _BAD_REQUEST,
    Reason.TOO_LARGE: _BAD_REQUEST,
    Reason.TIMEOUT: _TIMEOUT,
    Reason.CANCELED: OrthancError(37, "This job was canceled"),
    Reason.NOT_OFFERED: OrthancError(2, "Not implemented yet"),
    Reason.PEER_FAILED: _NETWORK,
    Reason.OUT_OF_RESOURCES: OrthancError(19, "The file storage is full"),
    Reason.BUSY: OrthancError(36, "The database is currently not available"),
    Reason.STORAGE_DAMAGED: OrthancError(20, "Corrupted file"),
    Reason.INTERNAL: _INTERNAL,
}

FAILURE_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "description": "A failure as Orthanc tells it; Details says what was wrong, where, and what was expected",
    "required": ["HttpError", "HttpStatus", "Message", "Method", "OrthancError", "OrthancStatus", "Uri"],
    "properties": {
        "Details": {"type": "string"},
        "HttpError": {"type": "string", "description": "The status in words"},
        "HttpStatus": {"type": "integer", "minimum": 400, "maximum": 599},
        "Message": {"type": "string"},
        "Method": {"type": "string"},
        "OrthancError": {"type": "string"},
        "OrthancStatus": {"type": "integer"},
        "Uri": {"type": "string"},
    },
}


def failure(scope: Scope, reason: Reason, detail: str, headers: HeaderList) -> Whole:
    """The answer to a request that cannot be served (a `http.errors.Failure`)."""
    status, error = _status(reason), ERRORS[reason]
    content = {
        "Details": detail or reason.value,
        "HttpError": status_name(status),
        "HttpStatus": int(status),
        "Message": error.text,
        "Method": scope["method"],
        "OrthancError": error.text,
        "OrthancStatus": error.status,
        "Uri": scope["path"],
    }
    retry = [(b"retry-after", b"%d" % RETRY_AFTER_SECONDS)] if status == HTTPStatus.SERVICE_UNAVAILABLE else []
    return Whole(orjson.dumps(content), b"application/json", status=int(status), headers=[*headers, *retry])


def _status(reason: Reason) -> HTTPStatus:
    # Scripts know 500 for a modality or peer that fails, not 502.
    return HTTPStatus.INTERNAL_SERVER_ERROR if reason is Reason.PEER_FAILED else STATUS[reason]
