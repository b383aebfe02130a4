"""C-GET and C-MOVE to who does not accept what is stored: decompressed, or compressed without losses."""

import asyncio
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import generate_uid
from pynetdicom import AE, build_context, build_role, evt

from conformance.server import free_port
from dicomweb_server.dicom.pixels.encode import Target
from dicomweb_server.dicom.pixels.transcode import transcode
from dicomweb_server.services.modalities import Modality, Service
from tests.app.dimse_harness import AE_TITLE, CT, needs_dcmtk, open_node, tool
from tests.app.dimse_peers import Answers, counters, fill, identifier, move, receiver, sink
from tests.encoded_images import decoded, image_file
from tests.images import described, image

STUDY_GET = "1.2.840.10008.5.1.4.1.2.2.3"
P = "1.2.840.10008.1.2."
IMPLICIT, EXPLICIT, BIG, RLE = P[:-1], P + "1", P + "2", P + "5"
JPEG, JPEG_LS, J2K, VIDEO = P + "4.50", P + "4.80", P + "4.90", P + "4.102"
IMAGE = described(12)


def received(event: Any) -> bytes:
    """The file of what came."""
    dataset = event.dataset
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = event.context.transfer_syntax
    dataset.file_meta.MediaStorageSOPClassUID = event.request.AffectedSOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = event.request.AffectedSOPInstanceUID
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def get(port: int, asked: Dataset, syntaxes: list[str]) -> tuple[Answers, list[bytes]]:
    got: list[bytes] = []

    def store(event: Any) -> int:
        got.append(received(event))
        return 0x0000

    contexts = [build_context(STUDY_GET), *(build_context(CT, [uid]) for uid in syntaxes)]
    handlers: list[Any] = [(evt.EVT_C_STORE, store)]
    roles: list[Any] = [build_role(CT, scp_role=True)]
    association = AE("GETTER").associate(
        "127.0.0.1", port, contexts, ae_title=AE_TITLE, ext_neg=roles, evt_handlers=handlers
    )
    answers = list(association.send_c_get(asked, STUDY_GET))
    association.release()
    return answers, got


@pytest.mark.parametrize(
    ("stored", "accepted", "sent"),
    [
        (J2K, [IMPLICIT], IMPLICIT),
        (RLE, [IMPLICIT, EXPLICIT], EXPLICIT),
        (JPEG_LS, [EXPLICIT, JPEG_LS], JPEG_LS),
        (JPEG_LS, [J2K], J2K),
        (EXPLICIT, [J2K], J2K),
        (EXPLICIT, [BIG], BIG),
        (J2K, [BIG], BIG),
    ],
)
async def test_get(tmp_path: Path, stored: str, accepted: list[str], sent: str) -> None:
    async with open_node(tmp_path) as node:
        (one,) = await fill(node, image_file(IMAGE, stored, frames=2))
        asked = identifier("STUDY", StudyInstanceUID=one.StudyInstanceUID)
        answers, got = await asyncio.to_thread(get, node.port, asked, accepted)
    assert (answers[-1][0].Status, counters(answers[-1][0])) == (0x0000, (None, 1, 0, 0))
    assert dcmread(BytesIO(got[0])).file_meta.TransferSyntaxUID == sent
    assert dcmread(BytesIO(got[0])).SOPInstanceUID == one.SOPInstanceUID
    np.testing.assert_array_equal(decoded(got[0]), [image(IMAGE, 0), image(IMAGE, 1)])


async def test_get_of_recompressed_jpeg(tmp_path: Path) -> None:
    """It goes out as the JPEG it was made of, not decompressed, as long as the peer takes that."""
    original = image_file(described(8), JPEG)
    for number, (accepted, sent) in enumerate((([EXPLICIT, JPEG], JPEG), ([EXPLICIT], EXPLICIT))):
        async with open_node(tmp_path / str(number)) as node:
            (one,) = await fill(node, transcode(original, Target(P + "4.111")))
            asked = identifier("STUDY", StudyInstanceUID=one.StudyInstanceUID)
            _, (got,) = await asyncio.to_thread(get, node.port, asked, accepted)
        assert dcmread(BytesIO(got)).file_meta.TransferSyntaxUID == sent
        np.testing.assert_array_equal(decoded(got), decoded(original))


async def test_nothing_is_sent_with_losses_that_nobody_asked_for(tmp_path: Path) -> None:
    async with open_node(tmp_path) as node:
        (one,) = await fill(node, image_file(described(8)))
        asked = identifier("STUDY", StudyInstanceUID=one.StudyInstanceUID)
        answers, got = await asyncio.to_thread(get, node.port, asked, [P + "4.50", P + "4.91", VIDEO])
    assert (counters(answers[-1][0]), got) == ((None, 0, 1, 0), [])


async def test_what_cannot_be_decoded_fails_alone(tmp_path: Path) -> None:
    broken = bytearray(image_file(IMAGE, J2K))
    place = broken.index(b"\xff\x4f\xff\x51")
    broken[place + 4 : place + 60] = bytes(56)
    async with open_node(tmp_path) as node:
        (one,) = await fill(node, bytes(broken))
        (other,) = await fill(
            node, image_file(IMAGE, J2K, StudyInstanceUID=one.StudyInstanceUID, SeriesInstanceUID=one.SeriesInstanceUID)
        )
        asked = identifier("STUDY", StudyInstanceUID=one.StudyInstanceUID)
        answers, got = await asyncio.to_thread(get, node.port, asked, [IMPLICIT])
    assert counters(answers[-1][0]) == (None, 1, 1, 0)
    assert [dcmread(BytesIO(data)).SOPInstanceUID for data in got] == [other.SOPInstanceUID]


async def test_move(tmp_path: Path) -> None:
    port, got = free_port(), []

    def store(event: Any) -> int:
        got.append(received(event))
        return 0x0000

    async with open_node(tmp_path, modalities=sink(port)) as node:
        (one,) = await fill(node, image_file(IMAGE, J2K))
        with receiver(port, [build_context(CT, [IMPLICIT])], store):
            asked = identifier("STUDY", StudyInstanceUID=one.StudyInstanceUID)
            *_, (last, _) = await asyncio.to_thread(move, node.port, asked)
    assert (last.Status, counters(last)) == (0x0000, (None, 1, 0, 0))
    np.testing.assert_array_equal(decoded(got[0])[0], image(IMAGE))


@needs_dcmtk
async def test_getscu_gets_what_it_can_read(tmp_path: Path) -> None:
    """DCMTK's getscu takes uncompressed instances only, unless told otherwise."""
    async with open_node(tmp_path / "store") as node:
        (one,) = await fill(node, image_file(IMAGE, P + "4.201"))
        out = tmp_path / "out"
        await asyncio.to_thread(out.mkdir)
        keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={one.StudyInstanceUID}"]
        await tool("getscu", "-S", *keys, "-od", out, "-aec", AE_TITLE, "127.0.0.1", node.port)
        (data,) = await asyncio.to_thread(lambda: [file.read_bytes() for file in out.iterdir()])
    np.testing.assert_array_equal(decoded(data)[0], image(IMAGE))


async def test_c_get_by_a_node_that_may_get_nothing_transcoded(tmp_path: Path) -> None:
    getter = Modality("GETTER", "127.0.0.1", 104, frozenset(Service), transcoding=False)
    async with open_node(tmp_path, modalities={"getter": getter}) as node:
        study_uid = generate_uid()
        await fill(node, *(image_file(IMAGE, syntax, StudyInstanceUID=study_uid) for syntax in (J2K, EXPLICIT)))
        asked = identifier("STUDY", StudyInstanceUID=study_uid)
        answers, got = await asyncio.to_thread(get, node.port, asked, [IMPLICIT])
    assert counters(answers[-1][0]) == (None, 1, 1, 0)
    assert [dcmread(BytesIO(each)).file_meta.TransferSyntaxUID for each in got] == [IMPLICIT]


async def test_a_node_that_may_get_nothing_transcoded(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    contexts = [build_context(CT, [IMPLICIT])]
    for transcoding, expected in ((True, (None, 2, 0, 0)), (False, (None, 1, 1, 0))):
        modalities = sink(port, transcoding=transcoding)
        async with open_node(tmp_path / str(transcoding), modalities=modalities) as node:
            study_uid = generate_uid()
            files = [image_file(IMAGE, syntax, StudyInstanceUID=study_uid) for syntax in (J2K, EXPLICIT)]
            await fill(node, *files)
            with receiver(port, contexts, lambda event: 0x0000):
                asked = identifier("STUDY", StudyInstanceUID=study_uid)
                answers = await asyncio.to_thread(move, node.port, asked)
            assert counters(answers[-1][0]) == expected
    (record,) = [record for record in caplog.records if record.message == "instance not sent"]
    assert record.__dict__["detail"] == "no context was accepted that it can be sent in"
