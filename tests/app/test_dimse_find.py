"""C-FIND: DCMTK and pynetdicom ask, and find what QIDO-RS would; levels, hierarchy, cancel, limits."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, build_context
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.query import Query
from dicomweb_server.dimse.contexts import Service
from dicomweb_server.dimse.items import ProposedContext
from dicomweb_server.dimse.message import Command, CommandField
from dicomweb_server.dimse.options import Modality
from dicomweb_server.dimse.pdu import PduType, decode_accept
from dicomweb_server.services.search import SearchLimits, SearchService
from tests.app.dimse_harness import AE_TITLE, IMPLICIT, STUDY_FIND, VERIFICATION, Node, needs_dcmtk, open_node, tool
from tests.app.dimse_peers import fill, identifier, study

PATIENT_FIND = "1.2.840.10008.5.1.4.1.2.1.1"


def ask(
    port: int, dataset: Dataset, model: str = STUDY_FIND, syntax: str = ExplicitVRLittleEndian, extended: bytes = b""
) -> list[tuple[int, Dataset | None]]:
    """C-FIND by pynetdicom: status and identifier of each response."""
    negotiation: Sequence[Any] = ()
    if extended:
        item = SOPClassExtendedNegotiation()
        item.sop_class_uid, item.service_class_application_information = model, extended
        negotiation = [item]
    association = AE("PYNETDICOM").associate(
        "127.0.0.1", port, [build_context(model, [syntax])], ae_title=AE_TITLE, ext_neg=list(negotiation)
    )
    assert association.is_established
    answers = [(status.Status, found) for status, found in association.send_c_find(dataset, model)]
    association.release()
    return answers


@needs_dcmtk
async def test_findscu_at_every_level(tmp_path: Path) -> None:
    async with open_node(tmp_path) as node:
        (first, second) = await fill(node, *study(PatientID="P7", PatientName="Müller^Jörg", Modality="MR"))
        place = f"StudyInstanceUID={first.StudyInstanceUID}"
        levels = {
            "PATIENT": ("-P", ["PatientID=P7"]),
            "STUDY": ("-S", ["PatientName=MULLER*", place]),
            "SERIES": ("-S", [place, "Modality=MR", "SeriesInstanceUID"]),
            "IMAGE": ("-S", [place, f"SeriesInstanceUID={first.SeriesInstanceUID}", "SOPInstanceUID", "Rows"]),
        }
        for level, (model, keys) in levels.items():
            arguments = [word for key in (f"QueryRetrieveLevel={level}", *keys) for word in ("-k", key)]
            said = await tool("findscu", model, *arguments, "-aec", AE_TITLE, "127.0.0.1", node.port)
            assert said.count("(0008,0054) AE [ARCHIVE ]") == (2 if level == "IMAGE" else 1), said
        assert second.SOPInstanceUID in said


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
async def test_pynetdicom_finds_a_study(tmp_path: Path, syntax: str) -> None:
    async with open_node(tmp_path) as node:
        (stored, _) = await fill(node, *study(PatientName="Doe^Jane", StudyDescription="Größe"))
        await fill(node, *study(PatientName="Roe^Rick"))
        asked = identifier(
            "STUDY",
            SpecificCharacterSet="ISO_IR 100",
            PatientName="doe*",
            StudyInstanceUID="",
            StudyDescription="",
            ModalitiesInStudy="",
            NumberOfStudyRelatedInstances="",
        )
        *found, last = await asyncio.to_thread(ask, node.port, asked, syntax=syntax)
        assert last == (0x0000, None)
        ((status, answer),) = found
        assert status == 0xFF00
        assert answer is not None
        assert answer.StudyInstanceUID == stored.StudyInstanceUID
        assert answer.SpecificCharacterSet == "ISO_IR 100"
        assert (answer.PatientName, answer.StudyDescription) == ("Doe^Jane", "Größe")
        assert (answer.ModalitiesInStudy, answer.NumberOfStudyRelatedInstances) == ("CT", 2)
        assert answer.RetrieveAETitle == AE_TITLE


async def test_the_same_as_a_search(tmp_path: Path) -> None:
    async with open_node(tmp_path) as node:
        for number in range(12):
            await fill(node, *study(1, PatientID=f"P{number}", StudyDate=f"202401{number + 1:02d}"))
        asked = identifier("STUDY", StudyDate="20240103-20240109", StudyInstanceUID="")
        answers = await asyncio.to_thread(ask, node.port, asked)
        assert len(answers) == 8
        assert await node.found(Query(Level.STUDY)) == 12
        uids = {found.StudyInstanceUID for _, found in answers if found is not None}
        assert len(uids) == 7


async def test_no_match_is_a_success(tmp_path: Path) -> None:
    async with open_node(tmp_path) as node:
        assert await asyncio.to_thread(ask, node.port, identifier("STUDY", PatientID="nobody")) == [(0x0000, None)]


async def test_a_key_that_cannot_be_answered_is_told(tmp_path: Path) -> None:
    async with open_node(tmp_path) as node:
        await fill(node, *study())
        answers = await asyncio.to_thread(ask, node.port, identifier("STUDY", PatientID="", SOPInstanceUID=""))
        assert [status for status, _ in answers] == [0xFF01, 0x0000]


@pytest.mark.parametrize(
    ("model", "asked"),
    [
        (STUDY_FIND, identifier("PATIENT", PatientID="*")),
        (STUDY_FIND, identifier("NOWHERE")),
        (STUDY_FIND, identifier("", PatientID="P1")),
        (STUDY_FIND, identifier("SERIES", Modality="CT")),
        (PATIENT_FIND, identifier("STUDY", StudyInstanceUID="")),
    ],
)
async def test_identifiers_that_do_not_match_the_sop_class(tmp_path: Path, model: str, asked: Dataset) -> None:
    async with open_node(tmp_path) as node:
        ((status, _),) = await asyncio.to_thread(ask, node.port, asked, model)
        assert status == 0xA900


async def test_relational_queries_after_negotiation(tmp_path: Path) -> None:
    async with open_node(tmp_path) as node:
        await fill(node, *study())
        asked = identifier("SERIES", Modality="CT", StudyInstanceUID="")
        answers = await asyncio.to_thread(ask, node.port, asked, extended=b"\1\1\1\1")
        assert [status for status, _ in answers] == [0xFF00, 0x0000]


async def test_extended_negotiation_is_answered_truthfully(tmp_path: Path) -> None:
    def negotiate(port: int) -> bytes:
        item = SOPClassExtendedNegotiation()
        item.sop_class_uid, item.service_class_application_information = STUDY_FIND, b"\1" * 7
        association = AE("PYNETDICOM").associate("127.0.0.1", port, [build_context(STUDY_FIND)], ext_neg=[item])
        (answered,) = association.acceptor.sop_class_extended.values()
        association.release()
        return bytes(answered)

    async with open_node(tmp_path) as node:
        assert await asyncio.to_thread(negotiate, node.port) == b"\1\1\1\1\0\1\1"


async def test_only_who_may(tmp_path: Path) -> None:
    modalities = {"one": Modality("ONE", "127.0.0.1", 104, frozenset({Service.FIND}))}
    async with open_node(tmp_path, modalities=modalities, unknown_allow=frozenset({Service.STORE})) as node:
        peer = await node.peer()
        kind, body = await peer.associate(ProposedContext(1, STUDY_FIND, (IMPLICIT,)))
        assert kind == PduType.ASSOCIATE_AC
        assert decode_accept(memoryview(body)).contexts[0].result == 1
        await peer.release()


async def find_raw(node: Node) -> Any:
    """A C-FIND for all studies under way."""
    peer = await node.peer()
    await peer.associate(ProposedContext(1, STUDY_FIND, (IMPLICIT,)))
    command = Command(
        field=CommandField.C_FIND_RQ, has_dataset=True, affected_sop_class_uid=STUDY_FIND, message_id=7, priority=0
    )
    await peer.command(1, command, b"\x08\0\x52\0\6\0\0\0STUDY \x20\0\x0d\0\0\0\0\0")
    return peer


async def statuses(peer: Any) -> list[int | None]:
    """Statuses up to the final one, data sets passed over."""
    found: list[int | None] = []
    while not found or found[-1] in (0xFF00, 0xFF01):
        found.append((await peer.response()).status)
        if found[-1] in (0xFF00, 0xFF01):
            await peer.pdu()
    return found


async def test_cancel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicomweb_server.dimse.query_scp._MATCHES_AT_ONCE", 1)
    async with open_node(tmp_path) as node:
        for number in range(40):
            await fill(node, *study(1, PatientID=f"P{number}"))
        peer = await find_raw(node)
        await peer.command(1, Command(field=CommandField.C_CANCEL_RQ, message_id_responded_to=7))
        found = await statuses(peer)
        assert found[-1] in (0xFE00, 0x0000)
        assert len(found) <= 41
        cancelled = await find_raw(node)
        assert (await cancelled.response()).status == 0xFF00
        await cancelled.command(1, Command(field=CommandField.C_CANCEL_RQ, message_id_responded_to=99))
        await cancelled.pdu()
        assert (await statuses(cancelled))[-1] == 0x0000  # a cancel of something else changes nothing
        await peer.release()
        await cancelled.release()


async def test_a_limit_is_not_hidden(tmp_path: Path) -> None:
    async with open_node(tmp_path) as node:
        for number in range(5):
            await fill(node, *study(1, PatientID=f"P{number}"))
        object.__setattr__(node.services, "search", SearchService(node.store.index, SearchLimits(most=3)))
        peer = await find_raw(node)
        assert await statuses(peer) == [0xFF00] * 3 + [0xA700]
        await peer.release()


async def test_several_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_FIRST_MATCHES", "_BATCH"):
        monkeypatch.setattr(f"dicomweb_server.storage.index_sqlite.{name}", 2)
    async with open_node(tmp_path) as node:
        for number in range(5):
            await fill(node, *study(1, PatientID=f"P{number}"))
        peer = await find_raw(node)
        assert await statuses(peer) == [0xFF00] * 5 + [0x0000]
        await peer.release()


@pytest.mark.parametrize("dataset", [b"\xff" * 100, b"\x08\0\x52\0\xff\xff\xff\x7fSTUDY ", bytes(2_000_000)])
async def test_identifiers_that_are_none(tmp_path: Path, dataset: bytes) -> None:
    async with open_node(tmp_path) as node:
        peer = await node.peer()
        await peer.associate(*(ProposedContext(n, uid, (IMPLICIT,)) for n, uid in ((1, STUDY_FIND), (3, VERIFICATION))))
        command = Command(
            field=CommandField.C_FIND_RQ, has_dataset=True, affected_sop_class_uid=STUDY_FIND, message_id=7, priority=0
        )
        await peer.command(1, command, dataset)
        assert (await peer.response()).status in (0xA900, 0xA700)
        assert await peer.echo(3) == 0
        await peer.release()
