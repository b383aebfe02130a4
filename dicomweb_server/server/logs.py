"""Log lines, as key=value text or JSON; they name UIDs, AE titles and reasons, never values of patients."""

import asyncio
import atexit
import json
import logging
import sys
import time
import traceback
from typing import Any, TextIO

_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
_FLUSH_LINES = 200
_FLUSH_SECONDS = 0.5
_MAX_TEXT = 2000


class LineWriter:
    """Collects lines and writes many at once: a line per request costs a list append, not a system call."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines: list[str] = []

    def write(self, line: str) -> None:
        """Take a line; it is written within half a second, or when many wait."""
        if not self._lines:
            self._flush_soon()
        self._lines.append(line)
        if len(self._lines) >= _FLUSH_LINES:
            self.flush()

    def _flush_soon(self) -> None:
        try:
            asyncio.get_running_loop().call_later(_FLUSH_SECONDS, self.flush)
        except RuntimeError:
            return  # no loop: whoever writes flushes

    def flush(self) -> None:
        """Write what waits. A reader that is gone must not stop the server."""
        lines, self._lines = self._lines, []
        if not lines:
            return
        lines.append("")
        try:
            self._stream.write("\n".join(lines))
            self._stream.flush()
        except (OSError, ValueError):
            return


class _Handler(logging.Handler):
    def __init__(self, writer: LineWriter) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        self._writer.write(self.format(record))
        self._writer.flush()


class _Formatter(logging.Formatter):
    def _fields(self, record: logging.LogRecord) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "time": timestamp(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage()[:_MAX_TEXT],
        }
        fields |= {key: value for key, value in vars(record).items() if key not in _STANDARD_FIELDS}
        if record.exc_info and record.exc_info[0]:
            fields["exception"] = "".join(traceback.format_exception(*record.exc_info))
        return fields


class _JsonFormatter(_Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(self._fields(record), ensure_ascii=False, default=str)


class _TextFormatter(_Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = self._fields(record)
        head = f"{fields.pop('time')} {fields.pop('level').upper():7} "
        logger, event, trace = fields.pop("logger"), _one_line(fields.pop("event")), fields.pop("exception", "")
        tail = "".join(f" {key}={quoted(str(value))}" for key, value in fields.items())
        own = logger.removeprefix("dicomweb_server.")
        return f"{head}{own}: {event}{tail}" + (f"\n{trace.rstrip()}" if trace else "")


def _one_line(text: str) -> str:
    """No control characters: what a client sent must not forge a line or a terminal's escape sequence."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def quoted(text: str) -> str:
    """A value for key=value: quoted where it would not read as one word."""
    if text and text.isprintable() and not any(c in text for c in ' "='):
        return text
    return json.dumps(text[:_MAX_TEXT], ensure_ascii=True)


def timestamp(seconds: float) -> str:
    """UTC with milliseconds, as in RFC 3339."""
    whole = int(seconds)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{int((seconds - whole) * 1000):03d}Z"


def _is_news(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith("Application startup failed")  # the command itself says why


def configure(log_format: str, level: str, stream: TextIO | None = None) -> LineWriter:
    """Send all loggers of the process to one writer; the returned writer is for the lines of requests."""
    writer = LineWriter(stream or sys.stderr)
    handler = _Handler(writer)
    handler.setFormatter(_JsonFormatter() if log_format == "json" else _TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # The libraries' own words are for their developers; what matters of them is logged here in ours.
    for chatty in ("uvicorn", "uvicorn.error", "pynetdicom", "pydicom", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    atexit.register(writer.flush)
    return writer
