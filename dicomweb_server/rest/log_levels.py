"""How much the server writes into its log, in all and by category, under Orthanc's names."""

import logging
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.routing import Endpoint
from dicomweb_server.rest.answers import text_answer
from dicomweb_server.rest.body import text_body
from dicomweb_server.rest.context import Context
from dicomweb_server.rest.table import TEXT, Row, Table, row

_ROOT = "dicomweb_server"
_CATEGORIES: Mapping[str, tuple[str, ...]] = {
    "generic": (f"{_ROOT}.services",),
    "http": (f"{_ROOT}.http", f"{_ROOT}.server", f"{_ROOT}.rest", f"{_ROOT}.dicomweb"),
    "dicom": (f"{_ROOT}.dimse",),
    "jobs": (f"{_ROOT}.jobs", f"{_ROOT}.services.jobs"),
    "sqlite": (f"{_ROOT}.storage", f"{_ROOT}.store"),
    "lua": (f"{_ROOT}.lua",),
    "plugins": (f"{_ROOT}.plugins",),
}
# Beyond verbose there is nothing: what a library would trace may hold patients' data.
_LEVELS = {"default": logging.INFO, "verbose": logging.DEBUG, "trace": logging.DEBUG}


def _show(loggers: tuple[str, ...]) -> Endpoint[Context]:
    async def show_level(request: Request, context: Context) -> Response:
        """default or verbose."""
        level = logging.getLogger(loggers[0]).getEffectiveLevel()
        return text_answer("verbose" if level <= logging.DEBUG else "default")

    return show_level


def _set(loggers: tuple[str, ...]) -> Endpoint[Context]:
    async def set_level(request: Request, context: Context) -> Response:
        """Until the server stops."""
        name = (await text_body(request)).strip()
        if name not in _LEVELS:
            raise ServerError(Reason.BAD_REQUEST, f"the body must be one of {', '.join(_LEVELS)}")
        for logger in loggers:
            logging.getLogger(logger).setLevel(_LEVELS[name])
        return text_answer("")

    return set_level


def _rows() -> list[Row]:
    places = {"/tools/log-level": (_ROOT,)} | {f"/tools/log-level-{name}": found for name, found in _CATEGORIES.items()}
    rows: list[Row] = []
    for path, loggers in places.items():
        rows.append(row("GET", path, _show(loggers), "How much is logged: default or verbose", produces=(TEXT,)))
        summary = "Log more (verbose, trace) or as usual (default)"
        rows.append(row("PUT", path, _set(loggers), summary, produces=(TEXT,), consumes=(TEXT,)))
    return rows


OPERATIONS: Table = tuple(_rows())
