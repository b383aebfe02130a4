"""/jobs: what is shown, what may be done, what is refused."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.services.jobs import Job, JobOutput, RunningJob
from tests.app.rest_harness import Rest, open_rest


class Kind:
    """Waits until told, then succeeds with an output, or fails."""

    type = "Test"

    def __init__(self) -> None:
        self.go = asyncio.Event()

    async def run(self, job: RunningJob) -> None:
        await job.save(progress=0.5, content={**job.content, "Step": 1})
        await self.go.wait()
        if job.parameters.get("fail"):
            raise ServerError(Reason.PEER_FAILED, "nobody is there")
        await job.save(outputs=("archive",))

    async def output(self, job: Job, key: str) -> JobOutput:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"PK"

        return JobOutput("application/zip", "päck.zip", pieces(), 2)


@pytest.fixture
async def rest(tmp_path: Path) -> AsyncIterator[Rest]:
    async with open_rest(tmp_path) as opened:
        opened.services.jobs.register(Kind())
        async with opened.services.jobs.running():
            yield opened


def kind(rest: Rest) -> Kind:
    found = rest.services.jobs._kinds["Test"]
    assert isinstance(found, Kind)
    return found


async def reach(rest: Rest, job_id: str, state: str, least: int = 0) -> dict[str, Any]:
    """The job when it has come to a state, and to so many percent."""
    for _ in range(3000):
        shown: dict[str, Any] = await rest.json(f"/jobs/{job_id}")
        if shown["State"] == state and shown["Progress"] >= least:
            return shown
        await asyncio.sleep(0.01)
    raise AssertionError(shown)


async def test_a_job_from_its_start_to_its_output(rest: Rest) -> None:
    job = await rest.services.jobs.submit("Test", {"UserData": [1]}, priority=4, content={"Description": "REST API"})
    running = await reach(rest, job.id, "Running", 50)
    assert (running["Progress"], running["Priority"], running["Type"]) == (50, 4, "Test")
    assert running["Content"] == {"Description": "REST API", "Step": 1}
    assert "EstimatedTimeOfArrival" in running
    assert "CompletionTime" not in running
    assert (await rest.get(f"/jobs/{job.id}/archive")).status_code == 404
    kind(rest).go.set()
    done = await reach(rest, job.id, "Success")
    assert (done["ErrorCode"], done["ErrorDescription"], done["ErrorDetails"]) == (0, "Success", "")
    assert (done["Progress"], done["UserData"]) == (100, [1])
    assert len(str(done["CompletionTime"])) == len("20190306T095223.753851")
    assert await rest.json("/jobs") == [job.id]
    assert [one["ID"] for one in await rest.json("/jobs?expand")] == [job.id]
    output = await rest.get(f"/jobs/{job.id}/archive")
    assert (output.content, output.headers["content-type"]) == (b"PK", "application/zip")
    assert output.headers["content-disposition"] == "attachment; filename=\"p_ck.zip\"; filename*=UTF-8''p%C3%A4ck.zip"
    assert (await rest.send("DELETE", f"/jobs/{job.id}/archive")).json() == {}
    for method, path in (("GET", "archive"), ("DELETE", "archive"), ("GET", "nothing")):
        assert (await rest.send(method, f"/jobs/{job.id}/{path}")).status_code == 404
    assert (await rest.send("DELETE", f"/jobs/{job.id}")).json() == {}
    assert await rest.json("/jobs") == []


async def test_a_failure_says_why(rest: Rest) -> None:
    kind(rest).go.set()
    job = await rest.services.jobs.submit("Test", {"fail": True})
    failed = await reach(rest, job.id, "Failure")
    assert (failed["ErrorCode"], failed["ErrorDetails"]) == (9, "nobody is there")
    assert failed["ErrorDescription"] == "Error in the network protocol"


async def test_pause_resume_cancel_resubmit(rest: Rest) -> None:
    job = await rest.services.jobs.submit("Test", {})
    await reach(rest, job.id, "Running")
    rest.services.jobs._options = type(rest.services.jobs._options)(grace=0.01)
    assert (await rest.send("DELETE", f"/jobs/{job.id}")).status_code == 400
    for action, state in (("pause", "Paused"), ("pause", "Paused"), ("resume", "Running"), ("cancel", "Failure")):
        response = await rest.post(f"/jobs/{job.id}/{action}", "")
        assert (response.status_code, response.json()) == (200, {}), action
        shown = await reach(rest, job.id, state)
    assert (shown["ErrorCode"], shown["ErrorDetails"]) == (37, "the job was canceled")
    assert (await rest.post(f"/jobs/{job.id}/resume", "")).status_code == 400
    kind(rest).go.set()
    assert (await rest.post(f"/jobs/{job.id}/resubmit", "")).json() == {}
    await reach(rest, job.id, "Success")
    assert (await rest.post(f"/jobs/{job.id}/resubmit", "")).status_code == 400
    for action in ("pause", "cancel"):  # as Orthanc does
        assert (await rest.post(f"/jobs/{job.id}/{action}", "")).json() == {}


@pytest.mark.parametrize("job_id", ["nothing", "..", "%2e%2e", "a%2Fb", "%00", "x" * 5000])
async def test_unknown_jobs(rest: Rest, job_id: str) -> None:
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/archive"), ("DELETE", "/archive"), ("POST", "/pause")):
        response = await rest.send(method, f"/jobs/{job_id}{path}")
        assert response.status_code in (404, 405), path
        assert response.json()["HttpStatus"] == response.status_code
    assert (await rest.get("/jobs/nothing/cancel")).status_code == 405
