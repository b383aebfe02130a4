"""Upkeep of the index: planted faults are told and put right."""

from collections.abc import AsyncIterator

import pytest

from dicomweb_server.ports.index import OnDuplicate, Scope
from dicomweb_server.storage.memory import EphemeralStore
from dicomweb_server.storage.store import Store
from tests.stored import SR, make_new


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    opened = EphemeralStore()
    news = [make_new(f"k{n}", f"{n % 3}", f"{n % 3}.{n % 2}", f"1.{n}", patient_id=f"P{n % 3}") for n in range(12)]
    await opened.index.add(news, OnDuplicate.KEEP)
    yield opened
    await opened.close()


FAULTS = [
    ("UPDATE series SET instance_count = 7 WHERE id = 1", "1 series whose counters"),
    ("UPDATE series SET size = 7 WHERE id IN (1, 2)", "2 series whose counters"),
    ("UPDATE study SET instance_count = instance_count + 1", "3 studies whose counters"),
    ("UPDATE study SET series_count = 0 WHERE id = 2", "1 studies whose counters"),
    ("UPDATE study SET modalities = '\\MR\\' WHERE id = 2", "1 studies whose modalities"),
    (f"UPDATE study SET sop_classes = '\\{SR}\\'", "3 studies whose modalities"),
    ("DELETE FROM instance WHERE id = 1", "1 series whose counters"),
    ("DELETE FROM instance WHERE series = 1", "1 series without instances"),
    ("DELETE FROM series WHERE id = 1", "instances without their series"),
    ("DELETE FROM study WHERE id = 1", "series without their study"),
    ("DELETE FROM patient WHERE id = 1", "1 studies without their patient"),
    ("DELETE FROM template WHERE id = 1", "2 instances without their template"),
    ("INSERT INTO patient (identity, orthanc_id) VALUES ('nobody', 0)", "1 patients without studies"),
]


@pytest.mark.parametrize(("fault", "told"), FAULTS)
async def test_faults_are_told_and_put_right(store: Store, fault: str, told: str) -> None:
    assert await store.index.recount() == []
    store._database.writing.execute(fault)
    problems = await store.index.recount()
    assert any(told in problem for problem in problems), problems
    await store.index.repair_counts()
    assert await store.index.recount() == []
    more = [make_new("x", "0", "0.0", "1.99"), make_new("y", "1", "1.0", "1.98")]
    await store.index.add(more, OnDuplicate.KEEP)
    await store.index.delete(Scope("2"))
    assert await store.index.recount() == []


async def test_a_gap_in_the_change_log_is_told(store: Store) -> None:
    store._database.writing.execute("DELETE FROM change WHERE sequence IN (3, 4)")
    assert await store.index.recount() == ["2 numbers missing in the change log"]
