"""Routing to a node that is away, over a restart: everything arrives, once."""

from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import build_context

from conformance.patience import until
from conformance.server import free_port
from dicomweb_server.services import routing, sending
from dicomweb_server.services.jobs import JobState
from dicomweb_server.settings import Settings
from dicomweb_server.settings.modalities import Modality
from dicomweb_server.settings.routes import Routes
from tests.app.dimse_peers import receiver, study
from tests.app.working_store import at_work, keep, reach


def settings(folder: Path, port: int) -> Settings:
    return Settings(
        data=folder,
        sync="off",
        dimse=False,
        modalities={"pacs": Modality("PACS", "127.0.0.1", port, timeout=15.0)},
        routes=Routes().read("all=modality:pacs"),
    )


async def test_a_node_that_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "_FIRST_WAIT", 0.1)
    monkeypatch.setattr(routing, "_LINGER", 0.05)
    port, arrived = free_port(), []

    def answer(event: Any) -> int:
        arrived.append(str(event.dataset.SOPInstanceUID))
        return 0

    async with at_work(settings(tmp_path, port)) as store:
        for _ in range(3):
            await keep(store, study(2))
        await reach(store, JobState.RETRY, 1)
    async with at_work(settings(tmp_path, port)) as store:
        with receiver(
            port, [build_context(CTImageStorage, ExplicitVRLittleEndian), build_context("1.2.840.10008.1.1")], answer
        ):
            await until(lambda: len(arrived) >= 6)
            jobs = await store.services.jobs.list()
            await reach(store, JobState.SUCCESS, len(jobs))
        assert sum(job.parameters["InstancesCount"] for job in jobs) == 6
    assert len(arrived) == len(set(arrived)) == 6
