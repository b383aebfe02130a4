"""The header fields that OpenAPI is told about; derived from what an operation answers, so that no table lists them."""

from collections.abc import Collection
from http import HTTPStatus
from typing import Any

_TEXT = {"type": "string"}


def _header(description: str, example: str) -> dict[str, Any]:
    return {"description": description, "schema": _TEXT, "example": example}


HEADERS: dict[str, dict[str, Any]] = {
    "ETag": _header("Names this representation; for If-None-Match and If-Range", '"91adcbab-292-json"'),
    "Last-Modified": _header("When the newest instance of it came", "Mon, 23 Nov 2026 05:30:14 GMT"),
    "Cache-Control": _header("How long it may be kept", "private, no-cache"),
    "Vary": _header("Request headers on which the answer depends", "Accept, Accept-Encoding"),
    "Warning": _header("299, the service and what the client should know (PS3.18 §8.3.4)", '299 http://host/x: "text"'),
    "Content-Location": _header("Where this very representation is", "http://host/dicom-web/studies/1.2.3"),
    "Content-Range": _header("Which bytes these are, of how many", "bytes 0-9/4096"),
    "X-Total-Count": _header("Number of all matches, if `count=true`", "1234"),
    "Retry-After": _header("Seconds to wait before trying again", "5"),
    "WWW-Authenticate": _header("How to say who one is (RFC 7617)", 'Basic realm="dicomweb-server", charset="UTF-8"'),
}
_OF_RETRIEVED = ("ETag", "Last-Modified", "Cache-Control", "Vary", "Warning", "Content-Location")
_OF_FAILURE = {
    HTTPStatus.UNAUTHORIZED: ("WWW-Authenticate",),
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE: ("Content-Range",),
    HTTPStatus.TOO_MANY_REQUESTS: ("Retry-After",),
    HTTPStatus.SERVICE_UNAVAILABLE: ("Retry-After",),
}
_CONDITIONS = (
    ("If-None-Match", "Entity tags that the client has; answered 304 if one of them is current", '"91adcbab-292-json"'),
    ("Range", "Bytes of the answer, such as bytes=0-9; of a bulk value as multipart, inside of its part", "bytes=0-9"),
    ("If-Range", "Entity tag: without it being current, the whole is answered", '"91adcbab-292-json"'),
)


def request_headers(statuses: Collection[int]) -> list[dict[str, Any]]:
    """Header parameters of an operation with these successful statuses. (Accept is told by the media types.)"""
    if HTTPStatus.NOT_MODIFIED not in statuses:
        return []
    return [
        {"name": name, "in": "header", "description": text, "schema": _TEXT | {"examples": [example]}}
        for name, text, example in _CONDITIONS
    ]


def response_headers(status: int, statuses: Collection[int], parameters: Collection[str]) -> dict[str, Any]:
    """`headers` of a response: of one status of an operation with these successful statuses and parameters."""
    names: tuple[str, ...] = _OF_FAILURE.get(HTTPStatus(status), ())
    if status in statuses and HTTPStatus.NOT_MODIFIED in statuses:
        names = ("ETag",) if status == HTTPStatus.NOT_MODIFIED else _OF_RETRIEVED
        if status == HTTPStatus.PARTIAL_CONTENT:
            names = (*names, "Content-Range")
    elif status in statuses and "count" in parameters:
        names = ("Warning", "X-Total-Count", "Vary")
    return {"headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names}} if names else {}
