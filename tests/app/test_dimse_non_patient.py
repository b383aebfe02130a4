"""Instances of no patient by DIMSE (PS3.4 annexes GG, U, X, BB, HH): the same ones as over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid
from pynetdicom import AE, build_context, build_role, evt
from pynetdicom import sop_class as theirs

from conformance.non_patient import (
    CLASSES,
    COLOR_PALETTE,
    HANGING_PROTOCOL,
    color_palette,
    file,
    hanging_protocol,
    instance,
)
from conformance.server import free_port
from dicomweb_server.dicom.non_patient import CATEGORY_OF
from dicomweb_server.dicom.query import View
from dicomweb_server.dimse.contexts import NON_PATIENT_MODELS, SERVICES, Service
from dicomweb_server.dimse.items import ProposedContext
from tests.app.dicomweb_harness import JSON, Archive, multipart_body, served
from tests.app.dimse_harness import AE_TITLE, EXPLICIT, Node, needs_dcmtk, open_node, store_command, tool
from tests.app.dimse_peers import receiver, sink
from tests.builders import bare_dataset

FIND, MOVE, GET = (f"1.2.840.10008.5.1.4.38.{last}" for last in (2, 3, 4))
PROTOCOLS, IMPLANTS = "/hanging-protocols", "1.2.840.10008.5.1.4"


@dataclass(frozen=True, slots=True)
class Both:
    """One server by DIMSE and by HTTP."""

    node: Node
    web: Archive

    async def store(self, *datasets: Dataset) -> list[int]:
        return await asyncio.to_thread(_store, self.node.port, datasets)

    async def find(self, model: str = FIND, **keys: Any) -> tuple[int, list[Dataset]]:
        return await asyncio.to_thread(_find, self.node.port, model, _identifier(**keys))

    async def add(self, dataset: Dataset, path: str = PROTOCOLS) -> None:
        assert (await self.web.post(multipart_body(file(dataset)), path)).status_code == 200


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[Both]:
    async with open_node(tmp_path) as node, served(node.services, node.store) as web:
        yield Both(node, web)


def _identifier(**keys: Any) -> Dataset:
    dataset = Dataset()
    with disable_value_validation():
        for keyword, value in keys.items():
            setattr(dataset, keyword, value)
    return dataset


def _store(port: int, datasets: Sequence[Dataset]) -> list[int]:
    contexts = [build_context(uid, ExplicitVRLittleEndian) for uid in {each.SOPClassUID for each in datasets}]
    association = AE("MODALITY").associate("127.0.0.1", port, contexts, ae_title=AE_TITLE)
    assert association.is_established
    statuses = [association.send_c_store(dcmread(BytesIO(file(each)))).Status for each in datasets]
    association.release()
    return statuses


def _find(port: int, model: str, identifier: Dataset) -> tuple[int, list[Dataset]]:
    association = AE("WORKSTATION").associate("127.0.0.1", port, [build_context(model)], ae_title=AE_TITLE)
    assert association.is_established
    *pending, (final, _) = [(status.Status, found) for status, found in association.send_c_find(identifier, model)]
    association.release()
    assert {status for status, _ in pending} <= {0xFF00}
    return final, [found for _, found in pending if found is not None]


def _get(port: int, identifier: Dataset, syntax: str = ExplicitVRLittleEndian) -> tuple[int, list[Dataset]]:
    got: list[Dataset] = []

    def store(event: Any) -> int:
        got.append(event.dataset)
        return 0x0000

    contexts = [build_context(GET), build_context(HANGING_PROTOCOL, syntax)]
    roles: list[Any] = [build_role(HANGING_PROTOCOL, scp_role=True)]
    association = AE("WORKSTATION").associate(
        "127.0.0.1", port, contexts, ae_title=AE_TITLE, ext_neg=roles, evt_handlers=[(evt.EVT_C_STORE, store)]
    )
    assert association.is_established
    *_, (final, _) = association.send_c_get(identifier, GET)
    association.release()
    return final.Status, got


async def test_what_is_stored_by_dimse_is_found_by_http_and_the_other_way_round(both: Both) -> None:
    first, second = hanging_protocol("First"), hanging_protocol("Second")
    assert await both.store(first) == [0x0000]
    await both.add(second)
    names = [match["00720002"]["Value"][0] for match in (await both.web.get(PROTOCOLS, JSON)).json()]
    status, found = await both.find(HangingProtocolName="", SOPInstanceUID="")
    assert status == 0x0000
    assert sorted(names) == sorted(each.HangingProtocolName for each in found) == ["First", "Second"]
    read = dcmread(BytesIO((await both.web.get(f"{PROTOCOLS}/{first.SOPInstanceUID}")).content))
    assert read.DisplaySetsSequence == first.DisplaySetsSequence


@pytest.mark.parametrize("category", CLASSES)
async def test_each_category_can_be_stored(both: Both, category: str) -> None:
    dataset = instance(CLASSES[category])
    assert await both.store(dataset) == [0x0000]
    assert (await both.web.get(f"/{category}/{dataset.SOPInstanceUID}")).status_code == 200


async def test_keys_and_answers(both: Both) -> None:
    mr = Dataset()
    mr.Modality = "MR"
    await both.store(hanging_protocol("Chest"), hanging_protocol("Knee", HangingProtocolDefinitionSequence=[mr]))
    asked = Dataset()
    asked.Modality = "MR"
    status, (found,) = await both.find(
        HangingProtocolDefinitionSequence=[asked], HangingProtocolName="*", HangingProtocolCreator="", PatientID=""
    )
    assert (status, found.HangingProtocolName, found.HangingProtocolCreator) == (0x0000, "Knee", "Müller")
    assert found.HangingProtocolDefinitionSequence[0].Modality == "MR"
    assert found.PatientID in ("", None)
    assert "DisplaySetsSequence" not in found
    assert await both.find(HangingProtocolName="Nothing") == (0x0000, [])
    assert (await both.find(HangingProtocolCreationDateTime="soon"))[0] == 0xA900


async def test_a_model_is_about_its_own_classes(both: Both) -> None:
    await both.store(hanging_protocol(), color_palette(), instance("1.2.840.10008.5.1.4.44.1"))
    for model, expected in (
        (FIND, {HANGING_PROTOCOL}),
        ("1.2.840.10008.5.1.4.39.2", {COLOR_PALETTE}),
        ("1.2.840.10008.5.1.4.43.2", set()),
        ("1.2.840.10008.5.1.4.44.2", {"1.2.840.10008.5.1.4.44.1"}),
        ("1.2.840.10008.5.1.4.20.1", set()),
        ("1.2.840.10008.5.1.4.1.1.201.2", set()),
    ):
        status, found = await both.find(model, SOPClassUID="")
        assert (status, {each.SOPClassUID for each in found}) == (0x0000, expected)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
async def test_c_get(both: Both, syntax: str) -> None:
    protocols = [hanging_protocol(name) for name in ("Chest", "Head", "Knee")]
    await both.store(*protocols)
    wanted = [each.SOPInstanceUID for each in protocols[:2]]
    status, got = await asyncio.to_thread(_get, both.node.port, _identifier(SOPInstanceUID=wanted), syntax)
    assert status == 0x0000
    assert {each.HangingProtocolName for each in got} == {"Chest", "Head"}
    assert await asyncio.to_thread(_get, both.node.port, _identifier(SOPInstanceUID="1.2.3")) == (0x0000, [])
    assert (await asyncio.to_thread(_get, both.node.port, _identifier(SOPInstanceUID="")))[0] == 0xA900


@pytest.mark.parametrize("synchronous_move", [True, False])
async def test_c_move(tmp_path: Path, synchronous_move: bool) -> None:
    port, got = free_port(), []

    def store(event: Any) -> int:
        got.append(str(event.request.AffectedSOPInstanceUID))
        return 0x0000

    protocol = hanging_protocol()
    async with open_node(tmp_path, modalities=sink(port), synchronous_move=synchronous_move) as node:
        await asyncio.to_thread(_store, node.port, [protocol])

        def moved() -> int:
            with receiver(port, [build_context(HANGING_PROTOCOL)], store):
                association = AE().associate("127.0.0.1", node.port, [build_context(MOVE)], ae_title=AE_TITLE)
                *_, (final, _) = association.send_c_move(
                    _identifier(SOPInstanceUID=protocol.SOPInstanceUID), "SINK", MOVE
                )
                association.release()
                return int(final.Status)

        assert await asyncio.to_thread(moved) == 0x0000
    assert got == [protocol.SOPInstanceUID]


async def test_what_is_stored_twice_and_what_is_none(both: Both) -> None:
    protocol = hanging_protocol()
    assert await both.store(protocol, protocol) == [0x0000, 0x0000]
    other = hanging_protocol("Other", SOPInstanceUID=protocol.SOPInstanceUID)
    (status,) = await both.store(other)
    assert status in (0x0000, 0xB000)  # as of any instance, by `on_duplicate`
    _, (found,) = await both.find(HangingProtocolName="")
    assert found.HangingProtocolName == "Chest"


async def test_a_view_of_studies_has_none(tmp_path: Path) -> None:
    async with open_node(tmp_path, view=View(("north",))) as node:
        protocol = hanging_protocol()
        await asyncio.to_thread(_store, node.port, [protocol])
        identifier = _identifier(SOPInstanceUID=protocol.SOPInstanceUID)
        assert await asyncio.to_thread(_find, node.port, FIND, identifier) == (0x0000, [])
        assert await asyncio.to_thread(_get, node.port, identifier) == (0x0000, [])


@needs_dcmtk
async def test_dcmsend(both: Both, tmp_path: Path) -> None:
    protocol = hanging_protocol(SOPInstanceUID=generate_uid())
    path = tmp_path / "protocol.dcm"
    await asyncio.to_thread(path.write_bytes, file(protocol))
    await tool("storescu", "-R", "-aec", AE_TITLE, "127.0.0.1", both.node.port, path)
    assert (await both.web.get(f"{PROTOCOLS}/{protocol.SOPInstanceUID}")).status_code == 200


def test_the_models_and_classes_are_those_of_the_standard() -> None:
    tables = (
        theirs._COLOR_PALETTE_CLASSES,
        theirs._DEFINED_PROCEDURE_CLASSES,
        theirs._HANGING_PROTOCOL_CLASSES,
        theirs._IMPLANT_TEMPLATE_CLASSES,
        theirs._INVENTORY_CLASSES,
        theirs._PROTOCOL_APPROVAL_CLASSES,
    )
    services = {"Find": Service.FIND, "Move": Service.MOVE, "Get": Service.GET}
    known = [pair for table in tables for pair in table.items()]
    expected = {uid: each for name, uid in known for end, each in services.items() if name.endswith(end)}
    assert {uid: SERVICES[uid] for uid in NON_PATIENT_MODELS} == expected
    assert set(CATEGORY_OF) == set(theirs._NON_PATIENT_OBJECT_CLASSES.values())


async def test_protocol_approvals_have_no_resource(both: Both) -> None:
    approval = instance("1.2.840.10008.5.1.4.1.1.200.3", InstitutionName="Haus Süd")
    assert await both.store(approval) == [0x0000]
    status, (found,) = await both.find("1.2.840.10008.5.1.4.1.1.200.4", SOPInstanceUID="", InstitutionName="")
    assert (status, found.SOPInstanceUID, found.InstitutionName) == (0, approval.SOPInstanceUID, "Haus Süd")
    assert (await both.web.get("/protocol-approvals")).status_code == 404


async def test_another_file_meta_information_makes_no_other_instance(both: Both) -> None:
    protocol = hanging_protocol()
    await both.add(protocol)
    assert await both.store(protocol) == [0x0000]  # not B000, for nothing was kept instead of it


@pytest.mark.parametrize(
    ("named", "there", "status"),
    [(HANGING_PROTOCOL, COLOR_PALETTE, 0x0122), (f"{IMPLANTS}.43.1", f"{IMPLANTS}.44.1", 0xA900)],
)
async def test_another_class_than_the_command_names(both: Both, named: str, there: str, status: int) -> None:
    peer, dataset = await both.node.peer(), instance(there)
    await peer.associate(ProposedContext(1, named, (EXPLICIT,)))
    await peer.command(1, store_command(dataset.SOPInstanceUID, sop_class_uid=named), bare_dataset(file(dataset)))
    assert (await peer.response()).status == status
    await peer.close()
