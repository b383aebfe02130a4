"""Several application entities in one server: ports, titles, views by label, what is stored through them."""

import asyncio
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, build_context, build_role, evt

from conformance.server import free_port
from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.orthanc_id import orthanc_id
from dicomweb_server.dicom.query import LabelsConstraint, View
from dicomweb_server.dimse.contexts import MODALITY_WORKLIST, Service
from dicomweb_server.dimse.options import ApplicationEntity
from tests.app.dimse_harness import (
    AE_TITLE,
    CT,
    STUDY_FIND,
    VERIFICATION,
    Node,
    needs_dcmtk,
    open_node,
    tool,
    write_files,
)
from tests.app.dimse_peers import STUDY_MOVE, counters, fill, identifier, receiver, sink, study

PATIENT_FIND, PATIENT_MOVE = "1.2.840.10008.5.1.4.1.2.1.1", "1.2.840.10008.5.1.4.1.2.1.2"
STUDY_GET = "1.2.840.10008.5.1.4.1.2.2.3"


def tenant(name: str, *labels: str, constraint: LabelsConstraint = LabelsConstraint.ALL, **more: Any) -> Any:
    labels = labels or (name.lower(),)
    return ApplicationEntity(
        name, view=View(labels, constraint), labels=tuple((int(Level.STUDY), label) for label in labels), **more
    )


def associated(port: int, title: str, *contexts: Any, calling: str = "CALLER", **more: Any) -> Any:
    return AE(calling).associate("127.0.0.1", port, list(contexts), ae_title=title, **more)


def found(port: int, title: str, asked: Dataset, model: str = STUDY_FIND) -> list[Dataset]:
    association = associated(port, title, build_context(model))
    assert association.is_established
    answers = [answer for _, answer in association.send_c_find(asked, model) if answer is not None]
    association.release()
    return answers


async def uids(port: int, title: str, level: str = "STUDY", **keys: Any) -> set[str]:
    keyword = {"STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}[level]
    asked = identifier(level, **({keyword: ""} | keys))
    return {answer[keyword].value for answer in await asyncio.to_thread(found, port, title, asked)}


def moved(port: int, asked: Dataset, model: str) -> tuple[int | None, ...]:
    association = associated(port, "NORTH", build_context(model))
    *_, (status, _) = association.send_c_move(asked, "SINK", model)
    association.release()
    return counters(status)


def fetched(port: int, asked: Dataset) -> int:
    roles = [build_role(CT, scp_role=True)]
    contexts = [build_context(STUDY_GET), build_context(CT)]
    handlers = [(evt.EVT_C_STORE, lambda _: 0x0000)]
    association = associated(port, "NORTH", *contexts, ext_neg=roles, evt_handlers=handlers)
    *_, (status, _) = association.send_c_get(asked, STUDY_GET)
    association.release()
    return int(status.NumberOfCompletedSuboperations)


async def label(node: Node, stored: Dataset, name: str) -> None:
    """As a client of REST does it."""
    resources = node.services.resources
    resource = await resources.identify(Level.STUDY, orthanc_id(stored.PatientID, stored.StudyInstanceUID))
    await node.services.annotations.put_label(resource, name)


@needs_dcmtk
async def test_each_tenant_stores_and_finds_its_own(tmp_path: Path) -> None:
    a, b = free_port(), free_port()
    entities = (tenant("NORTH", port=a), tenant("SOUTH", port=b))
    files = {port: study(2, PatientID="P1", PatientName=name) for port, name in ((a, "North"), (b, "South"))}
    async with open_node(tmp_path / "store", entities=entities) as node:
        assert node.server.ae_titles == {node.port: (AE_TITLE,), a: ("NORTH",), b: ("SOUTH",)}
        for port, title in ((a, "NORTH"), (b, "SOUTH")):
            folder = write_files(tmp_path / title, files[port])
            await tool("dcmsend", "+sd", "-aec", title, "127.0.0.1", port, folder)
        said = {}
        for port, title in ((a, "NORTH"), (b, "SOUTH"), (node.port, AE_TITLE)):
            keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", "PatientName", "-k", "RetrieveAETitle"]
            said[title] = await tool("findscu", "-S", *keys, "-aec", title, "127.0.0.1", port)
        assert "[North" in said["NORTH"]
        assert "[South" not in said["NORTH"]
        assert "[South" in said["SOUTH"]
        assert "[North" not in said["SOUTH"]
        assert "(0008,0054) AE [SOUTH ]" in said["SOUTH"]  # from where it can be retrieved
        assert "[North" in said[AE_TITLE]
        assert "[South" in said[AE_TITLE]


async def test_all_levels_and_retrievals_keep_to_the_view(tmp_path: Path) -> None:
    port, sinks, callers, got = free_port(), free_port(), set[str](), list[str]()
    async with open_node(tmp_path, entities=(tenant("NORTH", port=port),), modalities=sink(sinks)) as node:
        (own, _) = await fill(node, *study(2, PatientID="P1"))
        (foreign, _) = await fill(node, *study(2, PatientID="P1"))
        (other, _) = await fill(node, *study(2, PatientID="P2"))
        await label(node, own, "north")
        assert await uids(port, "NORTH") == {own.StudyInstanceUID}
        for mine, level in ((own, "SERIES"), (own, "IMAGE")):
            keys = {"StudyInstanceUID": mine.StudyInstanceUID}
            keys |= {"SeriesInstanceUID": mine.SeriesInstanceUID} if level == "IMAGE" else {}
            assert await uids(port, "NORTH", level, **keys)
        keys = {"StudyInstanceUID": foreign.StudyInstanceUID}
        assert await uids(port, "NORTH", "SERIES", **keys) == set()
        keys |= {"SeriesInstanceUID": foreign.SeriesInstanceUID}
        assert await uids(port, "NORTH", "IMAGE", **keys) == set()

        asked = identifier("PATIENT", PatientID="", NumberOfPatientRelatedStudies="")
        (patient,) = await asyncio.to_thread(found, port, "NORTH", asked, PATIENT_FIND)
        assert patient.PatientID == "P1"
        assert "NumberOfPatientRelatedStudies" not in patient  # it would tell of studies beyond the view

        def store(event: Any) -> int:
            callers.add(event.assoc.requestor.ae_title)
            got.append(event.request.AffectedSOPInstanceUID)
            return 0x0000

        with receiver(sinks, [build_context(CT)], store):
            all_of_patient = identifier("PATIENT", PatientID="P1")
            assert await asyncio.to_thread(moved, port, all_of_patient, PATIENT_MOVE) == (None, 2, 0, 0)
            beyond = identifier("STUDY", StudyInstanceUID=other.StudyInstanceUID)
            assert await asyncio.to_thread(moved, port, beyond, STUDY_MOVE) == (None, 0, 0, 0)
        assert callers == {"NORTH"}
        assert len(got) == 2

        assert await asyncio.to_thread(fetched, port, identifier("STUDY", StudyInstanceUID=own.StudyInstanceUID)) == 2
        assert await asyncio.to_thread(fetched, port, beyond) == 0


async def test_constraints(tmp_path: Path) -> None:
    constraints = list(LabelsConstraint)
    entities = tuple(tenant(each.name, "a", "b", constraint=each) for each in constraints)
    async with open_node(tmp_path, entities=entities) as node:
        stored = [(await fill(node, *study(1)))[0] for _ in range(3)]
        for position, name in ((0, "a"), (0, "b"), (1, "a")):
            await label(node, stored[position], name)
        numbers = {one.StudyInstanceUID: n for n, one in enumerate(stored)}
        seen = {each.name: {numbers[uid] for uid in await uids(node.port, each.name)} for each in constraints}
        assert seen == {"ALL": {0}, "ANY": {0, 1}, "NONE": {2}}


async def test_what_is_known_gets_the_labels_too_and_levels_are_those_of_the_setting(tmp_path: Path) -> None:
    labels = tuple((int(level), "north") for level in Level)
    entity = ApplicationEntity("NORTH", view=View(("north",)), labels=labels)
    files = study(2, PatientID="P1")
    async with open_node(tmp_path / "store", entities=(entity,)) as node:
        await fill(node, files[0])
        assert await uids(node.port, "NORTH") == set()
        folder = write_files(tmp_path / "files", files)
        await tool("dcmsend", "+sd", "-aec", "NORTH", "127.0.0.1", node.port, folder)
        assert len(await uids(node.port, "NORTH")) == 1
        resources = node.services.resources
        for level in Level:
            for public_id in await resources.ids(level, await resources.listed(level)):
                resource = await resources.identify(level, public_id)
                assert await node.services.annotations.labels(resource) == ["north"]
        assert await node.instances() == 2


async def test_who_may_call_and_what_is_served(tmp_path: Path) -> None:
    port = free_port()
    entities = (
        tenant("NORTH", port=port, callers=frozenset({"WARD"}), allow=frozenset({Service.ECHO, Service.FIND})),
        tenant("SOUTH", port=port),
    )

    def accepted(title: str, calling: str) -> set[str]:
        models = [VERIFICATION, STUDY_FIND, STUDY_MOVE, MODALITY_WORKLIST]
        association = associated(port, title, *map(build_context, models), calling=calling)
        names = {str(each.abstract_syntax) for each in association.accepted_contexts}
        if association.is_established:
            association.release()
        return names

    async with open_node(tmp_path, entities=entities):
        assert await asyncio.to_thread(accepted, "NORTH", "WARD") == {VERIFICATION, STUDY_FIND}
        assert await asyncio.to_thread(accepted, "NORTH", "OTHER") == set()
        assert STUDY_MOVE in await asyncio.to_thread(accepted, "SOUTH", "OTHER")
        # Two views at one port: a wrong title opens neither.
        assert await asyncio.to_thread(accepted, generate_uid()[:10], "WARD") == set()
