"""Frames of an instance by C-GET and C-MOVE (PS3.4 annex Y): what pynetdicom gets, and what it is told otherwise."""

import asyncio
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pixel_array
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless
from pynetdicom import AE, build_context, build_role, evt

from conformance.query_retrieve import identifier
from conformance.server import free_port
from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.query import View
from dicomweb_server.dimse import sub_operations
from dicomweb_server.dimse.options import ApplicationEntity
from dicomweb_server.services import contents, frame_extraction
from tests.app.dimse_harness import AE_TITLE, CT, open_node
from tests.app.dimse_peers import counters, fill, move, receiver, sink
from tests.builders import make_instance, make_rle

GET, MOVE = "1.2.840.10008.5.1.4.1.2.4.3", "1.2.840.10008.5.1.4.1.2.4.2"
Got = tuple[Dataset, list[Dataset]]


def got(port: int, asked: Dataset, *syntaxes: str, title: str = AE_TITLE) -> Got:
    """The final response to a C-GET, and what came."""
    taken: list[Dataset] = []

    def take(event: Any) -> int:
        dataset = event.dataset
        dataset.file_meta = event.file_meta
        taken.append(dataset)
        return 0x0000

    contexts = [build_context(GET), *(build_context(CT, [syntax]) for syntax in syntaxes or (ExplicitVRLittleEndian,))]
    role: list[Any] = [build_role(CT, scp_role=True)]
    handlers: list[Any] = [(evt.EVT_C_STORE, take)]
    association = AE("GETTER").associate(
        "127.0.0.1", port, contexts, ae_title=title, ext_neg=role, evt_handlers=handlers
    )
    assert association.is_established
    *_, (last, _) = association.send_c_get(asked, GET)
    association.release()
    return last, taken


def wanted(source: Dataset, **keys: Any) -> Dataset:
    return identifier("FRAME", SOPInstanceUID=source.SOPInstanceUID, **keys)


@pytest.mark.parametrize("source", ["native", "big endian", "rle"])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless])
async def test_frames_by_get(tmp_path: Path, source: str, syntax: str) -> None:
    file = {
        "native": lambda: make_instance(frames=5, FrameTime="40"),
        "big endian": lambda: make_instance(frames=5, transfer_syntax_uid=ExplicitVRBigEndian),
        "rle": lambda: make_rle(frames=5),
    }[source]()
    async with open_node(tmp_path) as node:
        (stored,) = await fill(node, file)
        last, taken = await asyncio.to_thread(got, node.port, wanted(stored, CalculatedFrameList=[1, 5, 2]), syntax)
        if source != "rle" and syntax == RLELossless:  # what is made is compressed for nobody
            assert (last.Status, taken) == (0xA702, [])
            return
        assert (last.Status, counters(last)) == (0x0000, (None, 1, 0, 0))
        (new,) = taken
        assert new.file_meta.TransferSyntaxUID == syntax
        assert (pixel_array(new) == pixel_array(dcmread(BytesIO(file)))[[0, 2, 4]]).all()
        assert new.StudyInstanceUID == stored.StudyInstanceUID
        assert new.FrameExtractionSequence[0].MultiFrameSourceSOPInstanceUID == stored.SOPInstanceUID
        assert await node.instances() == 1  # nothing is stored here


async def test_frames_by_time(tmp_path: Path) -> None:
    async with open_node(tmp_path) as node:
        (stored,) = await fill(node, make_instance(frames=5, FrameTime="40"))
        _, (new,) = await asyncio.to_thread(got, node.port, wanted(stored, TimeRange=[0.05, 0.13]))
        assert (new.NumberOfFrames, new.FrameExtractionSequence[0].TimeRange) == (2, [0.05, 0.13])


async def test_what_is_long_is_sent_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (sub_operations, contents):
        monkeypatch.setattr(module, "WHOLE_SIZE", 1000)
    monkeypatch.setattr(frame_extraction, "_MOST_TRANSCODED", 3000)
    async with open_node(tmp_path) as node:
        (stored,) = await fill(node, file := make_instance(frames=5, rows=100))
        _, (new,) = await asyncio.to_thread(got, node.port, wanted(stored, SimpleFrameList=[2, 3]))
        assert (pixel_array(new) == pixel_array(dcmread(BytesIO(file)))[[1, 2]]).all()
        last, taken = await asyncio.to_thread(
            got, node.port, wanted(stored, SimpleFrameList=[2, 3]), ImplicitVRLittleEndian
        )
        assert (last.Status, taken) == (0xA702, [])  # more than is put into another transfer syntax


async def test_whole_instances(tmp_path: Path) -> None:
    async with open_node(tmp_path) as node:
        stored = await fill(node, make_instance(frames=2), make_instance(), make_instance())
        asked = identifier("IMAGE", SOPInstanceUID=[each.SOPInstanceUID for each in stored[:2]])
        last, taken = await asyncio.to_thread(got, node.port, asked)
        assert (last.Status, {each.SOPInstanceUID for each in taken}) == (
            0x0000,
            {each.SOPInstanceUID for each in stored[:2]},
        )


@pytest.mark.parametrize("synchronous", [True, False])
async def test_frames_by_move(tmp_path: Path, synchronous: bool) -> None:
    port, taken = free_port(), []

    def take(event: Any) -> int:
        taken.append((event.dataset.NumberOfFrames, event.dataset.SOPInstanceUID, event.request.AffectedSOPInstanceUID))
        return 0x0000

    async with open_node(tmp_path, modalities=sink(port), synchronous_move=synchronous) as node:
        (stored,) = await fill(node, make_instance(frames=3))
        with receiver(port, [build_context(CT)], take):
            asked = wanted(stored, SimpleFrameList=[1, 2])
            *_, (last, _) = await asyncio.to_thread(move, node.port, asked, MOVE)
        assert (last.Status, counters(last)) == (0x0000, (None, 1, 0, 0))
    ((frames, inside, named),) = taken
    assert frames == 2
    assert inside == named != stored.SOPInstanceUID


@pytest.mark.parametrize(
    ("keys", "status"),
    [
        ({"SimpleFrameList": [9]}, 0xAA00),
        ({"SimpleFrameList": [1], "SOPInstanceUID": "1.2.3"}, 0xAA00),
        ({"SimpleFrameList": [1], "SOPInstanceUID": "x"}, 0xA900),
        ({"SimpleFrameList": [1], "SOPInstanceUID": ["1.2.3", "1.2.4"]}, 0xAA04),
        ({"SimpleFrameList": [1], "SOPInstanceUID": ""}, 0xAA04),
        ({"TimeRange": [0.0, 1.0]}, 0xAA03),
        ({"SimpleFrameList": [2, 1]}, 0xAA04),
        ({"SimpleFrameList": [0]}, 0xAA04),
        ({"SimpleFrameList": []}, 0xAA04),
        ({"CalculatedFrameList": [1, 2]}, 0xAA04),
        ({"SimpleFrameList": [1], "TimeRange": [0.0, 1.0]}, 0xAA04),
        ({}, 0xAA04),
    ],
)
async def test_what_is_asked_wrongly(tmp_path: Path, keys: dict[str, Any], status: int) -> None:
    async with open_node(tmp_path) as node:
        (stored,) = await fill(node, make_instance(frames=2))
        asked = identifier("FRAME", **({"SOPInstanceUID": stored.SOPInstanceUID} | keys))
        last, taken = await asyncio.to_thread(got, node.port, asked)
        assert (last.Status, taken) == (status, [])


async def test_instances_without_frames_that_could_be_cut(tmp_path: Path) -> None:
    tiled = make_instance(frames=2, DimensionOrganizationType="TILED_FULL")
    async with open_node(tmp_path) as node:
        for file, status in ((tiled, 0xAA01), (make_instance(PixelData=None), 0xAA02)):
            (stored,) = await fill(node, file)
            last, _ = await asyncio.to_thread(got, node.port, wanted(stored, SimpleFrameList=[1]))
            assert last.Status == status


async def test_other_levels_and_views(tmp_path: Path) -> None:
    tenant = ApplicationEntity("NORTH", view=View(("north",)), labels=((int(Level.STUDY), "north"),))
    async with open_node(tmp_path, entities=(tenant,)) as node:
        (stored,) = await fill(node, make_instance(frames=2))
        last, _ = await asyncio.to_thread(
            got, node.port, identifier("SERIES", SeriesInstanceUID=stored.SeriesInstanceUID)
        )
        assert last.Status == 0xA900
        asked = wanted(stored, SimpleFrameList=[1])
        assert (await asyncio.to_thread(got, node.port, asked, title="NORTH"))[0].Status == 0xAA00
        assert (await asyncio.to_thread(got, node.port, asked))[0].Status == 0x0000
