"""C-GET: DCMTK and pynetdicom fetch, bit for bit where a context takes what is stored, re-encoded where none does."""

import asyncio
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid
from pynetdicom import AE, build_context, build_role, evt

from tests.app.dimse_harness import AE_TITLE, CT, needs_dcmtk, open_node, tool
from tests.app.dimse_peers import Answers, counters, fill, identifier, study
from tests.builders import bare_dataset, make_instance

STUDY_GET = "1.2.840.10008.5.1.4.1.2.2.3"


@needs_dcmtk
@pytest.mark.parametrize("level", ["PATIENT", "STUDY", "SERIES", "IMAGE"])
async def test_getscu_at_every_level(tmp_path: Path, level: str) -> None:
    files = study(3, PatientID="P7", rows=200, columns=200)
    async with open_node(tmp_path / "store") as node:
        sent = await fill(node, *files)
        await fill(node, *study(2, PatientID="P8"))
        keys = {
            "PATIENT": ["PatientID=P7"],
            "STUDY": ["StudyInstanceUID=" + sent[0].StudyInstanceUID],
            "SERIES": [
                "SeriesInstanceUID=" + sent[0].SeriesInstanceUID,
                "StudyInstanceUID=" + sent[0].StudyInstanceUID,
            ],
            "IMAGE": [
                "SOPInstanceUID=" + "\\".join(each.SOPInstanceUID for each in sent[:2]),
                "SeriesInstanceUID=" + sent[0].SeriesInstanceUID,
                "StudyInstanceUID=" + sent[0].StudyInstanceUID,
            ],
        }[level]
        out = tmp_path / "out"
        await asyncio.to_thread(out.mkdir)
        arguments = [word for key in (f"QueryRetrieveLevel={level}", *keys) for word in ("-k", key)]
        model = "-P" if level == "PATIENT" else "-S"
        await tool("getscu", model, *arguments, "+B", "-od", out, "-aec", AE_TITLE, "127.0.0.1", node.port)
        got = await asyncio.to_thread(
            lambda: {dcmread(file).SOPInstanceUID: file.read_bytes() for file in out.iterdir()}
        )
        expected = sent[:2] if level == "IMAGE" else sent
        assert set(got) == {each.SOPInstanceUID for each in expected}
        for data, dataset in zip(files, expected, strict=False):
            assert got[dataset.SOPInstanceUID].endswith(bare_dataset(data))


@needs_dcmtk
@pytest.mark.parametrize("option", ["+xi", "+xe", "+x="])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian])
async def test_native_instances_are_re_encoded_where_they_must(tmp_path: Path, option: str, syntax: str) -> None:
    data = make_instance(transfer_syntax_uid=syntax)
    async with open_node(tmp_path / "store") as node:
        (sent,) = await fill(node, data)
        out = tmp_path / "out"
        await asyncio.to_thread(out.mkdir)
        keys = ["QueryRetrieveLevel=STUDY", f"StudyInstanceUID={sent.StudyInstanceUID}"]
        arguments = [word for key in keys for word in ("-k", key)]
        await tool("getscu", "-S", option, *arguments, "-od", out, "-aec", AE_TITLE, "127.0.0.1", node.port)
        (got,) = await asyncio.to_thread(lambda: [dcmread(file) for file in out.iterdir()])
        original = dcmread(BytesIO(data))
        if syntax == ExplicitVRBigEndian:
            original.PixelData = got.PixelData
        assert got == original


async def test_getting_only_what_contexts_accept(tmp_path: Path) -> None:
    got = []

    def store(event: Any) -> int:
        got.append(event.dataset.SOPInstanceUID)
        return 0x0000

    def get(port: int, asked: Dataset) -> Answers:
        ae = AE("GETTER")
        contexts = [build_context(STUDY_GET), build_context(CT, [ExplicitVRLittleEndian])]
        handlers: list[Any] = [(evt.EVT_C_STORE, store)]
        roles: list[Any] = [build_role(CT, scp_role=True)]
        association = ae.associate(
            "127.0.0.1",
            port,
            contexts,
            ae_title=AE_TITLE,
            ext_neg=roles,
            evt_handlers=handlers,
        )
        answers = list(association.send_c_get(asked, STUDY_GET))
        association.release()
        return answers

    uids: dict[str, Any] = {"StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid()}
    files = [make_instance(**uids), make_instance(SOPClassUID="1.2.840.10008.5.1.4.1.1.4", **uids)]
    async with open_node(tmp_path) as node:
        taken, refused = await fill(node, *files)
        asked = identifier("STUDY", StudyInstanceUID=uids["StudyInstanceUID"])
        *pending, (last, failed) = await asyncio.to_thread(get, node.port, asked)
        assert got == [taken.SOPInstanceUID]
        assert len(pending) == 2
        assert (last.Status, counters(last)) == (0xB000, (None, 1, 1, 0))
        assert failed is not None
        assert failed.FailedSOPInstanceUIDList == refused.SOPInstanceUID


async def test_without_the_role_of_scp_nothing_comes_back(tmp_path: Path) -> None:
    def get(port: int, asked: Dataset) -> Answers:
        contexts = [build_context(STUDY_GET), build_context(CT, [ExplicitVRLittleEndian])]
        association = AE("GETTER").associate("127.0.0.1", port, contexts, ae_title=AE_TITLE)
        answers = list(association.send_c_get(asked, STUDY_GET))
        association.release()
        return answers

    async with open_node(tmp_path) as node:
        (sent, _) = await fill(node, *study())
        asked = identifier("STUDY", StudyInstanceUID=sent.StudyInstanceUID)
        *_, (last, _) = await asyncio.to_thread(get, node.port, asked)
        assert (last.Status, counters(last)) == (0xA702, (None, 0, 2, 0))
