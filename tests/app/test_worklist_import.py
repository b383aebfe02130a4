"""Scheduled steps of other servers are taken over, changed and removed as they are there."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from conformance.patience import SOON
from conformance.server import free_port
from dicomweb_server.dimse.options import Modality
from dicomweb_server.errors import ServerError
from dicomweb_server.services.modalities import PeerError
from dicomweb_server.services.worklist import WorklistOptions
from dicomweb_server.services.worklist_import import ImportOptions, WorklistImport
from tests.app.dimse_harness import AE_TITLE, Node, lines, needs_dcmtk, open_node
from tests.app.dimse_peers import IMPATIENT, fill
from tests.app.test_dimse_worklist import wlmscpfs
from tests.builders import make_instance
from tests.worklists import document, encoded, item

TODAY = f"{date.today():%Y%m%d}"


def due(**attributes: Any) -> Any:
    return item(**({"ScheduledProcedureStepStartDate": TODAY} | attributes))


def importing(node: Node, *sources: str, **options: Any) -> WorklistImport:
    services, store = node.services, node.store
    return WorklistImport(store.worklist, services.worklist, services.modalities, ImportOptions(sources, **options))


async def numbers(node: Node) -> list[str]:
    return [each.document["00080050"]["Value"][0] for each in await node.services.worklist.all()]


@asynccontextmanager
async def ris_and_us(folder: Path, **options: Any) -> AsyncIterator[tuple[Node, Node]]:
    async with open_node(folder / "ris") as ris, open_node(folder / "us", timeouts=IMPATIENT, **options) as us:
        await us.services.modalities.put("ris", Modality(AE_TITLE, "127.0.0.1", ris.port))
        yield ris, us


async def test_what_is_there_is_here(tmp_path: Path) -> None:
    async with ris_and_us(tmp_path) as (ris, us):
        await us.services.worklist.schedule(document(due(AccessionNumber="OURS")))
        later = f"{date.today() + timedelta(days=30):%Y%m%d}"
        first = await ris.services.worklist.schedule(document(due(AccessionNumber="A1", PatientName="Müller^Jörg")))
        second = await ris.services.worklist.schedule(document(due(AccessionNumber="A2")))
        await ris.services.worklist.schedule(document(due(AccessionNumber="A3", ScheduledProcedureStepStartDate=later)))
        work = importing(us, "ris")
        assert await work.take_over("ris") == {"new": 2, "changed": 0, "removed": 0}
        assert sorted(await numbers(us)) == ["A1", "A2", "OURS"]
        here = {each.document["00080050"]["Value"][0]: each for each in await us.services.worklist.all()}
        assert here["A1"].document["00100010"]["Value"] == [{"Alphabetic": "Müller^Jörg"}]
        assert here["A1"].document["00400100"]["Value"][0]["00400001"]["Value"] == ["SCANNER"]
        assert await work.take_over("ris") == {"new": 0, "changed": 0, "removed": 0}

        changed = {**first.document, "00100020": {"vr": "LO", "Value": ["P9"]}}
        await ris.services.worklist.reschedule(first.step_id, changed)
        await ris.services.worklist.remove(second.step_id)
        assert await work.take_over("ris") == {"new": 0, "changed": 1, "removed": 1}
        assert sorted(await numbers(us)) == ["A1", "OURS"]
        assert (await us.services.worklist.step(here["A1"].step_id)).document["00100020"]["Value"] == ["P9"]
        # What a client changes here is put right.
        await us.services.worklist.remove(here["A1"].step_id)
        assert await work.take_over("ris") == {"new": 1, "changed": 0, "removed": 0}


async def test_what_is_stored_already_is_not_offered(tmp_path: Path) -> None:
    async with ris_and_us(tmp_path, worklist_options=WorklistOptions(stable_after=0.0)) as (ris, us):
        scheduled = due()
        await ris.services.worklist.schedule(document(scheduled))
        await fill(us, make_instance(StudyInstanceUID=scheduled.StudyInstanceUID))
        await asyncio.sleep(0.01)
        await importing(us, "ris").take_over("ris")
        assert await numbers(us) == []


async def test_a_source_that_is_away_costs_nothing_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def said() -> Sequence[str]:
        return [record.getMessage() for record in caplog.records if record.name == "dicomweb_server.worklist"]

    caplog.set_level("INFO")
    async with ris_and_us(tmp_path) as (ris, us):
        await ris.services.worklist.schedule(document(due()))
        work = importing(us, "ris", "nobody", interval=0.05)
        running = asyncio.create_task(work.run_forever())
        async with asyncio.timeout(SOON):
            while not await numbers(us):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            await ris.server.stop()
            while "scheduled steps were not imported" not in said()[2:]:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.2)
        running.cancel()
        assert await numbers(us) == ["A1"]
        assert said().count("scheduled steps were not imported") == 2  # for each of the two
        assert "Doe" not in "".join(lines(caplog))
        with pytest.raises(PeerError):
            await work.take_over("ris")
        with pytest.raises(ServerError):
            await work.take_over("nobody")


async def test_steps_of_a_former_source_go(tmp_path: Path) -> None:
    async with ris_and_us(tmp_path) as (ris, us):
        await ris.services.worklist.schedule(document(due()))
        await us.services.worklist.schedule(document(due(AccessionNumber="OURS")))
        await importing(us, "ris").take_over("ris")
        await importing(us).run_forever()
        assert await numbers(us) == ["OURS"]


@needs_dcmtk
async def test_wlmscpfs_is_asked_as_it_wants(tmp_path: Path) -> None:
    folder, port = tmp_path / "lists" / "LIST", free_port()
    folder.mkdir(parents=True)
    (folder / "lockfile").touch()
    (folder / "one.wl").write_bytes(encoded(due(AccessionNumber="W1", PatientBirthDate="19700101", PatientSex="F")))
    async with open_node(tmp_path / "us", timeouts=IMPATIENT) as us, wlmscpfs(tmp_path / "lists", port):
        await us.services.modalities.put("list", Modality("LIST", "127.0.0.1", port))
        assert (await importing(us, "list").take_over("list"))["new"] == 1
        assert await numbers(us) == ["W1"]
