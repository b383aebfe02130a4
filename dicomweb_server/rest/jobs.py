"""/jobs: how the work beside the requests stands, what may be done to it, and what it left."""

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.http.responses import Pieces
from dicomweb_server.http.routing import Endpoint
from dicomweb_server.rest.answers import empty_answer, json_answer
from dicomweb_server.rest.arguments import Arguments
from dicomweb_server.rest.context import Context
from dicomweb_server.rest.disposition import attachment
from dicomweb_server.rest.errors import ERRORS
from dicomweb_server.rest.table import OCTETS, ZIP, Table, flag, row
from dicomweb_server.services.jobs import Job, JobService, JobState

_SUCCESS = (0, "Success")


def shown(job: Job) -> dict[str, Any]:
    """A job as Orthanc shows one."""
    code, text = (ERRORS[job.reason] if job.reason else _SUCCESS)[:2]
    answer = {
        "Content": job.content,
        "CreationTime": _moment(job.created),
        "EffectiveRuntime": round(job.runtime, 3),
        "ErrorCode": code,
        "ErrorDescription": text,
        "ErrorDetails": job.details,
        "ID": job.id,
        "Priority": job.priority,
        "Progress": int(job.progress * 100),
        "State": job.state.value,
        "Timestamp": _moment(time.time()),
        "Type": job.type,
    }
    if job.parameters.get("UserData") is not None:
        answer["UserData"] = job.parameters["UserData"]
    if job.completed is not None:
        answer["CompletionTime"] = _moment(job.completed)
    if job.state is JobState.RUNNING and job.progress > 0:
        left = job.runtime / job.progress * (1 - job.progress)
        answer["EstimatedTimeOfArrival"] = _moment(time.time() + left)
    return answer


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%dT%H%M%S.%f")


async def list_jobs(request: Request, context: Context) -> Response:
    """Their identifiers, or with `expand` all of them."""
    if Arguments(request.scope).flag("expand"):
        return json_answer([shown(job) for job in await context.services.jobs.list()])
    return json_answer(await context.services.jobs.ids())


async def show_job(request: Request, context: Context) -> Response:
    """One job."""
    return json_answer(shown(await context.services.jobs.get(_id(request))))


async def delete_job(request: Request, context: Context) -> Response:
    """Forget it."""
    await context.services.jobs.delete(_id(request))
    return empty_answer()


async def fetch_output(request: Request, context: Context) -> Response:
    """What it left under a key."""
    output = await context.services.jobs.output(_id(request), request.scope["path_params"]["key"])
    media_type = output.media_type.encode("ascii")
    return Pieces(output.pieces, media_type, length=output.size, headers=[attachment(output.filename)])


async def delete_output(request: Request, context: Context) -> Response:
    """Give that up."""
    await context.services.jobs.delete_output(_id(request), request.scope["path_params"]["key"])
    return empty_answer()


def _id(request: Request) -> str:
    job_id: str = request.scope["path_params"]["id"]
    return job_id


def _action(act: Callable[[JobService, str], Awaitable[None]]) -> Endpoint[Context]:
    async def endpoint(request: Request, context: Context) -> Response:
        await act(context.services.jobs, _id(request))
        return empty_answer()

    return endpoint


OPERATIONS: Table = (
    row("GET", "/jobs", list_jobs, "The jobs, oldest first", flag("expand", "All that is known of each")),
    row("GET", "/jobs/{id}", show_job, "How a job stands"),
    row("DELETE", "/jobs/{id}", delete_job, "Forget a job that has ended"),
    row(
        "POST",
        "/jobs/{id}/cancel",
        _action(JobService.cancel),
        "Stop a job for good; one that has ended stays as it is",
    ),
    row(
        "POST",
        "/jobs/{id}/pause",
        _action(JobService.pause),
        "Hold a job where it is; one that has ended stays as it is",
    ),
    row("POST", "/jobs/{id}/resume", _action(JobService.resume), "Go on with a job that is held"),
    row("POST", "/jobs/{id}/resubmit", _action(JobService.resubmit), "Run a job that failed once more"),
    row("GET", "/jobs/{id}/{key}", fetch_output, "What a job left, such as an archive", produces=(ZIP, OCTETS)),
    row("DELETE", "/jobs/{id}/{key}", delete_output, "Give up what a job left"),
)
