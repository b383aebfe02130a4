"""Submission: the members that every request for long work may have, and its answer: a job, or what the job gave."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.origin import origin_of
from dicomweb_server.rest.answers import json_answer
from dicomweb_server.rest.body import Members
from dicomweb_server.rest.context import Context
from dicomweb_server.services.jobs import Job, JobState

_PRIORITY = 2**31 - 1
_DESCRIPTION = "REST API"


@dataclass(frozen=True, slots=True)
class Wish:
    """How the work is wanted. `permissive`: what fails is left out, instead of ending all."""

    asynchronous: bool = False
    priority: int = 0
    permissive: bool = False
    user_data: Any = None


def wish_of(members: Members, *, asynchronous: bool = False) -> Wish:
    """What a body says of it; `asynchronous`: where it says nothing."""
    if "Asynchronous" in members:
        asynchronous = members.flag("Asynchronous")
    elif "Synchronous" in members:
        asynchronous = not members.flag("Synchronous")
    return Wish(
        asynchronous=asynchronous,
        priority=members.number("Priority", 0, least=-_PRIORITY, most=_PRIORITY),
        permissive=members.flag("Permissive"),
        user_data=members.all.get("UserData"),
    )


def _content_of(job: Job) -> Any:
    return job.content


async def answer_by_job(
    request: Request,
    context: Context,
    type_: str,
    parameters: Mapping[str, Any],
    wish: Wish,
    *,
    result: Callable[[Job], Any] = _content_of,
    content: Mapping[str, Any] | None = None,
) -> Response:
    """Submit a job. Asynchronous: its identifier; else, when it is done, `result` of it; ServerError if it failed.

    Its kind finds `Permissive`, `UserData` and `Asynchronous` among the parameters. `content`: what it shows from the
    start.
    """
    job = await submit(request, context, type_, parameters, wish, content)
    if wish.asynchronous:
        return job_answer(job)
    return json_answer(result(await finished(context, job)))


async def submit(
    request: Request,
    context: Context,
    type_: str,
    parameters: Mapping[str, Any],
    wish: Wish,
    content: Mapping[str, Any] | None = None,
) -> Job:
    """A new job for whoever sends the request."""
    return await context.services.jobs.submit(
        type_,
        {
            **parameters,
            "Permissive": wish.permissive,
            "UserData": wish.user_data,
            "Asynchronous": wish.asynchronous,
        },
        priority=wish.priority,
        user=origin_of(request, "rest").user,
        content={"Description": _DESCRIPTION, **(content or {})},
    )


async def finished(context: Context, job: Job) -> Job:
    """The job when it has succeeded; ServerError with what it failed for."""
    ended = await context.services.jobs.wait(job.id)
    if ended.state is JobState.FAILURE:
        raise ServerError(ended.reason or Reason.INTERNAL, ended.details)
    return ended


def job_answer(job: Job) -> Response:
    """Where to ask how a job stands."""
    return json_answer({"ID": job.id, "Path": f"/jobs/{job.id}"})
