"""What every implementation of `ports.jobs.JobQueue` must do."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from dicomweb_server.errors import Reason
from dicomweb_server.ports.jobs import Job, JobState
from dicomweb_server.storage.durability import SyncMode
from dicomweb_server.storage.memory import EphemeralStore
from dicomweb_server.storage.store import Store, StoreOptions

OFF = StoreOptions(sync=SyncMode.OFF)


@pytest.fixture(params=["folder", "ephemeral"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    opened = EphemeralStore() if request.param == "ephemeral" else Store(tmp_path, OFF)
    yield opened
    await opened.close()


def make_job(name: str, type_: str = "Archive", **values: object) -> Job:
    return replace(Job(id=name, type=type_, created=1.0), **values)  # type: ignore[arg-type]


async def test_a_job_is_kept_as_it_is(store: Store) -> None:
    job = make_job(
        *("a", "Media"),
        priority=-3,
        user="jane",
        parameters={"Resources": ["x"], "ä": 1},
        content={"Description": "é"},
        cursor={"at": [1, None]},
        outputs=("archive",),
        progress=0.25,
        runtime=1.5,
        attempts=2,
        changed=3.5,
        reason=Reason.PEER_FAILED,
        details="no answer",
    )
    await store.jobs.put(job)
    assert await store.jobs.get("a") == job
    assert await store.jobs.list() == [job]
    assert await store.jobs.ids() == ["a"]
    assert await store.jobs.get("b") is None


async def test_claims_by_priority_then_by_age_and_type(store: Store) -> None:
    for name, priority in (("a", 0), ("b", 5), ("c", 5), ("d", -1)):
        await store.jobs.put(make_job(name, priority=priority))
    await store.jobs.put(make_job("e", "Other", priority=9))
    claimed = [await store.jobs.claim(f"me{n}", ["Archive", "Media"], 60) for n in range(5)]
    assert [job and job.id for job in claimed] == ["b", "c", "a", "d", None]
    assert claimed[0] is not None
    assert claimed[0].state is JobState.RUNNING
    assert await store.jobs.claim("me", [], 60) is None
    assert (await store.jobs.counts())[JobState.RUNNING] == 4


async def test_two_claim_one_job(store: Store) -> None:
    await store.jobs.put(make_job("a"))
    claims = await asyncio.gather(*(store.jobs.claim(name, ["Archive"], 60) for name in "xyz"))
    assert len([job for job in claims if job is not None]) == 1


async def test_who_lost_the_claim_writes_nothing(store: Store) -> None:
    await store.jobs.put(make_job("a"))
    job = await store.jobs.claim("first", ["Archive"], 0.01)
    assert job is not None
    await asyncio.sleep(0.03)
    again = await store.jobs.claim("second", ["Archive"], 60)
    assert again is not None
    assert not await store.jobs.save(replace(job, progress=0.5), "first", 60)
    assert not await store.jobs.finish(replace(job, state=JobState.SUCCESS, completed=5.0), "first")
    assert await store.jobs.save(replace(again, progress=0.75, cursor=[3]), "second", 60)
    assert await store.jobs.finish(replace(again, state=JobState.SUCCESS, progress=1.0, completed=5.0), "second")
    found = await store.jobs.get("a")
    assert found is not None
    assert (found.state, found.progress, found.completed) == (JobState.SUCCESS, 1.0, 5.0)
    assert await store.jobs.claim("third", ["Archive"], 60) is None


async def test_a_retry_waits_for_its_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await store.jobs.next_due() is None
    await store.jobs.put(make_job("a"))
    job = await store.jobs.claim("me", ["Archive"], 60)
    assert job is not None
    soon = time.time() + 1000
    await store.jobs.finish(replace(job, state=JobState.RETRY, not_before=soon, attempts=1), "me")
    assert await store.jobs.next_due() == soon
    assert await store.jobs.claim("me", ["Archive"], 60) is None
    monkeypatch.setattr(time, "time", lambda: soon)
    again = await store.jobs.claim("me", ["Archive"], 60)
    assert again is not None
    assert (again.attempts, again.not_before) == (1, None)


async def test_changes_depend_on_the_state(store: Store) -> None:
    await store.jobs.put(make_job("a"))
    assert not await store.jobs.change("a", [JobState.PAUSED], state=JobState.PENDING)
    assert not await store.jobs.change("b", [JobState.PENDING], state=JobState.PAUSED)
    assert await store.jobs.change("a", [JobState.PENDING, JobState.RETRY], state=JobState.PAUSED, cursor=[1])
    assert await store.jobs.claim("me", ["Archive"], 60) is None
    found = await store.jobs.get("a")
    assert found is not None
    assert (found.state, found.cursor) == (JobState.PAUSED, [1])


async def test_what_ended_is_deleted_or_trimmed_oldest_first(store: Store) -> None:
    for n in range(4):
        await store.jobs.put(make_job(f"{n}", state=JobState.SUCCESS, completed=10.0 - n))
    await store.jobs.put(make_job("waiting"))
    assert not await store.jobs.delete("waiting")
    assert not await store.jobs.delete("unknown")
    assert await store.jobs.delete("0")
    await store.jobs.trim(2)
    assert await store.jobs.ids() == ["1", "2", "waiting"]
    await store.jobs.trim(0)
    assert await store.jobs.ids() == ["waiting"]
    await store.jobs.clear()
    assert await store.jobs.ids() == []


async def test_jobs_outlive_a_restart(tmp_path: Path) -> None:
    store = Store(tmp_path, OFF)
    await store.jobs.put(make_job("a"))
    job = await store.jobs.claim("me", ["Archive"], 60)
    assert job is not None
    await store.jobs.save(replace(job, progress=0.5, cursor={"done": 7}), "me", 60)
    await store.close()
    store = Store(tmp_path, OFF)
    assert await store.jobs.release() == 1
    found = await store.jobs.claim("other", ["Archive"], 60)
    assert found is not None
    assert (found.progress, found.cursor) == (0.5, {"done": 7})
    await store.close()
