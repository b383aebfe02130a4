"""Bodies of requests: JSON with limits, its members with their types, and texts. What is wrong is told in words."""

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.requests import Request

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.body import chunks
from dicomweb_server.rest.context import Context

_MAX_TEXT = 1 << 20


async def whole_body(request: Request, limit: int) -> bytes:
    """A body of at most `limit` bytes."""
    return b"".join([chunk async for chunk in chunks(request.scope, request.receive, limit)])


async def text_body(request: Request, limit: int = _MAX_TEXT) -> str:
    """A body that is a short text."""
    try:
        return (await whole_body(request, limit)).decode("utf-8")
    except UnicodeDecodeError:
        raise ServerError(Reason.BAD_REQUEST, "the body is not UTF-8 text") from None


async def json_body(request: Request, context: Context, limit: int | None = None) -> Any:
    """A body in JSON, whatever its Content-Type says."""
    return _parsed(await whole_body(request, limit or context.options.max_json_size))


async def any_body(request: Request, context: Context, limit: int | None = None) -> Any:
    """A body in JSON, or nothing at all, which is None."""
    body = await whole_body(request, limit or context.options.max_json_size)
    return _parsed(body) if body.strip() else None


def _parsed(body: bytes | str) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ServerError(Reason.BAD_REQUEST, f"the body is not valid JSON: {_said(error)}") from None


def _said(error: orjson.JSONDecodeError) -> str:
    # The parser's words and the place, never what stands there.
    return f"{error.msg[:100]}: line {error.lineno}, column {error.colno}" if error.doc else "it is empty"


def text_list(said: str) -> list[str]:
    """A list of texts in JSON."""
    found = _parsed(said)
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise ServerError(Reason.BAD_REQUEST, "the body must be a list of texts")
    return found


async def object_body(request: Request, context: Context, limit: int | None = None) -> "Members":
    """A body that is a JSON object."""
    return Members(await json_body(request, context, limit))


async def optional_object_body(request: Request, context: Context, limit: int | None = None) -> "Members":
    """A body that is a JSON object, or nothing at all, which stands for an empty one."""
    body = await any_body(request, context, limit)
    return Members({} if body is None else body)


class Members:
    """The members of a JSON object, asked for by name and type; ServerError(BAD_REQUEST) where the type differs."""

    def __init__(self, value: Any, where: str = "the body") -> None:
        if not isinstance(value, dict):
            raise ServerError(Reason.BAD_REQUEST, f"{where} must be a JSON object")
        self.all: Mapping[str, Any] = value

    def __contains__(self, name: str) -> bool:
        return self.all.get(name) is not None

    def text(self, name: str, default: str | None = None) -> str:
        """A text; one that must be there, unless a default is given."""
        value = self.all.get(name)
        if value is None and default is not None:
            return default
        found: str = _checked(name, value, str, "a text")
        return found

    def flag(self, name: str, *, default: bool = False) -> bool:
        """True or false."""
        value = self.all.get(name)
        found: bool = default if value is None else _checked(name, value, bool, "true or false")
        return found

    def number(self, name: str, default: int, least: int = 0, most: int = 2**53) -> int:
        """A whole number within bounds."""
        value = self.all.get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ServerError(Reason.BAD_REQUEST, f"{name} must be a whole number from {least} to {most}")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts; empty if it is not there."""
        value = self.all.get(name)
        if value is None:
            return ()
        listed: list[Any] = _checked(name, value, list, "a list of texts")
        for one in listed:
            _checked(name, one, str, "a list of texts")
        return tuple(listed)

    def members(self, name: str) -> "Members":
        """A JSON object within; an empty one if it is not there."""
        value = self.all.get(name)
        return Members({} if value is None else value, name)

    def objects(self, name: str) -> "list[Members]":
        """A list of JSON objects; empty if it is not there."""
        value = self.all.get(name)
        listed: list[Any] = [] if value is None else _checked(name, value, list, "a list of JSON objects")
        return [Members(one, f"every item of {name}") for one in listed]


def _checked(name: str, value: Any, kind: type, expected: str) -> Any:
    if value is None:
        raise ServerError(Reason.BAD_REQUEST, f"{name} is missing: {expected} is expected")
    if not isinstance(value, kind):
        raise ServerError(Reason.BAD_REQUEST, f"{name} must be {expected}")
    return value
