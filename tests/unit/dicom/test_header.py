import mmap
from pathlib import Path
from typing import Literal

import pytest

from dicomweb_server.dicom.header import PixelData, open_part10, read_dataset_header, read_header
from dicomweb_server.errors import Reason, ServerError
from tests.builders import NATIVE, bare_dataset, fake_jpeg, make_encapsulated, make_instance
from tests.encoded import EXPLICIT_LITTLE_UID, IMPLICIT_LITTLE_UID, encoded, part10

ROWS, COLUMNS, NUMBER_OF_FRAMES, BITS_ALLOCATED = 0x00280010, 0x00280011, 0x00280008, 0x00280100


@pytest.mark.parametrize("transfer_syntax_uid", NATIVE)
def test_native_pixel_data_is_located(transfer_syntax_uid: str) -> None:
    header = read_header(make_instance(transfer_syntax_uid=transfer_syntax_uid, rows=3, columns=5, frames=4))
    pixel_data = header.pixel_data
    assert header.transfer_syntax_uid == transfer_syntax_uid
    assert pixel_data is not None
    assert (pixel_data.tag, pixel_data.vr, pixel_data.length) == (0x7FE00010, "OW", 120)
    assert header.end == len(header.buffer) == pixel_data.offset + 120
    order: Literal["little", "big"] = "little" if header.encoding.little_endian else "big"
    words = header.buffer[pixel_data.offset : pixel_data.offset + 120]
    assert [int.from_bytes(words[at : at + 2], order) for at in range(0, 120, 2)] == list(range(60))
    assert [header.integer(tag) for tag in (ROWS, COLUMNS, NUMBER_OF_FRAMES, BITS_ALLOCATED)] == [3, 5, 4, 16]


def test_encapsulated_pixel_data_starts_with_its_offset_table() -> None:
    header = read_header(make_encapsulated([fake_jpeg(b"a"), fake_jpeg(b"b")], extended_offset_table=True))
    pixel_data = header.pixel_data
    assert pixel_data is not None
    assert (pixel_data.vr, pixel_data.length) == ("OB", None)
    assert header.buffer[pixel_data.offset : pixel_data.offset + 4] == b"\xfe\xff\x00\xe0"
    assert len(header.layout[0x7FE00001]) == len(header.layout[0x7FE00002]) == 16


@pytest.mark.parametrize(("tag", "vr"), [(0x7FE00008, "OF"), (0x7FE00009, "OD")])
def test_float_pixel_data_is_pixel_data(tag: int, vr: str) -> None:
    header = read_header(part10(encoded(tag, vr, bytes(16))))
    assert header.pixel_data == PixelData(tag, vr, header.end - 16, 16)


def test_without_pixel_data_there_is_none() -> None:
    header = read_header(make_instance(PixelData=None))
    assert header.pixel_data is None


def test_empty_pixel_data_has_no_length() -> None:
    header = read_header(part10(encoded(0x7FE00010, "OW")))
    assert header.pixel_data == PixelData(0x7FE00010, "OW", header.end, 0)


def test_pixel_data_of_an_item_is_not_that_of_the_instance() -> None:
    icon = encoded(0x00880200, "SQ", encoded(0xFFFEE000, "", encoded(0x7FE00010, "OW", b"\1\2")))
    assert read_header(part10(icon)).pixel_data is None


def test_a_bare_data_set_needs_its_transfer_syntax() -> None:
    whole = make_instance(transfer_syntax_uid=IMPLICIT_LITTLE_UID)
    bare = bare_dataset(whole)
    header = read_dataset_header(bare, IMPLICIT_LITTLE_UID)
    expected = read_header(whole)
    assert header.file_meta == {}
    assert header.layout == expected.layout
    assert header.pixel_data is not None
    assert expected.pixel_data is not None
    assert header.pixel_data.offset + len(whole) - len(bare) == expected.pixel_data.offset


def test_bytes_memory_and_mapped_files_are_read_alike(tmp_path: Path) -> None:
    data = make_instance()
    path = tmp_path / "instance.dcm"
    path.write_bytes(data)
    expected = read_header(data)
    around = memoryview(b"12" + data + b"345")[2:-3]
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        for buffer in (memoryview(data), around, mapped, memoryview(bytearray(data))):
            header = read_header(buffer)
            assert (header.start, header.pixel_data, header.layout) == (
                expected.start,
                expected.pixel_data,
                expected.layout,
            )
            assert isinstance(header.buffer[:4], bytes)
        assert read_header(memoryview(data)).buffer is data
        del buffer, header  # so that the mapping has no views when it closes


def test_a_data_set_in_implicit_vr_under_an_explicit_label_is_read() -> None:
    header = read_header(part10(bare_dataset(make_instance(transfer_syntax_uid=IMPLICIT_LITTLE_UID, rows=7))))
    assert header.transfer_syntax_uid == EXPLICIT_LITTLE_UID
    assert not header.encoding.explicit
    assert header.integer(ROWS) == 7


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (b"12", 12),
        (b" 7 ", 7),
        (b"3\\4", 3),
        (b"", None),
        (b"-1", None),
        (b"x", None),
        (b"1.0", None),
        (b"9" * 11, None),
    ],
)
def test_the_number_of_frames_is_a_string(value: bytes, number: int | None) -> None:
    header = read_header(part10(encoded(NUMBER_OF_FRAMES, "IS", value)))
    assert header.integer(NUMBER_OF_FRAMES) == number
    assert header.integer(ROWS) is None


def test_the_first_of_repeated_elements_counts() -> None:
    header = read_header(part10(encoded(ROWS, "US", b"\1\0") + encoded(ROWS, "US", b"\2\0")))
    assert header.integer(ROWS) == 1


def test_a_file_without_transfer_syntax_is_refused() -> None:
    data = part10(b"").replace(b"\x02\0\x10\0UI\x14\x001.2.840.10008.1.2.1\0", b"")
    with pytest.raises(ServerError, match="TransferSyntaxUID") as caught:
        open_part10(data)
    assert caught.value.reason is Reason.CANNOT_UNDERSTAND


def test_an_unknown_transfer_syntax_is_refused() -> None:
    with pytest.raises(ServerError) as caught:
        read_header(part10(b"", "1.2.3"))
    assert caught.value.reason is Reason.UNSUPPORTED_TRANSFER_SYNTAX
    with pytest.raises(ServerError):
        read_dataset_header(b"", "1.2.3")
