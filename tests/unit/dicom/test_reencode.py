"""Re-encoding: every native encoding becomes Explicit VR Little Endian with the same values, whatever its lengths."""

import shutil
import struct
import subprocess
import tracemalloc
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    generate_uid,
)

from dicomweb_server.dicom.frames import index_frames
from dicomweb_server.dicom.header import open_part10, read_header
from dicomweb_server.dicom.reencode import CHUNK, reencode
from dicomweb_server.errors import Reason, ServerError
from tests.builders import NATIVE, fake_jpeg, make_dataset, make_encapsulated, make_instance, write_part10
from tests.encoded import EXPLICIT_BIG_UID, IMPLICIT_LITTLE_UID, encoded, item, part10, sequence
from tests.real_files import REAL_FILES, tolerant_pydicom


def reencoded(file: bytes) -> bytes:
    result = reencode(open_part10(file))
    pieces = list(result)
    assert result.size == sum(map(len, pieces))
    assert all(len(piece) <= CHUNK or isinstance(piece, bytearray) for piece in pieces)
    return b"".join(pieces)


def data_set_of(file: bytes) -> bytes:
    header = open_part10(file)
    assert header.transfer_syntax_uid == ExplicitVRLittleEndian
    return header.buffer[header.start : header.end]


def rich_dataset() -> Dataset:
    nested = Dataset()
    nested.ReferencedSOPInstanceUID = "1.2.3"
    nested.SmallestImagePixelValue = -5
    nested["SmallestImagePixelValue"].VR = "SS"
    inner = Dataset()
    inner.CodeValue = "T-D1100"
    nested.PurposeOfReferenceCodeSequence = [inner, Dataset()]
    dataset = make_dataset(
        PixelRepresentation=1,
        SmallestImagePixelValue=-7,
        ImageType=["ORIGINAL", "PRIMARY"],
        PixelSpacing=["0.5", "0.25"],
        ReferencedImageSequence=[nested, nested],
        AcquisitionDuration=1.25,
        DimensionIndexPointer=[0x00200032, 0x00100010],
        RedPaletteColorLookupTableData=struct.pack("<4H", 1, 2, 3, 4),
        ReferencedFrameNumber=[1, 2, 3],
        PatientComments="a long text, " * 50 + "end",
    )
    dataset.add_new(0x00090010, "LO", "ACME")
    dataset.add_new(0x00091002, "UN", b"opaque")
    return dataset


@pytest.mark.parametrize("syntax", NATIVE)
@pytest.mark.parametrize("undefined", [True, False])
def test_values_stay_the_same(syntax: str, undefined: bool) -> None:
    dataset = rich_dataset()
    dataset["ReferencedImageSequence"].is_undefined_length = undefined
    for element in dataset["ReferencedImageSequence"].value:
        element.is_undefined_length_sequence_item = undefined
    if syntax == ExplicitVRBigEndian:
        dataset.RedPaletteColorLookupTableData = struct.pack(">4H", 1, 2, 3, 4)
    result = dcmread(BytesIO(reencoded(write_part10(dataset, syntax))))
    dataset.RedPaletteColorLookupTableData = struct.pack("<4H", 1, 2, 3, 4)
    assert result.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert result.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID
    assert result.to_json_dict() == dataset.to_json_dict()
    assert result["ReferencedImageSequence"].is_undefined_length == undefined


@pytest.mark.parametrize("syntax", NATIVE)
def test_the_same_encoding_again_is_the_same_data_set(syntax: str) -> None:
    file = write_part10(rich_dataset(), syntax)
    again = b"".join(reencode(open_part10(file), syntax))
    assert dcmread(BytesIO(again)) == dcmread(BytesIO(file))
    assert open_part10(again).transfer_syntax_uid == syntax


def test_explicit_little_endian_stays_as_it_is() -> None:
    file = make_instance()
    assert reencoded(file) == file


@pytest.mark.parametrize("syntax", NATIVE)
@pytest.mark.parametrize("bits", [8, 16, 32])
def test_pixels_are_the_frames_that_were_served_before(syntax: str, bits: int) -> None:
    file = make_instance(transfer_syntax_uid=syntax, bits_allocated=bits, rows=64, columns=64)
    result = read_header(reencoded(file))
    offset, length = index_frames(result).span()
    expected = read_header(make_instance(bits_allocated=bits, rows=64, columns=64))
    start, size = index_frames(expected).span()
    assert result.buffer[offset : offset + length] == expected.buffer[start : start + size]


def test_large_values_are_swapped_in_pieces_and_never_held_whole() -> None:
    pixels = struct.pack("<2H", 1, 2) * (1 << 21)
    file = make_instance(transfer_syntax_uid=ExplicitVRBigEndian, PixelData=pixels)
    result = reencode(open_part10(file))
    tracemalloc.start()
    try:
        total = sum(len(piece) for piece in result)
        assert tracemalloc.get_traced_memory()[1] < 6 * CHUNK
    finally:
        tracemalloc.stop()
    assert total == result.size > len(pixels)
    assert b"".join(result).endswith(struct.pack(">2H", 1, 2) * (1 << 21))


def test_file_meta_is_kept_but_for_the_transfer_syntax() -> None:
    dataset = make_dataset()
    file = write_part10(dataset, ImplicitVRLittleEndian)
    dataset.file_meta.SourceApplicationEntityTitle = "MODALITY"
    dataset.file_meta.PrivateInformationCreatorUID = generate_uid()
    dataset.file_meta.PrivateInformation = b"1234"
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    result = dcmread(BytesIO(reencoded(buffer.getvalue()))).file_meta
    expected = dcmread(BytesIO(file)).file_meta
    assert result.MediaStorageSOPClassUID == expected.MediaStorageSOPClassUID
    assert result.FileMetaInformationVersion == b"\0\1"
    assert (result.SourceApplicationEntityTitle, result.PrivateInformation) == ("MODALITY", b"1234")
    assert result.TransferSyntaxUID == ExplicitVRLittleEndian
    start = open_part10(reencoded(buffer.getvalue())).start
    assert result.FileMetaInformationGroupLength == start - 144


def test_compressed_pixel_data_need_a_codec() -> None:
    with pytest.raises(ServerError) as caught:
        reencode(open_part10(make_encapsulated([fake_jpeg()])))
    assert caught.value.reason is Reason.NOT_ACCEPTABLE
    assert "1.2.840.10008.1.2.4.50" in caught.value.detail


def test_fragments_in_big_endian_are_refused() -> None:
    source = encoded(0x7FE00010, "OB", b"", length=0xFFFFFFFF, order=">") + item(b"ab", order=">")
    source += encoded(0xFFFEE0DD, "", order=">")
    with pytest.raises(ServerError) as caught:
        reencode(open_part10(part10(source, EXPLICIT_BIG_UID)))
    assert caught.value.reason is Reason.NOT_ACCEPTABLE


def test_sequence_that_grows_beyond_its_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicomweb_server.dicom.reencode.UNDEFINED", 100)
    source = sequence(0x00081140, item(encoded(0x00104000, "", b"x" * 90)), vr="")
    with pytest.raises(ServerError) as caught:
        reencode(open_part10(part10(source, IMPLICIT_LITTLE_UID)))
    assert caught.value.reason is Reason.NOT_ACCEPTABLE


def test_data_set_in_implicit_vr_under_a_wrong_label() -> None:
    implicit = encoded(0x00080060, "", b"CT") + encoded(0x00280010, "", b"\1\0")
    result = data_set_of(reencoded(part10(implicit)))
    assert result == encoded(0x00080060, "CS", b"CT") + encoded(0x00280010, "US", b"\1\0")


def test_value_too_long_for_its_vr_becomes_unknown() -> None:
    value = b"1\\" * 40000
    result = data_set_of(reencoded(part10(encoded(0x00280030, "", value), IMPLICIT_LITTLE_UID)))
    assert result == encoded(0x00280030, "UN", value)


def test_group_lengths_are_left_out() -> None:
    nested = item(encoded(0x00080000, "", b"\xff\0\0\0") + encoded(0x00080100, "", b"X "))
    source = encoded(0x00080000, "", b"\xff\0\0\0") + sequence(0x00081140, nested, vr="")
    result = data_set_of(reencoded(part10(source, IMPLICIT_LITTLE_UID)))
    assert result == sequence(0x00081140, item(encoded(0x00080100, "SH", b"X ")))


@pytest.mark.parametrize("outer", [True, False])
@pytest.mark.parametrize("inner", [True, False])
def test_lengths_of_sequences_stay_defined_or_undefined(outer: bool, inner: bool) -> None:
    def nested(vr: str, text: str) -> bytes:
        code = encoded(0x00080100, text, b"X ")
        return sequence(0x00081140, item(code, defined=inner), item(defined=inner), vr=vr, defined=outer)

    assert data_set_of(reencoded(part10(nested("", ""), IMPLICIT_LITTLE_UID))) == nested("SQ", "SH")


def test_unknown_values_of_undefined_length_stay_in_implicit_vr() -> None:
    content = item(encoded(0x00080100, "", b"X "))
    source = encoded(0x00091001, "UN", b"", length=0xFFFFFFFF, order=">") + content + encoded(0xFFFEE0DD, "")
    result = data_set_of(reencoded(part10(source, EXPLICIT_BIG_UID)))
    assert result == encoded(0x00091001, "UN", b"", length=0xFFFFFFFF) + content + encoded(0xFFFEE0DD, "")


def test_private_sequence_that_no_dictionary_knows() -> None:
    source = sequence(0x00091001, item(encoded(0x00080100, "", b"X ")), vr="", defined=False)
    expected = sequence(0x00091001, item(encoded(0x00080100, "SH", b"X ")), defined=False)
    assert data_set_of(reencoded(part10(source, IMPLICIT_LITTLE_UID))) == expected


def test_signed_values_take_their_vr_from_the_data_set_around() -> None:
    def nested(text: str, us: str, ss: str) -> bytes:
        lowest = encoded(0x00280106, ss, b"\xff\xff")
        return sequence(0x00081140, item(lowest), vr=text) + encoded(0x00280103, us, b"\1\0") + lowest

    result = data_set_of(reencoded(part10(nested("", "", ""), IMPLICIT_LITTLE_UID)))
    assert result == nested("SQ", "US", "SS")


@given(st.binary(max_size=300), st.sampled_from([IMPLICIT_LITTLE_UID, EXPLICIT_BIG_UID]))
def test_any_bytes_are_refused_or_become_explicit(data_set: bytes, syntax: str) -> None:
    try:
        file = reencoded(part10(data_set, syntax))
    except ServerError:
        return
    read_header(file)


def comparable(dataset: Dataset) -> dict[int, Any]:
    values: dict[int, Any] = {}
    for element in dataset:
        if element.tag.element and element.tag.group != 2:
            value = [comparable(part) for part in element.value] if element.VR == "SQ" else repr(element.value)
            values[int(element.tag)] = value
    return values


NATIVE_FILES = [
    path
    for path in REAL_FILES
    if open_part10(path.read_bytes()).transfer_syntax_uid in set(NATIVE) - {ExplicitVRLittleEndian}
]
# DCMTK pads a value of odd length, we do not.
OTHERWISE_IN_DCMTK = {"nested_priv_SQ.dcm"}


def run(command: list[str]) -> None:
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_there_are_real_files_to_convert() -> None:
    assert len(NATIVE_FILES) > 20


@pytest.mark.skipif(shutil.which("dcmconv") is None, reason="needs DCMTK")
@pytest.mark.parametrize("path", NATIVE_FILES, ids=lambda path: path.name)
def test_real_files_are_converted_as_dcmtk_converts_them(path: Path, tmp_path: Path) -> None:
    (tmp_path / "ours.dcm").write_bytes(reencoded(path.read_bytes()))
    run(["dcmconv", "+te", "-g", str(path), str(tmp_path / "theirs.dcm")])
    run(["dcmdump", "-q", str(tmp_path / "ours.dcm")])
    if path.name not in OTHERWISE_IN_DCMTK:
        with tolerant_pydicom():
            ours, theirs = (comparable(dcmread(tmp_path / name)) for name in ("ours.dcm", "theirs.dcm"))
        assert ours == theirs
