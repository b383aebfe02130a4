"""Data sets without their pixels, waveforms and documents; pydicom says what is left."""

from io import BytesIO
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
)

from dicomweb_server.dicom.header import read_header
from dicomweb_server.dicom.without_bulk_data import without_bulk_data
from dicomweb_server.errors import Reason, ServerError
from tests.builders import bare_dataset, fake_jpeg, make_encapsulated, make_instance


def bare(data: bytes) -> bytes:
    return b"".join(bytes(piece) for piece in without_bulk_data(read_header(data)))


def large(**more: Any) -> dict[str, Any]:
    """Attributes of which some must go."""
    waveform, icon = Dataset(), Dataset()
    waveform.NumberOfWaveformSamples, waveform.WaveformBitsAllocated = 4, 16
    waveform.add_new(0x54001010, "OW", bytes(range(8)))
    icon.Rows, icon.Columns = 2, 2
    icon.add_new(0x7FE00010, "OW", bytes(8))
    other = Dataset()
    other.NumberOfWaveformSamples = 0
    return {"WaveformSequence": [waveform, other], "IconImageSequence": [icon], **more}


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_what_is_left(syntax: str) -> None:
    data = make_instance(transfer_syntax_uid=syntax, rows=100, columns=100, **large())
    expected = dcmread(BytesIO(data))
    del expected.PixelData
    del expected.WaveformSequence[0][0x54001010]
    found = read_dataset(BytesIO(bare(data)), syntax == ImplicitVRLittleEndian, True)
    assert found == expected
    assert len(found.IconImageSequence[0].PixelData) == 8


def test_overlays_documents_and_padding_go() -> None:
    data = make_instance(rows=4, columns=4, EncapsulatedDocument=bytes(5000))
    dataset = dcmread(BytesIO(data))
    for tag, vr in ((0x60003000, "OW"), (0x60023000, "OW"), (0xFFFCFFFC, "OB")):
        dataset.add_new(tag, vr, bytes(100))
    target = BytesIO()
    dataset.save_as(target)
    found = read_dataset(BytesIO(bare(target.getvalue())), False, True)
    assert not {0x60003000, 0x60023000, 0xFFFCFFFC, 0x00420011, 0x7FE00010} & {int(element.tag) for element in found}
    assert found.Rows == 4


def test_compressed_pixels_go() -> None:
    data = make_encapsulated([fake_jpeg()], transfer_syntax_uid=JPEGBaseline8Bit)
    found = read_dataset(BytesIO(bare(data)), False, True)
    assert "PixelData" not in found
    assert found.SOPInstanceUID == dcmread(BytesIO(data)).SOPInstanceUID


def test_what_has_no_bulk_data_stays_as_it_is() -> None:
    data = make_instance(PixelData=None)
    assert bare(data) == bare_dataset(data)


def test_big_endian_is_refused() -> None:
    with pytest.raises(ServerError, match="Big Endian") as caught:
        bare(make_instance(transfer_syntax_uid=ExplicitVRBigEndian))
    assert caught.value.reason is Reason.NOT_ACCEPTABLE
