"""A whole store at work: its associations, jobs and routes run while a test stores and waits."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from conformance.patience import SOON
from dicomweb_server.bootstrap import OpenStore, open_store, start_dimse
from dicomweb_server.dicom.origin import Origin
from dicomweb_server.server.metrics import Metrics
from dicomweb_server.services.jobs import JobState
from dicomweb_server.settings import Settings


@asynccontextmanager
async def at_work(settings: Settings) -> AsyncIterator[OpenStore]:
    """The store of these settings."""
    async with open_store(settings) as store, start_dimse(settings, store, Metrics()), store.services.jobs.running():
        await store.routing.begin()
        task = asyncio.create_task(store.routing.run_forever(0.02))
        try:
            yield store
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def keep(store: OpenStore, files: Sequence[bytes]) -> None:
    """Store files, which must succeed."""
    ingest = store.services.ingest
    for data in files:
        staging = ingest.stage()
        await staging.write(data)
        assert (await ingest.ingest(await staging.finish(), Origin("test"))).is_success


async def reach(store: OpenStore, state: JobState, count: int) -> None:
    """Wait until so many jobs are in a state."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(6 * SOON):
            while (await store.services.jobs.counts())[state] < count:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            return
    raise AssertionError(await store.services.jobs.list())
