"""The job service: order, concurrency, pause, cancel, retry, restart, and what is left of a job."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from conformance.patience import SOON, until
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.services.jobs import (
    Job,
    JobOptions,
    JobOutput,
    JobRetry,
    JobService,
    JobState,
    RunningJob,
)
from dicomweb_server.storage.durability import SyncMode
from dicomweb_server.storage.memory import EphemeralStore
from dicomweb_server.storage.store import Store, StoreOptions

QUICK = JobOptions(grace=0.05)


class Kind:
    """A kind made of a function."""

    def __init__(self, run: Callable[[RunningJob], Awaitable[None]], type_: str = "Test") -> None:
        self._run = run
        self.type = type_

    async def run(self, job: RunningJob) -> None:
        await self._run(job)


class Counting:
    """Ten steps; `hold` lets it wait before a step, `done` has each step that was done."""

    type = "Test"

    def __init__(self) -> None:
        self.done: list[int] = []
        self.hold: dict[int, asyncio.Event] = {}
        self.reached = asyncio.Event()

    async def run(self, job: RunningJob) -> None:
        for step in range(job.cursor or 0, 10):
            if step in self.hold:
                self.reached.set()
                await self.hold[step].wait()
            self.done.append(step)
            await job.save(progress=(step + 1) / 10, cursor=step + 1, content={"Steps": step + 1})


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    opened = EphemeralStore()
    yield opened
    await opened.close()


@contextlib.asynccontextmanager
async def running(store: Store, *kinds: object, options: JobOptions = QUICK) -> AsyncIterator[JobService]:
    service = JobService(store.jobs, options)
    for kind in kinds:
        service.register(kind)  # type: ignore[arg-type]
    async with service.running():
        yield service


async def reach(service: JobService, job_id: str, state: JobState) -> Job:
    for _ in range(3000):
        job = await service.get(job_id)
        if job.state is state:
            return job
        await asyncio.sleep(0.01)
    raise AssertionError(f"{job.state}, not {state}")


async def test_a_job_runs_to_its_end(store: Store) -> None:
    kind = Counting()
    async with running(store, kind) as service:
        job = await service.run("Test", {"a": 1}, priority=3, user="jane")
        assert (job.state, job.progress, job.priority, job.user) == (JobState.SUCCESS, 1.0, 3, "jane")
        assert (job.content, job.cursor, job.parameters) == ({"Steps": 10}, 10, {"a": 1})
        assert job.completed is not None
        assert job.completed >= job.created
        assert job.runtime > 0
        assert await service.list() == [job]
        assert await service.ids() == [job.id]
        assert (await service.wait(job.id)).id == job.id
    assert kind.done == [*range(10)]


async def test_no_more_at_a_time_than_allowed_and_by_priority(store: Store) -> None:
    now, most, order, several = 0, 0, [], asyncio.Event()

    async def run(job: RunningJob) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        order.append(job.parameters["n"])
        if now == 2:
            several.set()
        await several.wait()
        await asyncio.sleep(0.02)  # a third one would come meanwhile
        now -= 1

    service = JobService(store.jobs, JobOptions(concurrent=2))
    service.register(Kind(run))
    ids = [(await service.submit("Test", {"n": n}, priority=n)).id for n in range(6)]
    async with service.running():
        await asyncio.gather(*(service.wait(job_id) for job_id in ids))
    assert most == 2
    assert sorted(order[:2]) == [4, 5]
    assert order[-1] in (0, 1)


async def test_failures_say_why_and_defects_do_not(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    async def fail(job: RunningJob) -> None:
        if job.parameters["defect"]:
            raise ValueError("secret")
        raise ServerError(Reason.PEER_FAILED, "the modality did not answer")

    async with running(store, Kind(fail)) as service:
        with pytest.raises(ServerError) as caught:
            await service.run("Test", {"defect": False})
        assert (caught.value.reason, caught.value.detail) == (Reason.PEER_FAILED, "the modality did not answer")
        assert not caplog.records
        job = await service.wait((await service.submit("Test", {"defect": True})).id)
        assert (job.state, job.reason, job.details) == (JobState.FAILURE, Reason.INTERNAL, "the server failed")
        assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 1


@pytest.mark.parametrize("prompt", [True, False])
async def test_pause_and_resume(store: Store, *, prompt: bool) -> None:
    kind = Counting()
    kind.hold[4] = asyncio.Event()
    async with running(store, kind, options=JobOptions(grace=SOON if prompt else 0.05)) as service:
        job = await service.submit("Test", {})
        await kind.reached.wait()
        assert (await service.get(job.id)).content == {"Steps": 4}
        if prompt:
            asyncio.get_running_loop().call_later(0.01, kind.hold[4].set)
        await service.pause(job.id)
        paused = await service.get(job.id)
        assert paused.state is JobState.PAUSED
        assert paused.cursor == (5 if prompt else 4)
        await service.pause(job.id)
        await asyncio.sleep(0.05)
        assert (await service.get(job.id)).state is JobState.PAUSED
        kind.hold[4].set()
        waiting = asyncio.create_task(service.wait(job.id))
        await service.resume(job.id)
        assert (await waiting).state is JobState.SUCCESS
        await service.pause(job.id)
        await service.cancel(job.id)
        for action in (service.resume, service.resubmit):
            with pytest.raises(ServerError, match="Success") as caught:
                await action(job.id)
            assert caught.value.reason is Reason.BAD_REQUEST
    assert kind.done == [*range(10)]


async def test_cancel_and_resubmit(store: Store) -> None:
    kind = Counting()
    kind.hold[4] = asyncio.Event()
    async with running(store, kind) as service:
        job = await service.submit("Test", {})
        waiting = asyncio.create_task(service.wait(job.id))
        await kind.reached.wait()
        await service.cancel(job.id)
        canceled = await waiting
        assert (canceled.state, canceled.reason) == (JobState.FAILURE, Reason.CANCELED)
        kind.hold.clear()
        await service.resubmit(job.id)
        assert (await service.wait(job.id)).state is JobState.SUCCESS
    assert kind.done == [*range(4), *range(10)]


async def test_cancel_what_waits(store: Store) -> None:
    service = JobService(store.jobs)
    service.register(Counting())
    job = await service.submit("Test", {})
    waiting = asyncio.create_task(service.wait(job.id))
    await asyncio.sleep(0.02)
    await service.pause(job.id)
    await service.cancel(job.id)
    assert (await waiting).reason is Reason.CANCELED
    await service.cancel(job.id)
    await service.pause(job.id)
    assert (await service.get(job.id)).state is JobState.FAILURE


async def test_a_retry_goes_on_from_the_cursor(store: Store) -> None:
    attempts = []

    async def run(job: RunningJob) -> None:
        attempts.append(job.cursor)
        await job.save(cursor=len(attempts))
        if len(attempts) < 3:
            raise JobRetry(0.05, Reason.PEER_FAILED, "not there")

    async with running(store, Kind(run)) as service:
        job = await service.run("Test", {})
    assert attempts == [None, 1, 2]
    assert job.attempts == 2
    assert (job.reason, job.details) == (None, "")


async def test_unknown_jobs(store: Store) -> None:
    async with running(store, Counting()) as service:
        for action in (service.get, service.pause, service.cancel, service.resume, service.resubmit, service.wait):
            with pytest.raises(ServerError) as caught:
                await action("nothing")
            assert caught.value.reason is Reason.NOT_FOUND
        with pytest.raises(ServerError):
            await service.delete("nothing")
        with pytest.raises(ServerError):
            await service.output("nothing", "archive")


async def test_stop_and_start_again(tmp_path: Path) -> None:
    options = StoreOptions(sync=SyncMode.OFF)
    store, kind = Store(tmp_path, options), Counting()
    kind.hold[6] = asyncio.Event()
    async with running(store, kind) as service:
        job = await service.submit("Test", {})
        waiting = asyncio.create_task(service.wait(job.id))
        await kind.reached.wait()
    with pytest.raises(ServerError) as caught:
        await waiting
    assert caught.value.reason is Reason.BUSY
    await store.close()
    store = Store(tmp_path, options)
    kind.hold.clear()
    async with running(store, kind) as service:
        assert (await service.wait(job.id)).state is JobState.SUCCESS
    assert kind.done == [*range(10)]
    async with running(store, kind, options=JobOptions(save=False)) as service:
        assert await service.list() == []
    await store.close()


async def test_who_waits_late_is_told_of_a_job_that_is_forgotten_already(store: Store) -> None:
    async with running(store, Counting(), options=JobOptions(history=0)) as service:
        job = await service.submit("Test", {})
        async with asyncio.timeout(SOON):
            while await service.ids():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert (await service.wait(job.id)).state is JobState.SUCCESS


@pytest.mark.parametrize("history", [0, 2])
async def test_history_is_limited(store: Store, history: int) -> None:
    async with running(store, Counting(), options=JobOptions(history=history)) as service:
        ids = [(await service.run("Test", {})).id for _ in range(5)]
        async with asyncio.timeout(SOON):
            while await service.ids() != ids[5 - history :]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_outputs(store: Store) -> None:
    class Giving(Counting):
        async def run(self, job: RunningJob) -> None:
            await job.save(outputs=("archive",))

        async def output(self, job: Job, key: str) -> JobOutput:
            async def pieces() -> AsyncIterator[bytes]:
                yield key.encode()

            return JobOutput("application/zip", "a.zip", pieces())

    async with running(store, Giving()) as service:
        job = await service.run("Test", {})
        output = await service.output(job.id, "archive")
        assert [piece async for piece in output.pieces] == [b"archive"]
        for wrong in ("other", ""):
            with pytest.raises(ServerError, match="no output"):
                await service.output(job.id, wrong)
        await service.delete_output(job.id, "archive")
        with pytest.raises(ServerError, match="no output"):
            await service.output(job.id, "archive")
        with pytest.raises(ServerError, match="no output"):
            await service.delete_output(job.id, "archive")
        await service.delete(job.id)
        assert await service.list() == []


async def test_running_jobs_are_not_deleted(store: Store) -> None:
    kind = Counting()
    kind.hold[1] = asyncio.Event()
    async with running(store, kind) as service:
        job = await service.submit("Test", {})
        await kind.reached.wait()
        with pytest.raises(ServerError, match="Running"):
            await service.delete(job.id)


async def test_a_claim_that_is_lost_ends_the_run(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicomweb_server.services.job_run._RENEWAL", 0.02)
    kind = Counting()
    kind.hold[1] = asyncio.Event()
    async with running(store, kind) as service:
        job = await service.submit("Test", {})
        await kind.reached.wait()
        await store.jobs.change(job.id, [JobState.RUNNING], state=JobState.PAUSED)
        await until(lambda: not service._runs)  # noticed when the claim was to be renewed
        kind.hold[1].set()
        await asyncio.sleep(0.05)
        assert kind.done == [0]
        assert (await service.get(job.id)).state is JobState.PAUSED


async def test_a_full_disk_is_survived(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicomweb_server.services.jobs._AFTER_FAILURE", 0.05)
    claim, failures = store.jobs.claim, [ServerError(Reason.OUT_OF_RESOURCES, "the disk is full")] * 2

    async def fail_twice(owner: str, types: list[str], lease: float) -> Job | None:
        if failures:
            raise failures.pop()
        return await claim(owner, types, lease)

    monkeypatch.setattr(store.jobs, "claim", fail_twice)
    async with running(store, Counting()) as service:
        assert (await service.run("Test", {})).state is JobState.SUCCESS


async def test_what_is_too_busy_is_tried_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicomweb_server.services.job_run._WHILE_BUSY", 0.01)
    attempts = []

    async def run(job: RunningJob) -> None:
        attempts.append(job.job.attempts)
        if not job.parameters["well"] or len(attempts) < 3:
            raise ServerError(Reason.BUSY, "not now")

    async with running(store, Kind(run)) as service:
        await service.run("Test", {"well": True})
        assert attempts == [0, 1, 2]
        with pytest.raises(ServerError, match="not now"):
            await service.run("Test", {"well": False})
        assert len(attempts) == 3 + 11
