"""Modality Performed Procedure Step (PS3.18 chapter 15): what modalities report of the steps they perform."""

import asyncio
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.data_set_json import normalized
from dicomweb_server.dicom.dictionary import keyword_of
from dicomweb_server.dicom.uids import require_uid
from dicomweb_server.dicomweb.context import Context
from dicomweb_server.dicomweb.data_sets import ACCEPTED, OFFERS, data_set, received_data_set
from dicomweb_server.dicomweb.scheduled_steps import require_worklist
from dicomweb_server.http.description import Description, Parameter
from dicomweb_server.http.headers import accepted, parameters
from dicomweb_server.http.responses import Whole
from dicomweb_server.http.routing import Operation
from dicomweb_server.http.warning import warning
from dicomweb_server.wire.media_types import choose

LARGEST_REPORT = 8 << 20  # with every image that was made in it
_PATH = "/modality-performed-procedure-steps/{step}"
_IDENTITY = ("00080016", "00080018")  # told by the path, and no attributes of a report (PS3.4 table F.7.2-1)


async def report_step(request: Request, context: Context) -> Response:
    """A step has begun (§15.4), or, with `update`, goes on or is over (§15.5)."""
    require_worklist(context)
    step_uid = _step_uid(request)
    document = await received_data_set(request, min(LARGEST_REPORT, context.options.max_request_size))
    report = await asyncio.to_thread(_report, document)
    root = context.options.service_url.root(request.scope)
    if not any(name == "update" for name, _ in parameters(request.scope)):
        await context.services.performed.begin(step_uid, report)
        return Whole(status=201, headers=[(b"location", (root + _PATH.format(step=step_uid)).encode("latin-1"))])
    fixed = await context.services.performed.change(step_uid, report)
    names = ", ".join(keyword_of(tag) or f"{tag:08X}" for tag in fixed)
    told = [warning(root, f"Left as they were, since only what begins a step gives them: {names}")] if fixed else []
    return Whole(status=200, headers=told)


async def retrieve_step(request: Request, context: Context) -> Response:
    """What is known of a step (§15.6)."""
    require_worklist(context)
    offer = choose(accepted(request.scope), OFFERS)
    step = await context.services.performed.step(_step_uid(request))
    return data_set(dict(step.document), offer, headers=[(b"vary", b"Accept"), (b"cache-control", b"no-cache")])


def _step_uid(request: Request) -> str:
    return require_uid(request.scope["path_params"]["step"], "the UID of the step in the path")


def _report(document: dict[str, Any]) -> dict[str, Any]:
    return {tag: attribute for tag, attribute in normalized(document).items() if tag not in _IDENTITY}


_UPDATE = Parameter("update", "If it is there, an existing step is changed; it needs no value", {"type": "string"})
_ACCEPT = Parameter("accept", "Acceptable media types; wins over the Accept header", {"type": "string"})
_TAG = "Performed procedure steps"

OPERATIONS: Sequence[Operation[Context]] = (
    Operation(
        "POST",
        _PATH,
        report_step,
        Description(
            "reportPerformedStep",
            "Create a performed procedure step, or change it",
            _TAG,
            {200: "It is changed; a Warning names what cannot be", 201: "It is created"},
            consumes=ACCEPTED,
            parameters=(_UPDATE,),
            errors=(400, 404, 409, 413, 415, 500, 501, 503),
            bare=(200, 201),
        ),
    ),
    Operation(
        "GET",
        _PATH,
        retrieve_step,
        Description(
            "retrievePerformedStep",
            "What is known of a performed procedure step",
            _TAG,
            {200: "The step"},
            ACCEPTED,
            parameters=(_ACCEPT,),
            errors=(400, 404, 406, 500, 501, 503),
        ),
    ),
)
