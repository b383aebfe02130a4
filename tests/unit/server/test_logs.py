"""Log lines: one line each, nothing forged, JSON that parses."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator

import pytest

from dicomweb_server.server import logs


@pytest.fixture(autouse=True)
def _restore_loggers() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def lines(log_format: str, level: str = "info") -> io.StringIO:
    stream = io.StringIO()
    logs.configure(log_format, level, stream)
    return stream


def test_json_lines_have_fields_and_the_exception() -> None:
    stream = lines("json")
    logger = logging.getLogger("dicomweb_server.test")
    logger.info("hello", extra={"study": "1.2.3"})
    try:
        raise ValueError("broken")
    except ValueError:
        logger.exception("failed")
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert (first["level"], first["event"], first["study"]) == ("info", "hello", "1.2.3")
    assert first["time"].endswith("Z")
    assert "ValueError: broken" in second["exception"]


def test_text_lines_are_key_and_value() -> None:
    stream = lines("text")
    logging.getLogger("dicomweb_server.test").warning("slow disk", extra={"seconds": 3, "place": "a b"})
    line = stream.getvalue()
    assert 'WARNING test: slow disk seconds=3 place="a b"' in line


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_what_others_sent_cannot_forge_a_line_or_a_terminal_sequence(log_format: str) -> None:
    stream = lines(log_format)
    logging.getLogger("x").info("AE %s", "EVIL\r\n2026 INFO forged\x1b[2J", extra={"calling": "A\nB\x1b[1m"})
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert "\x1b" not in text


def test_level_hides_lines() -> None:
    stream = lines("text", "error")
    logging.getLogger("x").warning("hidden")
    assert stream.getvalue() == ""


def test_chatty_libraries_are_quiet() -> None:
    stream = lines("text", "debug")
    logging.getLogger("uvicorn.error").info("Started")
    logging.getLogger("pynetdicom").info("Requesting Association")
    assert stream.getvalue() == ""


def test_requests_lines_wait_for_a_flush_and_keep_their_order() -> None:
    stream = io.StringIO()
    writer = logs.configure("text", "info", stream)
    writer.write("request 1")
    assert stream.getvalue() == ""
    logging.getLogger("x").info("event")
    assert stream.getvalue().splitlines()[0] == "request 1"


async def test_request_lines_are_written_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_FLUSH_SECONDS", 0.01)
    stream = io.StringIO()
    logs.LineWriter(stream).write("request 1")
    await asyncio.sleep(0.05)
    assert stream.getvalue() == "request 1\n"


def test_reader_of_the_log_that_left_is_no_error() -> None:
    stream = io.StringIO()
    writer = logs.LineWriter(stream)
    stream.close()
    writer.write("x")
    writer.flush()


@pytest.mark.parametrize(
    ("text", "shown"), [("abc", "abc"), ("", '""'), ("a b", '"a b"'), ('a"b', '"a\\"b"'), ("a\nb", '"a\\nb"')]
)
def test_quoted(text: str, shown: str) -> None:
    assert logs.quoted(text) == shown


def test_timestamp() -> None:
    assert logs.timestamp(0.25) == "1970-01-01T00:00:00.250Z"
