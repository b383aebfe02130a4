"""Routing to a node that is away, over a restart: everything arrives, once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import build_context

from conformance.server import free_port
from dicomweb_server.bootstrap import OpenStore, open_store, start_dimse
from dicomweb_server.dicom.origin import Origin
from dicomweb_server.server.metrics import Metrics
from dicomweb_server.services import routing, sending
from dicomweb_server.services.jobs import JobState
from dicomweb_server.settings import Settings
from dicomweb_server.settings.modalities import Modality
from dicomweb_server.settings.routes import Routes
from tests.app.dimse_peers import receiver, study


@asynccontextmanager
async def running(folder: Path, port: int) -> AsyncIterator[OpenStore]:
    settings = Settings(
        data=folder,
        sync="off",
        dimse=False,
        modalities={"pacs": Modality("PACS", "127.0.0.1", port, timeout=2.0)},
        routes=Routes().read("all=modality:pacs"),
    )
    async with open_store(settings) as store, start_dimse(settings, store, Metrics()), store.services.jobs.running():
        task = asyncio.create_task(store.routing.run_forever(0.02))
        try:
            yield store
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def keep(store: OpenStore, files: list[bytes]) -> None:
    ingest = store.services.ingest
    for data in files:
        staging = ingest.stage()
        await staging.write(data)
        assert (await ingest.ingest(await staging.finish(), Origin("test"))).is_success


async def reach(store: OpenStore, state: JobState, count: int) -> None:
    for _ in range(500):
        if (await store.services.jobs.counts())[state] >= count:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(await store.services.jobs.list())


async def test_a_node_that_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "_FIRST_WAIT", 0.1)
    monkeypatch.setattr(routing, "_LINGER", 0.05)
    port, arrived = free_port(), []

    def answer(event: Any) -> int:
        arrived.append(str(event.dataset.SOPInstanceUID))
        return 0

    async with running(tmp_path, port) as store:
        await store.routing.begin()
        for _ in range(3):
            await keep(store, study(2))
        await reach(store, JobState.RETRY, 1)
    async with running(tmp_path, port) as store:
        await asyncio.sleep(0.1)
        with receiver(
            port, [build_context(CTImageStorage, ExplicitVRLittleEndian), build_context("1.2.840.10008.1.1")], answer
        ):
            jobs = await store.services.jobs.list()
            await reach(store, JobState.SUCCESS, len(jobs))
        assert sum(job.parameters["InstancesCount"] for job in jobs) == 6
    assert len(arrived) == len(set(arrived)) == 6
