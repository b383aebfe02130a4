"""Answers of the REST interface: JSON and plain text."""

from typing import Any

import orjson

from dicomweb_server.http.responses import HeaderList, Whole

JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"


def json_answer(value: Any, *, status: int = 200, headers: HeaderList = ()) -> Whole:
    """A value as JSON."""
    return Whole(orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS), JSON, status=status, headers=headers)


def text_answer(text: str, *, headers: HeaderList = ()) -> Whole:
    """A text."""
    return Whole(text.encode("utf-8"), TEXT, headers=headers)


def empty_answer(headers: HeaderList = ()) -> Whole:
    """An empty JSON object: done, and nothing to tell."""
    return Whole(b"{}", JSON, headers=headers)
