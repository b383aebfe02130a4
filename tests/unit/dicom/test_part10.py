import struct
from io import BytesIO

import pytest
from pydicom import dcmread

from dicomweb_server.dicom.part10 import (
    MEDIA_STORAGE_SOP_INSTANCE_UID,
    TRANSFER_SYNTAX_UID,
    file_meta,
    has_short_head,
    read_file_meta,
)
from dicomweb_server.dicom.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicomweb_server.errors import Reason, ServerError
from tests.builders import bare_dataset, make_instance


def test_our_file_meta_and_a_bare_data_set_are_a_part_10_file() -> None:
    dataset = bare_dataset(make_instance(PatientID="P7"))
    part10 = file_meta("1.2.840.10008.5.1.4.1.1.2", "1.2.3.4", "1.2.840.10008.1.2.1", source_ae="SENDER") + dataset
    read = dcmread(BytesIO(part10))
    meta = read.file_meta
    assert read.PatientID == "P7"
    assert meta.FileMetaInformationVersion == b"\0\1"
    assert meta.MediaStorageSOPClassUID == "1.2.840.10008.5.1.4.1.1.2"
    assert meta.MediaStorageSOPInstanceUID == "1.2.3.4"
    assert meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert meta.ImplementationClassUID == IMPLEMENTATION_CLASS_UID
    assert meta.ImplementationVersionName == IMPLEMENTATION_VERSION_NAME
    assert meta.SourceApplicationEntityTitle == "SENDER"
    assert meta.FileMetaInformationGroupLength == len(part10) - len(dataset) - 144


def test_without_a_source_there_is_none() -> None:
    assert b"\x02\0\x16\0" not in file_meta("1.2", "1.2.3", "1.2.840.10008.1.2")


def test_file_meta_is_read_back() -> None:
    part10 = file_meta("1.2", "1.2.3.4", "1.2.840.10008.1.2.1") + b"\x08\0\x05\0"
    values, start = read_file_meta(part10)
    assert start == len(part10) - 4
    assert values[MEDIA_STORAGE_SOP_INSTANCE_UID] == b"1.2.3.4\0"
    assert values[TRANSFER_SYNTAX_UID] == b"1.2.840.10008.1.2.1\0"


@pytest.mark.parametrize("length", [0, 1, 5000, 0xFFFFFFFE])
def test_the_group_length_is_not_trusted(length: int) -> None:
    part10 = bytearray(make_instance())
    expected = read_file_meta(bytes(part10))[1]
    part10[140:144] = length.to_bytes(4, "little")
    assert read_file_meta(bytes(part10))[1] == expected


def test_the_group_length_may_be_missing() -> None:
    part10 = make_instance()
    without = b"anything" * 16 + part10[128:132] + part10[144:]
    values, start = read_file_meta(without)
    assert without[start:] == bare_dataset(part10)
    assert TRANSFER_SYNTAX_UID in values


def test_file_meta_in_implicit_vr_is_understood() -> None:
    uid = b"1.2.840.10008.1.2\0"
    part10 = bytes(128) + b"DICM" + struct.pack("<HHI", 2, 0x10, len(uid)) + uid + b"\x08\0\x16\0"
    assert read_file_meta(part10) == ({TRANSFER_SYNTAX_UID: uid}, len(part10) - 4)


@pytest.mark.parametrize(
    "data", [b"", b"DICM", bytes(128), bytes(131) + b"DICM", bytes(128) + b"DIC", b"%PDF-1.4" * 50]
)
def test_what_has_no_prefix_is_not_dicom(data: bytes) -> None:
    with pytest.raises(ServerError) as caught:
        read_file_meta(data)
    assert caught.value.reason is Reason.NOT_DICOM


def test_a_file_that_ends_in_the_file_meta_is_refused() -> None:
    part10 = make_instance()
    for end in (134, 143, 150, 157, 165, 180):
        with pytest.raises(ServerError) as caught:
            read_file_meta(part10[:end])
        assert caught.value.reason is Reason.CANNOT_UNDERSTAND


def test_long_private_information_is_passed_over() -> None:
    private = struct.pack("<HH2sHI", 2, 0x102, b"OB", 0, 70000) + bytes(70000)
    whole = make_instance()
    start = read_file_meta(whole)[1]
    values, end = read_file_meta(whole[:start] + private + whole[start:])
    assert 0x00020102 not in values
    assert end == start + len(private)


def test_endless_file_meta_is_refused() -> None:
    element = struct.pack("<HH2sH", 2, 0x13, b"SH", 0)
    with pytest.raises(ServerError, match="too long"):
        read_file_meta(bytes(128) + b"DICM" + element * 200_000)


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize(
    ("before", "behind", "is_short"), [(100, 0, True), (1000, 0, True), (1001, 0, False), (100, 8, False)]
)
def test_pixel_data_that_begins_early_and_ends_the_file(
    explicit: bool, before: int, behind: int, is_short: bool
) -> None:
    element = (
        struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, 400) if explicit else struct.pack("<HHI", 0x7FE0, 0x10, 400)
    )
    data = bytes(before) + element + bytes(400 + behind)
    assert has_short_head(data, 1004) is is_short


def test_without_pixel_data_or_with_fragments_a_head_is_not_short() -> None:
    fragments = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF) + bytes(400)
    assert not has_short_head(fragments, 1000)
    assert not has_short_head(bytes(2000), 1000)
    assert not has_short_head(bytes(100) + b"\xe0\x7f\x10\0", 1000)
