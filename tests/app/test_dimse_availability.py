"""Instance Availability Notification as SCP: what nodes tell that they have is fetched, where that is wanted."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, build_context

from conformance.server import free_port
from dicomweb_server.dicom.availability import INSTANCE_AVAILABILITY
from dicomweb_server.dimse.contexts import Service
from dicomweb_server.dimse.options import Modality as Node
from dicomweb_server.services.jobs import JobState
from dicomweb_server.settings import Settings
from dicomweb_server.settings.modalities import Modality
from tests.app.dimse_harness import AE_TITLE, open_node
from tests.app.dimse_harness import Node as Opened
from tests.app.dimse_peers import fill, study
from tests.app.working_store import at_work, keep, reach


def notice(instances: list[Dataset], availability: str = "ONLINE", ae_title: str = "PACS") -> Dataset:
    told, series = Dataset(), Dataset()
    told.StudyInstanceUID, told.ReferencedPerformedProcedureStepSequence = instances[0].StudyInstanceUID, []
    series.SeriesInstanceUID, series.ReferencedSOPSequence = instances[0].SeriesInstanceUID, []
    for instance in instances:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = instance.SOPClassUID, instance.SOPInstanceUID
        item.InstanceAvailability, item.RetrieveAETitle = availability, ae_title
        series.ReferencedSOPSequence.append(item)
    told.ReferencedSeriesSequence = [series]
    return told


def tell(port: int, told: Dataset, calling: str = "PACS", called: str = AE_TITLE, uid: Any = None) -> tuple[int, Any]:
    """The status and the UID of the answer."""
    association = AE(calling).associate("127.0.0.1", port, [build_context(INSTANCE_AVAILABILITY)], ae_title=called)
    assert association.is_established
    uid = generate_uid() if uid is None else uid
    status, _ = association.send_n_create(told, INSTANCE_AVAILABILITY, uid)
    association.release()
    return status.Status, status.get("ErrorComment", "")


@pytest.mark.parametrize("method", ["move", "get"])
async def test_what_is_told_is_fetched_once(tmp_path: Path, method: str) -> None:
    port, ours = free_port(), free_port()
    settings = Settings(
        data=tmp_path / "us",
        sync="off",
        ae_title="US",
        dimse_port=ours,
        modalities={"pacs": Modality("PACS", "127.0.0.1", port), "ris": Modality("RIS", "127.0.0.1", port)},
        fetch_available=("ris",),
        retrieve_method=method,
    )
    us = {"us": Node("US", "127.0.0.1", ours)}
    async with (
        open_node(tmp_path / "pacs", ae_title="PACS", port=port, modalities=us) as pacs,
        at_work(settings) as store,
    ):
        files = study(3)
        stored = await fill(pacs, *files)
        await keep(store, files[:1])
        # The RIS tells what the archive has.
        assert (await asyncio.to_thread(tell, ours, notice(stored), "RIS", "US"))[0] == 0x0000
        await reach(store, JobState.SUCCESS, 1)
        (job,) = await store.services.jobs.list()
        assert (job.content["RemoteAet"], job.content["InstancesCount"]) == ("PACS", 3)
        counts = await store.services.search.counts()
        assert counts["instances"] == 3
        # Nothing is missing now; what is offline cannot be had; the archive is none of those that are followed.
        (other,) = await fill(pacs, *study(1))
        for told, calling in ((notice(stored), "RIS"), (notice([other], "OFFLINE"), "RIS"), (notice([other]), "PACS")):
            assert (await asyncio.to_thread(tell, ours, told, calling, "US"))[0] == 0x0000
        assert len(await store.services.jobs.list()) == 1
        # Where nobody is known by the AE title to retrieve from, the one who tells is asked.
        assert (await asyncio.to_thread(tell, ours, notice([other], ae_title="X"), "RIS", "US"))[0] == 0x0000
        assert (await store.services.jobs.list())[-1].parameters["Modality"] == "ris"


def wrong() -> Iterator[tuple[str, Dataset]]:
    whole = Dataset()
    whole.SOPClassUID, whole.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "1.2.3"
    whole.StudyInstanceUID, whole.SeriesInstanceUID = "1.2", "1.2.1"
    for name in ("StudyInstanceUID", "ReferencedSeriesSequence"):
        told = notice([whole])
        delattr(told, name)
        yield name, told
    told = notice([whole])
    told.ReferencedSeriesSequence[0].SeriesInstanceUID = ""
    yield "series", told
    told = notice([whole])
    del told.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    yield "instance", told
    told = notice([whole])
    told.ReferencedSeriesSequence[0].ReferencedSOPSequence = []
    yield "none", told


@pytest.mark.parametrize("told", [pytest.param(told, id=name) for name, told in wrong()])
async def test_notices_that_lack_something(tmp_path: Path, told: Dataset) -> None:
    async with open_node(tmp_path) as node:
        status, said = await asyncio.to_thread(tell, node.port, told)
        assert status == 0x0120
        assert said


async def test_who_may_tell(tmp_path: Path) -> None:
    def accepted(node: Opened) -> bool:
        context = build_context(INSTANCE_AVAILABILITY)
        association = AE("PACS").associate("127.0.0.1", node.port, [context], ae_title=AE_TITLE)
        found = bool(association.accepted_contexts)
        association.abort()
        return found

    for allow in (frozenset(Service), frozenset(Service) - {Service.AVAILABILITY}):
        async with open_node(tmp_path, unknown_allow=allow) as node:
            assert await asyncio.to_thread(accepted, node) is (Service.AVAILABILITY in allow)
