"""Jobs that send: where they go on, when they try again, what they count. Over real jobs and a real store."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from conformance.patience import SOON
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.index import OnDuplicate, Scope, StoredInstance
from dicomweb_server.ports.jobs import Job, JobState
from dicomweb_server.ports.peers import PeerAwayError, PeerError
from dicomweb_server.ports.remotes import Sent
from dicomweb_server.services.exports import ExportService
from dicomweb_server.services.jobs import JobRetry, JobService, RunningJob
from dicomweb_server.services.retrieve import RetrieveService
from dicomweb_server.services.sending import Means, Sending, SendLimits, later_or_failed, written_scopes
from dicomweb_server.storage.memory import EphemeralStore
from dicomweb_server.storage.store import Store
from dicomweb_server.storage.threads import Threads
from tests.stored import place_new


class Destination:
    """A kind of job whose destination does as it is told."""

    type = "Send"

    def __init__(self, retrieve: RetrieveService, exports: ExportService, limits: SendLimits) -> None:
        self.exports = exports
        self.retrieve = retrieve
        self.limits = limits
        self.batches: list[list[str]] = []
        self.errors: list[Exception | None] = []
        self.pause: asyncio.Event | None = None
        self.sent = asyncio.Event()

    async def run(self, job: RunningJob) -> None:
        means = Means(self.retrieve, self.exports, self.limits)
        await Sending(job, "sink", means).run(self.store, lambda progress: {"Failed": progress.failed})

    async def store(self, instances: Sequence[StoredInstance]) -> Sent:
        if self.pause is not None and self.batches:
            await self.pause.wait()
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error
        self.batches.append([one.instance_uid for one in instances])
        self.sent.set()
        return Sent(len(instances), {}, 1)


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    opened = EphemeralStore()
    for number in range(5):
        new = await place_new(opened.blobs, "1", "1.1", f"1.1.{number}")
        await opened.index.add([new], OnDuplicate.KEEP)
    yield opened
    await opened.close()


def destination(store: Store, **limits: Any) -> tuple[Destination, JobService]:
    jobs = JobService(store.jobs)
    retrieve = RetrieveService(store.index, store.blobs, Threads(1, "test"))
    kind = Destination(retrieve, ExportService(store.exports), SendLimits(**limits))
    jobs.register(kind)
    return kind, jobs


def wanted(*scopes: Scope, **more: Any) -> dict[str, Any]:
    scopes = scopes or (Scope("1"),)
    return {"Scopes": written_scopes(scopes), "InstancesCount": 5, "Permissive": False, "Asynchronous": True} | more


async def reach(jobs: JobService, job_id: str, state: JobState) -> None:
    for _ in range(3000):
        if (await jobs.get(job_id)).state is state:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"the job is not {state}")


def uids(*numbers: int) -> list[str]:
    return [f"1.1.{number}" for number in numbers]


async def test_batches_are_bounded_by_number_and_size(store: Store) -> None:
    for limits, batches in (
        ({"instances": 2}, [uids(0, 1), uids(2, 3), uids(4)]),
        ({"size": 10}, [uids(0, 1), uids(2, 3), uids(4)]),
        ({"size": 1}, [uids(n) for n in range(5)]),
    ):
        kind, jobs = destination(store, **limits)
        async with jobs.running():
            await jobs.run("Send", wanted())
        assert kind.batches == batches


async def test_a_restart_goes_on_after_what_was_sent(store: Store) -> None:
    kind, jobs = destination(store, instances=2)
    kind.pause = asyncio.Event()
    async with jobs.running():
        job = await jobs.submit("Send", wanted())
        await kind.sent.wait()
        async with asyncio.timeout(SOON):
            while (await jobs.get(job.id)).cursor is None:  # noqa: ASYNC110 - it is written within a tenth of a second
                await asyncio.sleep(0.01)
    assert kind.batches == [uids(0, 1)]
    again, jobs = destination(store, instances=2)
    async with jobs.running():
        ended = await jobs.wait(job.id)
    assert (ended.state, ended.progress) == (JobState.SUCCESS, 1.0)
    assert again.batches == [uids(2, 3), uids(4)]


async def test_what_comes_and_goes_meanwhile_changes_nothing_of_the_rest(store: Store) -> None:
    kind, jobs = destination(store, instances=2)
    kind.errors = [None, PeerAwayError("away")]
    async with jobs.running():
        job = await jobs.submit("Send", wanted())
        await reach(jobs, job.id, JobState.RETRY)
        await store.index.delete(Scope("1", "1.1", "1.1.0"))
        await store.index.delete(Scope("1", "1.1", "1.1.3"))
        new = await place_new(store.blobs, "1", "1.1", "1.1.00")
        await store.index.add([new], OnDuplicate.KEEP)
        await jobs.pause(job.id)
        await jobs.resume(job.id)
        await jobs.wait(job.id)
    assert kind.batches == [uids(0, 1), uids(2, 4)]


async def test_they_go_by_series_and_instance_number_also_after_a_restart(store: Store) -> None:
    await store.index.delete(Scope("1"))
    numbers = {"1": ("10", "2", "1"), "2": ("3", None)}
    for series, instances in numbers.items():
        for number in instances:
            # UIDs the other way round; what has no number comes first.
            uid = f"1.{9 - int(series)}.{99 - int(number or 0)}"
            new = await place_new(store.blobs, "1", uid[:3], uid, series_number=series, instance_number=number)
            await store.index.add([new], OnDuplicate.KEEP)
    order = ["1.8.98", "1.8.97", "1.8.89", "1.7.99", "1.7.96"]
    kind, jobs = destination(store, instances=2)
    kind.errors = [None, PeerAwayError("away")]
    async with jobs.running():
        job = await jobs.submit("Send", wanted())
        await reach(jobs, job.id, JobState.RETRY)
        await jobs.pause(job.id)
        await jobs.resume(job.id)
        await jobs.wait(job.id)
    assert kind.batches == [order[:2], order[2:4], order[4:]]


async def test_where_the_last_one_is_gone_its_resource_is_sent_again(store: Store) -> None:
    kind, jobs = destination(store, instances=2)
    kind.errors = [None, PeerAwayError("away")]
    async with jobs.running():
        job = await jobs.submit("Send", wanted())
        await reach(jobs, job.id, JobState.RETRY)
        await store.index.delete(Scope("1", "1.1", "1.1.1"))
        await jobs.pause(job.id)
        await jobs.resume(job.id)
        await jobs.wait(job.id)
    assert kind.batches == [uids(0, 1), uids(0, 2), uids(3, 4)]


async def test_what_is_deleted_altogether_is_nothing_to_send(store: Store) -> None:
    kind, jobs = destination(store)
    async with jobs.running():
        await jobs.run("Send", wanted(Scope("9"), Scope("1", "1.1", "1.1.4"), Scope("1", "1.1", "1.1.4")))
    assert kind.batches == [uids(4)]


async def test_all_is_tried_one_by_one_where_one_may_be_the_reason(store: Store) -> None:
    kind, jobs = destination(store)
    kind.errors = [PeerError("bad", 400), None, PeerError("bad", 400)]
    async with jobs.running():
        job = await jobs.run("Send", wanted(Permissive=True))
    assert kind.batches == [uids(0), uids(2), uids(3), uids(4)]
    assert job.content == {"Failed": 1}


async def test_what_cannot_be_read_here_costs_itself_and_what_is_gone_nothing(store: Store) -> None:
    kind, jobs = destination(store)
    damaged = ServerError(Reason.STORAGE_DAMAGED, "stored bytes are missing")
    kind.errors = [damaged, None, damaged, damaged]
    taken = kind.store

    async def store_and_delete(instances: Sequence[StoredInstance]) -> Sent:
        if [one.instance_uid for one in instances] == uids(2):
            await store.index.delete(Scope("1", "1.1", "1.1.2"))
        return await taken(instances)

    kind.store = store_and_delete  # type: ignore[method-assign]
    async with jobs.running():
        job = await jobs.run("Send", wanted(Permissive=True))
    assert kind.batches == [uids(0), uids(3), uids(4)]
    assert job.cursor["failures"] == {"1.1.1": "stored bytes are missing"}


async def test_a_refusal_of_the_request_itself_is_final(store: Store) -> None:
    kind, jobs = destination(store)
    kind.errors = [PeerError("who are you", 401)]
    async with jobs.running():
        with pytest.raises(ServerError, match="who are you") as error:
            await jobs.run("Send", wanted(Permissive=True))
    assert error.value.reason is Reason.PEER_FAILED


def test_the_waits_grow_for_a_day_and_then_it_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    away, waits = PeerAwayError("away"), [0.0]
    monkeypatch.setattr(time, "time", lambda: 1_000_000 + sum(waits))
    job = Job(id="1", type="Send", created=1_000_000, parameters={"Asynchronous": True})
    while isinstance(outcome := later_or_failed(_Running(job), 86_400, away), JobRetry):
        waits.append(outcome.delay)
        job = replace(job, attempts=job.attempts + 1)
    assert waits[:10] == [0, 15, 30, 60, 120, 240, 480, 960, 1800, 1800]
    assert 86_400 <= sum(waits) <= 86_402
    assert isinstance(outcome, ServerError)
    assert (outcome.reason, outcome.detail) == (Reason.PEER_FAILED, "away")


def test_who_waits_is_told_at_once() -> None:
    job = Job(id="1", type="Send", created=time.time(), parameters={"Asynchronous": False})
    assert isinstance(later_or_failed(_Running(job), 86_400, PeerAwayError("away")), ServerError)


class _Running(RunningJob):
    """A job that runs nowhere."""

    def __init__(self, job: Job) -> None:
        self.job = job


async def test_the_failures_that_are_told_are_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicomweb_server.services.sending._MOST_FAILED_TOLD", 2)
    kind, jobs = destination(store)

    async def refuse(instances: Sequence[StoredInstance]) -> Sent:
        return Sent(0, {one.instance_uid: "no" for one in instances})

    monkeypatch.setattr(kind, "store", refuse)
    async with jobs.running():
        job = await jobs.run("Send", wanted(Permissive=True))
    assert job.cursor["failed"] == 5
    assert job.cursor["failures"] == {"1.1.0": "no", "1.1.1": "no"}
