"""C-MOVE that is answered at once and done by a job: statuses, what the job shows and sends, restarts."""

import asyncio
from pathlib import Path
from typing import Any

from pydicom.uid import generate_uid
from pynetdicom import AE, build_context

from conformance.patience import SOON
from conformance.server import free_port
from dicomweb_server.dicom.query import View
from dicomweb_server.dimse.options import ApplicationEntity
from dicomweb_server.services.jobs import JobState
from tests.app.dimse_harness import AE_TITLE, CT, needs_dcmtk, open_node, tool
from tests.app.dimse_peers import STUDY_MOVE, counters, fill, identifier, move, receiver, sink, study

CT_CONTEXT = [build_context(CT)]


async def test_a_job_sends_what_was_asked_for(tmp_path: Path) -> None:
    port, got = free_port(), []

    def store(event: Any) -> int:
        request = event.request
        originator = request.MoveOriginatorApplicationEntityTitle, request.MoveOriginatorMessageID
        got.append((request.AffectedSOPInstanceUID, *originator, event.assoc.requestor.ae_title))
        return 0x0000

    async with open_node(tmp_path, modalities=sink(port), synchronous_move=False) as node:
        await node.services.modalities.put("sink", sink(port)["sink"])
        sent = await fill(node, *study(3))
        asked = identifier("STUDY", StudyInstanceUID=sent[0].StudyInstanceUID)
        ((status, found),) = await asyncio.to_thread(move, node.port, asked)
        assert (status.Status, found, counters(status)) == (0x0000, None, (None, 3, 0, 0))
        (job,) = await node.services.jobs.list()
        assert (job.type, job.state) == ("DicomModalityStore", JobState.PENDING)
        assert {"RemoteAet": "SINK", "OriginatorAet": "MOVER", "InstancesCount": 3}.items() <= job.content.items()
        with receiver(port, CT_CONTEXT, store):
            async with node.services.jobs.running(), asyncio.timeout(SOON):
                ended = await node.services.jobs.wait(job.id)
        assert (ended.state, ended.content["FailedInstancesCount"]) == (JobState.SUCCESS, 0)
        assert sorted(got) == sorted((one.SOPInstanceUID, "MOVER", 5, AE_TITLE) for one in sent)


async def test_what_is_wrong_is_told_at_once_and_makes_no_job(tmp_path: Path) -> None:
    async with open_node(tmp_path, modalities=sink(free_port()), synchronous_move=False) as node:
        (stored, _) = await fill(node, *study(2))
        asked = identifier("STUDY", StudyInstanceUID=stored.StudyInstanceUID)
        ((status, _),) = await asyncio.to_thread(move, node.port, asked, destination="NOBODY")
        assert status.Status == 0xA801
        ((status, _),) = await asyncio.to_thread(move, node.port, identifier("STUDY"))
        assert status.Status == 0xA900
        ((status, _),) = await asyncio.to_thread(move, node.port, identifier("STUDY", StudyInstanceUID=generate_uid()))
        assert (status.Status, counters(status)) == (0x0000, (None, 0, 0, 0))
        assert await node.services.jobs.list() == []


@needs_dcmtk
async def test_it_goes_on_after_a_restart_and_as_the_entity_that_was_called(tmp_path: Path) -> None:
    port, callers = free_port(), []
    out = tmp_path / "out"
    out.mkdir()
    entity = ApplicationEntity("WARD", view=View(("ward",)), labels=((1, "ward"),))
    options: dict[str, Any] = {"modalities": sink(port), "synchronous_move": False, "entities": (entity,)}
    files = study(4)

    def store(event: Any) -> int:
        callers.append(event.assoc.requestor.ae_title)
        return 0x0000

    async with open_node(tmp_path / "store", **options) as node:
        (stored, *_) = await fill(node, *files)

        def asked() -> tuple[int | None, ...]:
            association = AE("MOVER").associate("127.0.0.1", node.port, [build_context(STUDY_MOVE)], ae_title="WARD")
            wanted = identifier("STUDY", StudyInstanceUID=stored.StudyInstanceUID)
            ((status, _),) = association.send_c_move(wanted, "SINK", STUDY_MOVE)
            association.release()
            return counters(status)

        assert await asyncio.to_thread(asked) == (None, 0, 0, 0)  # it is not in the view of the ward
        folder = tmp_path / "files"
        folder.mkdir()
        (folder / "one.dcm").write_bytes(files[0])
        await tool("storescu", "-aec", "WARD", "127.0.0.1", node.port, folder / "one.dcm")
        assert await asyncio.to_thread(asked) == (None, 4, 0, 0)
    async with open_node(tmp_path / "store", **options) as node:
        await node.services.modalities.put("sink", sink(port)["sink"])
        (job,) = await node.services.jobs.list()
        with receiver(port, CT_CONTEXT, store):
            async with node.services.jobs.running(), asyncio.timeout(SOON):
                assert (await node.services.jobs.wait(job.id)).state is JobState.SUCCESS
    assert callers == ["WARD"] * 4
