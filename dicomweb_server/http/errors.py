"""Reason to HTTP status, one table, and one error body for all of HTTP (RFC 9457). Never shows a traceback."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import orjson
from starlette.responses import Response
from starlette.types import Scope

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.responses import HeaderList, Whole

Failure = Callable[[Scope, Reason, str, HeaderList], Response]
"""Makes the answer to a request that cannot be served, in the form of one service."""

PROBLEM_JSON = b"application/problem+json"
RETRY_AFTER_SECONDS = 5

_NAMES = {413: "Content Too Large", 416: "Range Not Satisfiable", 422: "Unprocessable Content"}

STATUS: Mapping[Reason, HTTPStatus] = {
    Reason.NOT_DICOM: HTTPStatus.BAD_REQUEST,
    Reason.CANNOT_UNDERSTAND: HTTPStatus.BAD_REQUEST,
    Reason.MISSING_UID: HTTPStatus.BAD_REQUEST,
    Reason.WRONG_STUDY: HTTPStatus.CONFLICT,
    Reason.MISMATCHED_IDENTITY: HTTPStatus.CONFLICT,
    Reason.UNSUPPORTED_SOP_CLASS: HTTPStatus.CONFLICT,
    Reason.UNSUPPORTED_TRANSFER_SYNTAX: HTTPStatus.CONFLICT,
    Reason.DUPLICATE_REFUSED: HTTPStatus.CONFLICT,
    Reason.MISSING_BULK_DATA: HTTPStatus.BAD_REQUEST,
    Reason.BAD_REQUEST: HTTPStatus.BAD_REQUEST,
    Reason.UNSUPPORTED_MEDIA_TYPE: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    Reason.NOT_ACCEPTABLE: HTTPStatus.NOT_ACCEPTABLE,
    Reason.RANGE_NOT_SATISFIABLE: HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    Reason.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Reason.GONE: HTTPStatus.GONE,
    Reason.FORBIDDEN: HTTPStatus.FORBIDDEN,
    Reason.CONFLICT: HTTPStatus.CONFLICT,
    Reason.METHOD_NOT_ALLOWED: HTTPStatus.METHOD_NOT_ALLOWED,
    Reason.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Reason.TIMEOUT: HTTPStatus.REQUEST_TIMEOUT,
    Reason.NOT_OFFERED: HTTPStatus.NOT_IMPLEMENTED,
    Reason.CANCELED: HTTPStatus.CONFLICT,
    Reason.PEER_FAILED: HTTPStatus.BAD_GATEWAY,
    Reason.OUT_OF_RESOURCES: HTTPStatus.SERVICE_UNAVAILABLE,
    Reason.BUSY: HTTPStatus.SERVICE_UNAVAILABLE,
    Reason.STORAGE_DAMAGED: HTTPStatus.INTERNAL_SERVER_ERROR,
    Reason.INTERNAL: HTTPStatus.INTERNAL_SERVER_ERROR,
}

# The members of every error body, for the API's description.
PROBLEM_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "description": "Problem details (RFC 9457)",
    "required": ["title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "default": "about:blank"},
        "title": {"type": "string", "description": "The status in words"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "What was wrong, where, and what was expected"},
        "reason": {"type": "string", "enum": [reason.name for reason in Reason]},
    },
}


def problem(reason: Reason, detail: str = "", headers: HeaderList = ()) -> Whole:
    """The answer to a request that cannot be served."""
    return problem_body(STATUS[reason], detail or reason.value, reason, headers)


class AnswerError(ServerError):
    """A failure whose answer has header fields of its own."""

    def __init__(self, reason: Reason, detail: str, headers: HeaderList) -> None:
        super().__init__(reason, detail)
        self.headers = headers


def status_name(status: int) -> str:
    """By RFC 9110 §15, which Python follows since 3.13."""
    return _NAMES.get(status) or HTTPStatus(status).phrase


def as_problem(_scope: Scope, reason: Reason, detail: str, headers: HeaderList) -> Response:
    """A `Failure`: problem details (RFC 9457)."""
    return problem(reason, detail, headers)


def problem_of(error: ServerError) -> Whole:
    """The answer that an error stands for."""
    return problem(error.reason, error.detail)


def problem_body(status: int, detail: str, reason: Reason, headers: HeaderList) -> Whole:
    """Problem details with a status of its own."""
    content = {
        "type": "about:blank",
        "title": status_name(status),
        "status": int(status),
        "detail": detail,
        "reason": reason.name,
    }
    retry = [(b"retry-after", b"%d" % RETRY_AFTER_SECONDS)] if status == HTTPStatus.SERVICE_UNAVAILABLE else []
    return Whole(orjson.dumps(content), PROBLEM_JSON, status=int(status), headers=[*headers, *retry])
