"""/tools: clocks, identifiers, metrics, what is accepted, and stopping."""

import secrets
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.uids import new_uid
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.responses import Whole
from dicomweb_server.http.routing import Endpoint
from dicomweb_server.rest.answers import empty_answer, json_answer, text_answer
from dicomweb_server.rest.arguments import Arguments
from dicomweb_server.rest.body import text_body, text_list
from dicomweb_server.rest.context import Context
from dicomweb_server.rest.find_request import level_named
from dicomweb_server.rest.table import JSON, TEXT, Table, row, word

_CLOCK = "%Y%m%dT%H%M%S"
_PROMETHEUS = b"text/plain; version=0.0.4; charset=utf-8"


async def generate_uid(request: Request, context: Context) -> Response:
    """A new UID, or for the level of patients a new Patient ID."""
    level = level_named(Arguments(request.scope).text("level"))
    return text_answer(secrets.token_hex(16) if level is Level.PATIENT else new_uid())


async def now(request: Request, context: Context) -> Response:
    """The clock in UTC."""
    return text_answer(datetime.now(UTC).strftime(_CLOCK))


async def now_local(request: Request, context: Context) -> Response:
    """The clock of the server's time zone."""
    return text_answer(datetime.now(UTC).astimezone().strftime(_CLOCK))


async def conformance(request: Request, context: Context) -> Response:
    """The conformance statement (PS3.2)."""
    return text_answer(context.options.running.statement())


async def show_metrics_switch(request: Request, context: Context) -> Response:
    """1 if metrics are told."""
    return text_answer("1" if context.options.running.metrics_on else "0")


async def set_metrics_switch(request: Request, context: Context) -> Response:
    """The body says 1 or 0."""
    context.options.running.metrics_on = await _bit(request)
    return text_answer("")


async def _bit(request: Request) -> bool:
    said = (await text_body(request)).strip().lower()
    if said not in ("0", "1", "true", "false"):
        raise ServerError(Reason.BAD_REQUEST, "the body must be 1 or 0")
    return said in ("1", "true")


async def prometheus(request: Request, context: Context) -> Response:
    """The same as /metrics."""
    if not context.options.running.metrics_on:
        raise ServerError(Reason.FORBIDDEN, "metrics are switched off, by /tools/metrics or by the configuration")
    return Whole(await context.options.running.metrics(), _PROMETHEUS)


async def show_encoding(request: Request, context: Context) -> Response:
    """What texts without a Specific Character Set are taken for."""
    return text_answer("Latin1")


async def set_encoding(request: Request, context: Context) -> Response:
    """There is no choice."""
    if (await text_body(request)).strip() != "Latin1":
        raise ServerError(Reason.FORBIDDEN, "texts without a character set are read as Latin1; that cannot be changed")
    return text_answer("Latin1")


async def show_sop_classes(request: Request, context: Context) -> Response:
    """The SOP classes that may be stored by DIMSE."""
    return json_answer(context.options.running.sop_classes)


async def show_transfer_syntaxes(request: Request, context: Context) -> Response:
    """The transfer syntaxes that may be stored by DIMSE."""
    return json_answer(context.services.acceptance.transfer_syntaxes())


async def set_transfer_syntaxes(request: Request, context: Context) -> Response:
    """The body is a list of UIDs and patterns in JSON, or one of them as text. Until the server stops."""
    said = (await text_body(request)).strip()
    context.services.acceptance.accept_only(text_list(said) if said.startswith("[") else [said])
    return await show_transfer_syntaxes(request, context)


async def show_unknown_accepted(request: Request, context: Context) -> Response:
    """1 if SOP classes that nobody knows may be stored by DIMSE."""
    return text_answer("1" if context.services.acceptance.unknown_sop_classes else "0")


async def set_unknown_accepted(request: Request, context: Context) -> Response:
    """The body says 1 or 0. Until the server stops."""
    context.services.acceptance.unknown_sop_classes = await _bit(request)
    return await show_unknown_accepted(request, context)


async def invalidate_tags(request: Request, context: Context) -> Response:
    """Nothing is kept that could be out of date."""
    return empty_answer()


def _stop(*, restart: bool) -> Endpoint[Context]:
    async def stop(request: Request, context: Context) -> Response:
        """In an orderly way, after this answer."""
        context.options.running.stop(restart)
        return empty_answer()

    return stop


async def execute_script(request: Request, context: Context) -> Response:
    """There is no Lua here."""
    raise ServerError(Reason.NOT_OFFERED, "this server runs no Lua: use the REST interface, DICOMweb, or its events")


_T = (TEXT,)
OPERATIONS: Table = (
    row(
        "GET",
        "/tools/generate-uid",
        generate_uid,
        "A new identifier",
        word("level", "patient, study, series or instance"),
        produces=_T,
    ),
    row("GET", "/tools/now", now, "The clock in UTC", produces=_T),
    row("GET", "/tools/now-local", now_local, "The clock of the server's time zone", produces=_T),
    row("GET", "/tools/dicom-conformance", conformance, "The conformance statement", produces=_T),
    row("GET", "/tools/metrics", show_metrics_switch, "Whether metrics are told", produces=_T),
    row("PUT", "/tools/metrics", set_metrics_switch, "Tell metrics (1) or not (0)", produces=_T, consumes=_T),
    row("GET", "/tools/metrics-prometheus", prometheus, "Metrics for Prometheus", produces=_T, errors=(403,)),
    row("GET", "/tools/default-encoding", show_encoding, "The character set without one", produces=_T),
    row(
        "PUT",
        "/tools/default-encoding",
        set_encoding,
        "Refused, unless it is the same",
        produces=_T,
        consumes=_T,
        errors=(403,),
    ),
    row("GET", "/tools/accepted-sop-classes", show_sop_classes, "The SOP classes that DIMSE may store"),
    row(
        "GET", "/tools/accepted-transfer-syntaxes", show_transfer_syntaxes, "The transfer syntaxes that DIMSE may store"
    ),
    row(
        "PUT",
        "/tools/accepted-transfer-syntaxes",
        set_transfer_syntaxes,
        "Store only these by DIMSE, until the server stops",
        consumes=(JSON, TEXT),
    ),
    row(
        "GET",
        "/tools/unknown-sop-class-accepted",
        show_unknown_accepted,
        "Whether DIMSE may store SOP classes that nobody knows",
        produces=_T,
    ),
    row(
        "PUT",
        "/tools/unknown-sop-class-accepted",
        set_unknown_accepted,
        "Let DIMSE store SOP classes that nobody knows (1) or not (0), until the server stops",
        produces=_T,
        consumes=_T,
    ),
    row("POST", "/tools/invalidate-tags", invalidate_tags, "Nothing: no summaries are kept that could be out of date"),
    row("POST", "/tools/reset", _stop(restart=True), "Stop the server in an orderly way, and start it again"),
    row("POST", "/tools/shutdown", _stop(restart=False), "Stop the server in an orderly way"),
    row(
        "POST",
        "/tools/execute-script",
        execute_script,
        "Not offered: this server runs no Lua",
        errors=(501,),
        success={},
    ),
)
