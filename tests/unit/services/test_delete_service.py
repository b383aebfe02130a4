"""Deleting: rows at once, blobs after a while, never too early."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from conformance.patience import SOON
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.index import OnDuplicate, Scope
from dicomweb_server.services.delete import DeleteService
from dicomweb_server.storage.memory import EphemeralStore
from dicomweb_server.storage.store import Store
from tests.stored import place_new


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    opened = EphemeralStore()
    news = [await place_new(opened.blobs, f"{n % 2}", f"{n % 2}.1", f"1.{n}") for n in range(6)]
    await opened.index.add(news, OnDuplicate.KEEP)
    yield opened
    await opened.close()


async def blob_count(store: Store) -> int:
    found = store.blobs.keys()
    return len([key async for key in found])


async def test_rows_first_blobs_after_the_grace_time(store: Store) -> None:
    patient, hasty = DeleteService(store.blobs, store.index), DeleteService(store.blobs, store.index, grace=0)
    [batch] = [batch async for batch in store.index.instances(Scope("0"))]
    assert await patient.delete(Scope("0")) == 3
    assert await store.index.instance(Scope("0", "0.1", "1.0")) is None
    assert await patient.sweep() == 0
    assert await store.blobs.read(batch[0].key)
    assert await hasty.sweep() == 3
    assert await hasty.sweep() == 0
    assert await blob_count(store) == 3
    assert await store.index.garbage(10, 2**62) == []


@pytest.mark.parametrize("scope", [Scope("7"), Scope("0", "7"), Scope("0", "0.1", "7"), Scope("1", "0.1")])
async def test_what_is_not_there(store: Store, scope: Scope) -> None:
    with pytest.raises(ServerError) as caught:
        await DeleteService(store.blobs, store.index).delete(scope)
    assert caught.value.reason is Reason.NOT_FOUND
    assert await blob_count(store) == 6


async def test_the_sweep_goes_on_after_a_failure(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    service = DeleteService(store.blobs, store.index, grace=0)
    await service.delete(Scope("0"))
    remove, failures = store.blobs.remove, [ServerError(Reason.BUSY, "not now")]

    async def fail_once(keys: list[str]) -> None:
        if failures:
            raise failures.pop()
        await remove(keys)

    monkeypatch.setattr(store.blobs, "remove", fail_once)
    sweeping = asyncio.create_task(service.sweep_forever(0.01))
    async with asyncio.timeout(SOON):
        while await blob_count(store) != 3:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    sweeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sweeping
    assert await blob_count(store) == 3
