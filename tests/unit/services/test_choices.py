"""Choices of large series: made once, until something below changes."""

from collections.abc import AsyncIterator, Sequence

import pytest

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.index import OnDuplicate, Scope, StoredInstance
from dicomweb_server.services.choices import Choices
from dicomweb_server.services.retrieve import RetrieveService
from dicomweb_server.storage.memory import EphemeralStore
from dicomweb_server.storage.store import Store
from dicomweb_server.storage.threads import Threads
from tests.stored import place_new

SERIES = Scope("1", "1.1")


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    opened = EphemeralStore()
    yield opened
    await opened.close()


class Chooser:
    """Takes the one in the middle, and counts how often."""

    def __init__(self, store: Store) -> None:
        self.times = 0
        threads = Threads(1, "worker")
        self.choices = Choices(RetrieveService(store.index, store.blobs, threads), self._middle)

    async def _middle(self, instances: Sequence[StoredInstance]) -> StoredInstance:
        self.times += 1
        return instances[len(instances) // 2]

    async def number(self, scope: Scope = SERIES) -> int:
        chosen = await self.choices.chosen(scope)
        return int(chosen.instance_uid.rpartition(".")[2])


async def add(store: Store, numbers: range) -> None:
    news = [await place_new(store.blobs, "1", "1.1", f"1.1.{number}") for number in numbers]
    await store.index.add(news, OnDuplicate.KEEP)


async def test_it_is_made_once_until_something_changes(store: Store) -> None:
    chooser = Chooser(store)
    await add(store, range(1, 21))
    assert [await chooser.number() for _ in range(5)] == [11] * 5
    assert chooser.times == 2
    assert await chooser.number(Scope("1")) == 11
    await add(store, range(21, 41))
    assert [await chooser.number() for _ in range(3)] == [21] * 3
    await store.index.delete(Scope("1", "1.1", "1.1.21"))
    assert [await chooser.number() for _ in range(3)] == [20] * 3
    await store.index.delete(Scope("1"))
    for scope in (SERIES, Scope("1"), Scope("2")):
        with pytest.raises(ServerError) as failure:
            await chooser.number(scope)
        assert failure.value.reason is Reason.NOT_FOUND


async def test_few_instances_are_read_each_time(store: Store) -> None:
    chooser = Chooser(store)
    await add(store, range(1, 4))
    assert [await chooser.number() for _ in range(4)] == [2] * 4
    assert chooser.times == 4
