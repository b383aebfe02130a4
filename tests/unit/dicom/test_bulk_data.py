"""Bulk data: every URI of the JSON leads to its value, and nothing else does."""

import json
import re
import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from dicomweb_server.dicom.bulk_data import BulkValue, all_bulk, is_bulk_data, locate, parse_path
from dicomweb_server.dicom.instance import parse_instance
from dicomweb_server.errors import Reason, ServerError
from tests.builders import NATIVE, fake_jpeg, make_dataset, make_encapsulated, make_instance, write_part10
from tests.encoded import EXPLICIT_BIG_UID, encoded, identity, item, part10, sequence
from tests.real_files import REAL_FILES, tolerant_pydicom

LONG = bytes(range(256)) * 8


def content(file: bytes, value: BulkValue) -> bytes:
    if value.piece is None:
        assert value.size == len(value.data)
        return value.data
    offset, length = value.piece
    assert value.size == length
    return file[offset : offset + length]


def at(file: bytes, path: str) -> bytes:
    return content(file, locate(file, parse_path(path)))


def refusal(call: Callable[..., object], *arguments: object) -> ServerError:
    with pytest.raises(ServerError) as caught:
        call(*arguments)
    return caught.value


def paths_in_json(file: bytes) -> list[str]:
    metadata = parse_instance(file).metadata.decode()
    return re.findall(r'"BulkDataURI":"[^"]*/bulkdata/([^"]*)"', metadata)


@pytest.mark.parametrize(
    ("text", "path"),
    [("7FE00010", (0x7FE00010,)), ("00540016/12/0009100a", (0x00540016, 12, 0x0009100A))],
)
def test_paths(text: str, path: tuple[int, ...]) -> None:
    assert parse_path(text) == path


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "7FE0001",
        "7FE00010/",
        "7FE00010/1",
        "7FE00010\n",
        "PixelData",
        "../7FE00010",
        "00540016/0/7FE00010",
        "00540016/01/7FE00010",
        "00540016/-1/7FE00010",
        "00540016/٣/7FE00010",
        "00540016/9999999999/7FE00010",
        "00540016/1/00540016/1",
        "00540016/1/" * 65 + "7FE00010",
        "/" * 100000,
    ],
)
def test_what_is_no_path(text: str) -> None:
    assert refusal(parse_path, text).reason is Reason.BAD_REQUEST


@pytest.mark.parametrize("syntax", NATIVE)
def test_pixel_data_are_little_endian(syntax: str) -> None:
    expected = struct.pack("<64H", *range(64))
    file = make_instance(transfer_syntax_uid=syntax)
    value = locate(file, (0x7FE00010,))
    assert content(file, value) == expected
    assert (value.vr, value.media_type, value.path) == ("OW", "application/octet-stream", "7FE00010")
    in_place = syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
    assert (value.piece is not None) == in_place


def test_encapsulated_pixel_data_as_a_whole() -> None:
    file = make_encapsulated([fake_jpeg(b"one"), fake_jpeg(b"two")])
    value = locate(file, (0x7FE00010,))
    assert (value.encapsulated, value.media_type, value.vr) == (True, "image/jpeg", "OB")
    assert content(file, value).startswith(b"\xfe\xff\x00\xe0\x08\0\0\0")
    assert list(all_bulk(file)) == [value]


@pytest.mark.parametrize("syntax", NATIVE)
def test_values_in_sequences(syntax: str) -> None:
    big = syntax == ExplicitVRBigEndian
    nested, wave = Dataset(), Dataset()
    nested.WaveformBitsAllocated = 16
    nested.add_new(0x54001010, "OW", struct.pack(">1000H" if big else "<1000H", *range(1000)))
    wave.add_new(0x00091002, "OB", LONG)
    wave.add_new(0x00090010, "LO", "ACME")
    nested.AnatomicRegionSequence = [Dataset(), wave]
    file = write_part10(make_dataset(WaveformSequence=[Dataset(), nested]), syntax)
    expected = struct.pack("<1000H", *range(1000))
    assert at(file, "54000100/2/54001010") == expected
    assert at(file, "54000100/2/00082218/2/00091002") == LONG
    found = {value.path: content(file, value) for value in all_bulk(file)}
    assert found == {"54000100/2/00082218/2/00091002": LONG, "54000100/2/54001010": expected}
    assert sorted(found) == sorted(paths_in_json(file))


def test_value_that_json_has_inline_can_be_fetched_too() -> None:
    file = write_part10(make_dataset(PatientComments="short"))
    assert at(file, "00104000") == b"short "


@pytest.mark.parametrize(
    "path",
    [
        "7FE00010",
        "00081140",
        "00081140/1/00081155",
        "00081140/2/00081150",
        "00100010/1/00081155",
        "00081111",
        "00102000",
    ],
)
def test_nothing_there(path: str) -> None:
    reference = Dataset()
    reference.ReferencedSOPClassUID = "1.2.3"
    dataset = make_dataset(
        ReferencedImageSequence=[reference], MedicalAlerts="", ReferencedPerformedProcedureStepSequence=[]
    )
    error = refusal(locate, write_part10(dataset), parse_path(path))
    assert error.reason is Reason.NOT_FOUND
    assert path[:8] in error.detail


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
def test_long_text_is_utf8(syntax: str) -> None:
    text = "häufig " * 20000
    file = write_part10(make_dataset(SpecificCharacterSet="ISO_IR 100", TextValue=text.strip()), syntax)
    assert at(file, "0040A160").decode("utf-8").rstrip() == text.strip()
    assert [value.path for value in all_bulk(file)] == paths_in_json(file) == ["0040A160"]


def test_character_set_of_an_item() -> None:
    inner = Dataset()
    inner.SpecificCharacterSet = "ISO_IR 144"
    inner.TextValue = "Привет"
    file = write_part10(make_dataset(ContentSequence=[inner]))
    assert at(file, "0040A730/1/0040A160").decode("utf-8").rstrip() == "Привет"


@pytest.mark.parametrize(
    ("document_type", "media_type"),
    [
        ("application/pdf", "application/pdf"),
        ("evil\r\nheader: x", "application/octet-stream"),
        (None, "application/octet-stream"),
    ],
)
def test_encapsulated_document_has_its_own_media_type(document_type: str | None, media_type: str) -> None:
    file = write_part10(make_dataset(EncapsulatedDocument=b"%PDF-1.7 ", MIMETypeOfEncapsulatedDocument=document_type))
    value = locate(file, (0x00420011,))
    assert value.media_type == media_type
    assert content(file, value).startswith(b"%PDF-1.7")
    assert [each.path for each in all_bulk(file)] == paths_in_json(file)


def test_values_of_unknown_vr() -> None:
    inner = item(encoded(0x00091002, "", LONG))
    before, after = identity()
    file = part10(
        before
        + sequence(0x00081111, inner, vr="UN")  # a public sequence, its VR lost
        + encoded(0x00081120, "UN", LONG)  # another, which it is not
        + sequence(0x00091001, inner, vr="UN", defined=False)
        + encoded(0x00091003, "UN", LONG)
        + after
    )
    expected = ["00081111/1/00091002", "00081120", "00091001/1/00091002", "00091003"]
    assert [value.path for value in all_bulk(file)] == paths_in_json(file) == expected
    assert {at(file, path) for path in expected[:1] + expected[2:]} == {LONG}


def test_small_value_of_unknown_vr_is_no_sequence() -> None:
    before, after = identity()
    file = part10(before + encoded(0x00081120, "UN", b"no items") + after)
    assert list(all_bulk(file)) == []
    assert paths_in_json(file) == []


def test_broken_sequence_is_refused() -> None:
    file = part10(encoded(0x00081120, "SQ", b"no items"))
    assert refusal(lambda: list(all_bulk(file))).reason is Reason.CANNOT_UNDERSTAND


def test_unknown_bytes_of_big_endian_stay_as_they_are() -> None:
    before, after = identity(order=">")
    file = part10(before + encoded(0x00091003, "UN", LONG, order=">") + after, EXPLICIT_BIG_UID)
    assert at(file, "00091003") == LONG


def test_first_of_equal_tags_counts() -> None:
    before, after = identity()
    file = part10(before + encoded(0x00091003, "OB", LONG) + encoded(0x00091003, "OB", LONG[::-1]) + after)
    assert at(file, "00091003") == LONG
    assert [value.path for value in all_bulk(file)] == paths_in_json(file) == ["00091003"]


@pytest.mark.parametrize(
    ("tag", "vr", "length", "bulk"),
    [
        (0x7FE00010, "OW", 0, False),
        (0x7FE00010, "OW", 2, True),
        (0x00420011, "OB", 2, True),
        (0x00091001, "OB", 1024, False),
        (0x00091001, "UN", 1026, True),
        (0x00091001, "UT", 65536, False),
        (0x00091001, "US", 65538, True),
    ],
)
def test_what_is_left_to_bulk_data(tag: int, vr: str, length: int, bulk: bool) -> None:
    assert is_bulk_data(tag, vr, length) == bulk


def element_at(dataset: Dataset, path: str) -> Any:
    *outer, tag = path.split("/")
    for sequence_tag, number in zip(outer[::2], outer[1::2], strict=True):
        dataset = dataset[int(sequence_tag, 16)].value[int(number) - 1]
    return dataset[int(tag, 16)]


@pytest.mark.parametrize("path", REAL_FILES, ids=lambda path: path.name)
def test_every_uri_of_real_files_leads_to_its_value(path: Path) -> None:
    file = path.read_bytes()
    found = {value.path: value for value in all_bulk(file)}
    try:
        assert sorted(found) == sorted(paths_in_json(file))
    except ServerError as error:
        assert error.reason in (Reason.MISSING_UID, Reason.UNSUPPORTED_SOP_CLASS)  # noqa: PT017  (no JSON of these)
    with tolerant_pydicom():
        dataset = dcmread(BytesIO(file))
    for name, value in found.items():
        assert locate(file, parse_path(name)) == value
        theirs = element_at(dataset, name).value
        if isinstance(theirs, bytes) and dataset.file_meta.TransferSyntaxUID.is_little_endian:
            ours = content(file, value)
            assert ours == theirs or (value.encapsulated and theirs.startswith(ours.removesuffix(theirs[-8:])))


@given(st.binary(max_size=200), st.sampled_from(["7FE00010", "00081140/1/00081150"]))
def test_any_bytes_are_searched_or_refused(data_set: bytes, path: str) -> None:
    try:
        locate(part10(data_set), parse_path(path))
    except ServerError as error:
        assert json.dumps(error.detail)  # noqa: PT017  (both outcomes are right)
