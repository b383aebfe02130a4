"""The modality worklist: asked by pynetdicom and findscu, from the server's own steps and from files."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset
from pynetdicom import AE, build_context

from conformance.patience import until_listening
from conformance.server import free_port
from dicomweb_server.dimse.client import DimseClient
from dicomweb_server.dimse.contexts import MODALITY_WORKLIST
from dicomweb_server.dimse.fragmenting import command_pdus, message_pdus
from dicomweb_server.dimse.items import ProposedContext
from dicomweb_server.dimse.message import Command, CommandField, encode
from dicomweb_server.dimse.options import DimseOptions
from dicomweb_server.services.modalities import Manufacturer, Modality, PeerError, Service
from dicomweb_server.services.worklist import WorklistOptions
from tests.app.dimse_harness import AE_TITLE, EXPLICIT, Node, needs_dcmtk, open_node, tool
from tests.app.dimse_peers import IMPATIENT, fill
from tests.builders import make_instance
from tests.worklists import document, encoded, ending, item, keys, report

Found = list[Dataset]


def ask(port: int, asked: Dataset, *, calling: str = "SCANNER", called: str = AE_TITLE) -> tuple[int, Found]:
    """C-FIND by pynetdicom: the final status, the answers."""
    association = AE(calling).associate("127.0.0.1", port, [build_context(MODALITY_WORKLIST)], ae_title=called)
    assert association.is_established
    found: Found = []
    final = -1
    for status, answer in association.send_c_find(asked, MODALITY_WORKLIST, msg_id=9):
        final = status.Status
        if answer is not None:
            assert final == 0xFF00
            found.append(answer)
    association.release()
    return final, found


async def schedule(node: Node, *items: Dataset) -> list[str]:
    return [(await node.services.worklist.schedule(document(each))).step_id for each in items]


async def numbers(node: Node, **asked: Any) -> list[str]:
    """The accession numbers of the answers."""
    status, found = await asyncio.to_thread(ask, node.port, keys(**asked))
    assert status == 0x0000
    return [each.AccessionNumber for each in found]


async def test_what_is_scheduled_is_found_and_answered(tmp_path: Path) -> None:
    async with open_node(tmp_path) as node:
        scheduled = item(PatientName="Müller^Jörg", ScheduledProcedureStepDescription="Head")
        scheduled.SpecificCharacterSet = "ISO_IR 192"
        await schedule(node, scheduled, item(Modality="MR", AccessionNumber="A2"))
        asked = keys(PatientName="müller*", ScheduledProcedureStepDescription="")
        asked.RequestedProcedureDescription = ""
        asked.SpecificCharacterSet = "ISO_IR 100"
        status, answers = await asyncio.to_thread(ask, node.port, asked)
        assert status == 0x0000
        (found,) = answers
        assert (found.PatientName, found.SpecificCharacterSet) == ("Müller^Jörg", "ISO_IR 100")
        assert found.StudyInstanceUID == scheduled.StudyInstanceUID
        assert found.RequestedProcedureDescription == ""
        (step,) = found.ScheduledProcedureStepSequence
        assert step.ScheduledProcedureStepDescription == "Head"
        assert step.ScheduledProcedureStepStatus == "SCHEDULED"
        assert "ScheduledStationAETitle" not in step  # not asked for
        # An empty sequence asks for all of it.
        everything = Dataset()
        everything.AccessionNumber, everything.ScheduledProcedureStepSequence = "A2", []
        _, answers = await asyncio.to_thread(ask, node.port, everything)
        (found,) = answers
        (step,) = found.ScheduledProcedureStepSequence
        assert (step.Modality, step.ScheduledStationAETitle) == ("MR", "SCANNER")


async def test_matching(tmp_path: Path) -> None:
    async with open_node(tmp_path) as node:
        times = [("20240101", "0900"), ("20240102", "0800"), ("20240102", "1700"), ("20240103", "1200")]
        await schedule(
            node,
            *(
                item(AccessionNumber=f"A{n}", ScheduledProcedureStepStartDate=day, ScheduledProcedureStepStartTime=time)
                for n, (day, time) in enumerate(times)
            ),
            item(AccessionNumber="B", Modality="MR", ScheduledStationAETitle="OTHER", PatientID="P2"),
        )
        assert await numbers(node, ScheduledProcedureStepStartDate="20240102") == ["A1", "B", "A2"]
        assert await numbers(node, ScheduledProcedureStepStartDate="20240103-") == ["A3"]
        # One interval, not one for each day (PS3.4 §K.2.2.1.2).
        interval = {
            "ScheduledProcedureStepStartDate": "20240101-20240102",
            "ScheduledProcedureStepStartTime": "0900-0830",
        }
        assert await numbers(node, **interval) == ["A0", "A1"]
        assert await numbers(node, Modality="MR") == ["B"]
        assert await numbers(node, ScheduledStationAETitle="OTHER", Modality="CT") == []
        assert await numbers(node, PatientID="P?", AccessionNumber="A*") == ["A0", "A1", "A2", "A3"]


async def test_the_state_of_the_performed_step_is_that_of_the_scheduled_one(tmp_path: Path) -> None:
    async with open_node(tmp_path) as node:
        scheduled = item()
        (step_id,) = await schedule(node, scheduled)
        performed = node.services.performed
        await performed.begin("1.2.3", document(report(scheduled)))
        _, answers = await asyncio.to_thread(ask, node.port, keys())
        assert answers[0].ScheduledProcedureStepSequence[0].ScheduledProcedureStepStatus == "STARTED"
        assert await numbers(node, ScheduledProcedureStepStatus="SCHEDULED") == []
        await performed.change("1.2.3", document(ending()))
        assert await numbers(node) == []  # what is over is no work any more
        assert await numbers(node, ScheduledProcedureStepStatus="COMPLETED") == ["A1"]
        step = (await node.services.worklist.step(step_id)).document["00400100"]["Value"][0]
        assert step["00400020"]["Value"] == ["COMPLETED"]


async def test_own_station_and_limit(tmp_path: Path) -> None:
    options = WorklistOptions(own_station_only=True, limit=2)
    async with open_node(tmp_path, worklist_options=options) as node:
        await schedule(node, *(item(AccessionNumber=f"A{n}") for n in range(3)), item(ScheduledStationAETitle="OTHER"))
        status, found = await asyncio.to_thread(ask, node.port, keys())
        assert (status, len(found)) == (0xA700, 2)
        status, found = await asyncio.to_thread(ask, node.port, keys(), calling="OTHER")
        assert (status, len(found)) == (0x0000, 1)


async def test_cancelled(tmp_path: Path) -> None:
    async with open_node(tmp_path) as node:
        await schedule(node, item(), item())
        peer = await node.peer()
        await peer.associate(ProposedContext(1, MODALITY_WORKLIST, (EXPLICIT,)))
        find = Command(
            field=CommandField.C_FIND_RQ,
            has_dataset=True,
            affected_sop_class_uid=MODALITY_WORKLIST,
            message_id=7,
            priority=0,
        )
        cancel = Command(field=CommandField.C_CANCEL_RQ, message_id_responded_to=7)
        both = message_pdus(1, encode(find), encoded(keys()), 16378) + command_pdus(1, encode(cancel), 16378)
        await peer.send(both)
        assert (await peer.response()).status == 0xFE00
        await peer.release()


async def test_keys_that_cannot_be_matched(tmp_path: Path) -> None:
    async with open_node(tmp_path) as node:
        asked = keys()
        with disable_value_validation():
            asked.ScheduledProcedureStepSequence[0].ScheduledProcedureStepStartDate = "tomorrow"
        status, _ = await asyncio.to_thread(ask, node.port, asked)
        assert status == 0xA900


async def test_who_may_ask(tmp_path: Path) -> None:
    def accepted(port: int) -> bool:
        association = AE("SCANNER").associate("127.0.0.1", port, [build_context(MODALITY_WORKLIST)], ae_title=AE_TITLE)
        is_accepted = bool(association.accepted_contexts)
        association.release() if association.is_established else association.abort()
        return is_accepted

    for number, (allow, offered, expected) in enumerate(
        (({Service.WORKLIST}, True, True), ({Service.FIND, Service.ECHO}, True, False), (set(Service), False, False))
    ):
        async with open_node(tmp_path / str(number), unknown_allow=frozenset(allow), worklist=offered) as node:
            assert await asyncio.to_thread(accepted, node.port) is expected


def dump(folder: Path, name: str, accession: str, *, bare: bool = False) -> Path:
    """A worklist file made by dump2dcm, as for wlmscpfs."""
    text = (
        f"(0008,0050) SH [{accession}]\n(0010,0010) PN [Worklist^Wendy]\n(0010,0020) LO [WL1]\n"
        "(0020,000d) UI [1.2.276.0.7230010.3.2.101]\n(0032,1060) LO [EXAM]\n(0040,0100) SQ\n(fffe,e000) -\n"
        "(0008,0060) CS [MR]\n(0040,0001) AE [SCANNER]\n(0040,0002) DA [20300101]\n(0040,0003) TM [120000]\n"
        "(0040,0009) SH [SPS1]\n(fffe,e00d) -\n(fffe,e0dd) -\n(0040,1001) SH [RP1]\n"
    )
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / f"{name}.dump"
    source.write_text(text)
    subprocess.run(["dump2dcm", *(["-F", "+ti"] if bare else []), source, folder / f"{name}.wl"], check=True)
    return folder / f"{name}.wl"


@needs_dcmtk
async def test_files_as_wlmscpfs_has_them(tmp_path: Path) -> None:
    files = tmp_path / "worklists"
    await asyncio.to_thread(dump, files, "one", "W1")
    await asyncio.to_thread(dump, files, "bare", "W2", bare=True)
    await asyncio.to_thread(dump, files / "CTLIST", "ct", "W3")
    (files / "CTLIST" / "lockfile").touch()
    (files / "broken.wl").write_bytes(b"no worklist")
    async with open_node(tmp_path / "store", worklist_files=files) as node:
        assert await numbers(node) == ["W2", "W1"]
        _, found = await asyncio.to_thread(ask, node.port, keys(), called="CTLIST")
        assert sorted(each.AccessionNumber for each in found) == ["W1", "W2", "W3"]
        assert found[0].ScheduledProcedureStepSequence[0].ScheduledProcedureStepID == "SPS1"
        _, found = await asyncio.to_thread(ask, node.port, keys(), called="../worklists")
        assert len(found) == 2
        (files / "bare.wl").unlink()
        await asyncio.to_thread(dump, files, "one", "W1changed")
        await asyncio.to_thread(dump, files, "new", "W5")
        await schedule(node, item(AccessionNumber="OURS"))
        assert await numbers(node) == ["OURS", "W5", "W1changed"]
        # The state comes from what is performed, for these too.
        linked = item(StudyInstanceUID="1.2.276.0.7230010.3.2.101", ScheduledProcedureStepID="SPS1")
        await node.services.performed.begin("1.2.3", document(report(linked)))
        assert await numbers(node, ScheduledProcedureStepStatus="STARTED") == ["W5", "W1changed"]


@needs_dcmtk
async def test_findscu(tmp_path: Path) -> None:
    async with open_node(tmp_path / "store") as node:
        await schedule(node, item(), item(AccessionNumber="A2", Modality="MR"))
        answers = tmp_path / "answers"
        answers.mkdir()
        await tool(
            "findscu", "-W", "-X", "-od", answers, "-aec", AE_TITLE, "-k", "AccessionNumber", "-k", "PatientName",
            "-k", "ScheduledProcedureStepSequence[0].Modality=MR", "127.0.0.1", node.port,
        )  # fmt: skip
        (file,) = answers.iterdir()
        found = dcmread(file, force=True)
        assert (found.AccessionNumber, found.ScheduledProcedureStepSequence[0].Modality) == ("A2", "MR")


@asynccontextmanager
async def wlmscpfs(folder: Path, port: int) -> AsyncIterator[None]:
    """DCMTK's worklist server."""
    process = await asyncio.create_subprocess_exec("wlmscpfs", "-dfr", "-csk", "-dfp", str(folder), str(port))
    await until_listening(port)
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


@pytest.mark.skipif(shutil.which("wlmscpfs") is None, reason="DCMTK is not installed")
async def test_we_ask_wlmscpfs(tmp_path: Path) -> None:
    files = tmp_path / "worklists"
    await asyncio.to_thread(dump, files / "LIST", "one", "W1")
    (files / "LIST" / "lockfile").touch()
    port = free_port()
    async with open_node(tmp_path / "store") as node, wlmscpfs(files, port):
        client = DimseClient(node.services, DimseOptions(ae_title="US", timeouts=IMPATIENT))
        with disable_value_validation():
            asked = document(keys(Modality="MR", ScheduledProcedureStepStartDate="*"))
        with pytest.raises(PeerError, match="A900H"):  # it wants no "*" for a date
            _ = [each async for each in client.peer(Modality("LIST", "127.0.0.1", port)).worklist(asked)]
        manufacturer = Manufacturer.NO_WILDCARD_IN_DATES
        remote = client.peer(Modality("LIST", "127.0.0.1", port, manufacturer=manufacturer))
        (found,) = [each async for each in remote.worklist(asked)]
        assert found["00080050"]["Value"] == ["W1"]
        assert found["00400100"]["Value"][0]["00400009"]["Value"] == ["SPS1"]
        with pytest.raises(PeerError):
            _ = [each async for each in client.peer(Modality("NOLIST", "127.0.0.1", port)).worklist(asked)]


async def test_we_ask_ourselves(tmp_path: Path) -> None:
    async with open_node(tmp_path / "here") as here, open_node(tmp_path / "there") as there:
        await schedule(there, item(), item(AccessionNumber="A2"))
        client = DimseClient(here.services, DimseOptions(ae_title="US", timeouts=IMPATIENT))
        remote = client.peer(Modality(AE_TITLE, "127.0.0.1", there.port))
        found = [each async for each in remote.worklist(document(keys(AccessionNumber="A2")))]
        assert [each["00080050"]["Value"] for each in found] == [["A2"]]


async def test_a_step_goes_when_its_study_is_stored(tmp_path: Path) -> None:
    options = WorklistOptions(stable_after=0.0)
    async with open_node(tmp_path, worklist_options=options) as node:
        scheduled = item()
        await schedule(node, scheduled, item(AccessionNumber="A2"))
        await fill(node, make_instance(StudyInstanceUID=scheduled.StudyInstanceUID))
        await asyncio.sleep(0.01)
        assert await node.services.worklist.tidy() == 1
        assert await numbers(node) == ["A2"]
