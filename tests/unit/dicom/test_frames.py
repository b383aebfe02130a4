"""Where frames lie: every layout of native and encapsulated pixel data, right, broken and hostile."""

import struct
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

from conformance.cost import at_most
from dicomweb_server.dicom.encoding import EXPLICIT_LITTLE
from dicomweb_server.dicom.fragments import MAX_FRAGMENTS
from dicomweb_server.dicom.frames import FrameIndex, extract_bits, index_frames
from dicomweb_server.dicom.header import Header, PixelData, read_header
from dicomweb_server.errors import Reason, ServerError
from tests.builders import NATIVE, bare_dataset, fake_jpeg, make_dataset, make_encapsulated, make_instance, write_part10
from tests.encoded import encoded, item, part10

MPEG4 = "1.2.840.10008.1.2.4.102"
PIXEL_DATA = 0x7FE00010
ENTRY = 0xFFFEE000


def served(header: Header, frames: FrameIndex | None = None) -> list[bytes]:
    """Every frame, as a server would send it from a stored index."""
    index = FrameIndex.unpack((frames or index_frames(header)).pack())
    sent = []
    for number in range(1, index.count + 1):
        located = b"".join(header.buffer[offset : offset + length] for offset, length in index.locate(number))
        sent.append(index.restore(number, located))
        assert len(sent[-1]) == index.size(number)
    return sent


def described(
    value: bytes, *, frames: int = 1, syntax: str = JPEGBaseline8Bit, length: int | None = 0xFFFFFFFF, **tables: bytes
) -> Header:
    """The header of an instance whose pixel data element has this value, and nothing behind it."""
    count = str(frames).encode() + b" " * (len(str(frames)) % 2)
    data_set = (
        encoded(0x00280002, "US", b"\1\0")
        + encoded(0x00280008, "IS", count)
        + encoded(0x00280010, "US", b"\2\0")
        + encoded(0x00280011, "US", b"\4\0")
        + encoded(0x00280100, "US", b"\x08\0")
        + b"".join(encoded(int(tag[1:], 16), "OV", table) for tag, table in tables.items())
        + encoded(PIXEL_DATA, "OB", value, length=length)
    )
    return read_header(part10(data_set, syntax))


def fragments(*values: bytes, table: Sequence[int] = (), end: bytes = encoded(0xFFFEE0DD, "")) -> bytes:
    return item(struct.pack(f"<{len(table)}I", *table)) + b"".join(map(item, values)) + end


def refusal(index: FrameIndex, number: int) -> ServerError:
    with pytest.raises(ServerError) as caught:
        index.locate(number)
    return caught.value


@pytest.mark.parametrize("syntax", NATIVE)
@pytest.mark.parametrize(("bits", "samples"), [(8, 1), (16, 1), (32, 1), (8, 3), (16, 3)])
@pytest.mark.parametrize("columns", [3, 4])
def test_native_frames_are_served_little_endian(syntax: str, bits: int, samples: int, columns: int) -> None:
    shape = {"rows": 3, "columns": columns, "frames": 3, "bits_allocated": bits, "samples_per_pixel": samples}
    size = 3 * columns * samples
    header = read_header(make_instance(transfer_syntax_uid=syntax, **shape))
    pixels = [(index % (1 << bits)).to_bytes(bits // 8, "little") for index in range(3 * size)]
    assert served(header) == [b"".join(pixels[frame * size : (frame + 1) * size]) for frame in range(3)]
    index = index_frames(header)
    assert index.deflated == (syntax == DeflatedExplicitVRLittleEndian)
    assert index.big_endian == (syntax == ExplicitVRBigEndian)
    assert not index.encapsulated
    assert (index.count, index.declared, index.tag, index.bits_allocated) == (3, 3, PIXEL_DATA, bits)


@pytest.mark.parametrize("syntax", NATIVE)
def test_frames_of_single_bits_start_on_a_byte(syntax: str) -> None:
    header = read_header(
        make_instance(transfer_syntax_uid=syntax, rows=3, columns=5, frames=4, bits_allocated=1, PixelData=b"\xa5" * 8)
    )
    bits = [0xA5 >> (position % 8) & 1 for position in range(60)]
    for number, frame in enumerate(served(header)):
        expected = sum(bit << position for position, bit in enumerate(bits[15 * number : 15 * number + 15]))
        assert frame == expected.to_bytes(2, "little")


def test_bytes_in_words_of_big_endian_frames_of_odd_size() -> None:
    dataset = make_dataset(Rows=3, Columns=3, SamplesPerPixel=1, BitsAllocated=8, NumberOfFrames=2)
    dataset.PixelData = bytes((1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14, 17, 16))
    dataset["PixelData"].VR = "OW"
    header = read_header(write_part10(dataset, ExplicitVRBigEndian))
    assert served(header) == [bytes(range(9)), bytes(range(9, 18))]


@pytest.mark.parametrize(("tag", "vr", "code"), [("FloatPixelData", "OF", "f"), ("DoubleFloatPixelData", "OD", "d")])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_float_pixel_data(tag: str, vr: str, code: str, syntax: str) -> None:
    dataset = make_dataset(Rows=1, Columns=2, SamplesPerPixel=1, NumberOfFrames=2)
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    setattr(dataset, tag, struct.pack(f"{order}4{code}", 1.5, -2.0, 3.25, 4.0))
    header = read_header(write_part10(dataset, syntax))
    assert served(header) == [struct.pack(f"<2{code}", 1.5, -2.0), struct.pack(f"<2{code}", 3.25, 4.0)]
    assert index_frames(header).vr == vr


@pytest.mark.parametrize(("size", "frame"), [(16, 8), (24, 12), (18, 8)])
def test_subsampled_native_pixels(size: int, frame: int) -> None:
    """Two frames of two by two pixels; some writers give all three samples and still call it YBR_FULL_422."""
    dataset = make_dataset(
        Rows=2,
        Columns=2,
        SamplesPerPixel=3,
        BitsAllocated=8,
        NumberOfFrames=2,
        PhotometricInterpretation="YBR_FULL_422",
    )
    dataset.PixelData = bytes(range(size))
    dataset["PixelData"].VR = "OB"
    frames = served(read_header(write_part10(dataset)))
    assert frames == [bytes(range(frame)), bytes(range(frame, 2 * frame))]


def test_native_index_has_constant_size() -> None:
    one, many = (index_frames(read_header(make_instance(frames=frames))).pack() for frames in (1, 500))
    assert len(one) == len(many) < 64


@pytest.mark.parametrize(
    "attributes",
    [
        {"Rows": None},
        {"Columns": 0},
        {"BitsAllocated": None},
        {"BitsAllocated": 0},
        {"Rows": 65535, "Columns": 65535},
        {"PixelData": b""},
    ],
)
def test_frames_that_do_not_fit_are_not_there(attributes: dict[str, object]) -> None:
    index = index_frames(read_header(make_instance(**attributes)))  # type: ignore[arg-type]
    assert index.count == 0
    assert refusal(index, 1).reason is Reason.NOT_FOUND
    assert index == FrameIndex.unpack(index.pack())


def test_more_frames_declared_than_there_are() -> None:
    index = index_frames(read_header(make_instance(frames=2, NumberOfFrames=2147483647)))
    assert (index.count, index.declared) == (2, 2147483647)
    assert refusal(index, 3).detail == "there is no frame 3: of 2147483647 declared frames the pixel data hold 2"


@pytest.mark.parametrize("number", [0, -1])
def test_frames_are_numbered_from_one(number: int) -> None:
    assert refusal(index_frames(read_header(make_instance())), number).reason is Reason.BAD_REQUEST


def test_no_pixel_data() -> None:
    index = index_frames(read_header(write_part10(make_dataset())))
    assert (index.count, index.span()) == (0, (0, 0))
    assert refusal(index, 1).detail == "there is no frame 1: the instance has no pixel data"
    with pytest.raises(ServerError):
        index.size(1)


def test_beyond_the_last_frame() -> None:
    error = refusal(index_frames(read_header(make_instance(frames=3))), 4)
    assert (error.reason, error.detail) == (Reason.NOT_FOUND, "there is no frame 4: the instance has 3")


def test_span_is_the_whole_value() -> None:
    header = read_header(make_instance(frames=2))
    offset, length = index_frames(header).span()
    assert length == 256
    assert header.buffer[offset : offset + length] == b"".join(served(header))


def test_index_of_a_bare_data_set_moves_with_it() -> None:
    file = make_instance(frames=2)
    whole, bare = index_frames(read_header(file)), bare_dataset(file)
    distance = len(file) - len(bare)
    moved = replace(whole, offset=whole.offset - distance).shifted(distance)
    assert moved == whole
    deflated = index_frames(read_header(make_instance(transfer_syntax_uid=DeflatedExplicitVRLittleEndian)))
    assert deflated.shifted(100) is deflated


def test_index_of_another_version_is_refused() -> None:
    packed = bytearray(FrameIndex().pack())
    packed[0] = 99
    with pytest.raises(ServerError) as caught:
        FrameIndex.unpack(bytes(packed))
    assert caught.value.reason is Reason.STORAGE_DAMAGED


@pytest.mark.parametrize("fragments_per_frame", [1, 2, 5])
@pytest.mark.parametrize("table", [True, False])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_encapsulated_frames(fragments_per_frame: int, table: bool, count: int) -> None:
    frames = [fake_jpeg(bytes([number]) * 40) for number in range(count)]
    file = make_encapsulated(frames, fragments_per_frame=fragments_per_frame, basic_offset_table=table)
    header = read_header(file)
    assert served(header) == frames
    index = index_frames(header)
    assert index.encapsulated
    assert all(len(index.locate(number)) == fragments_per_frame for number in range(1, count + 1))
    offset, length = index.span()
    assert header.buffer[offset : offset + 4] == b"\xfe\xff\x00\xe0"
    assert header.buffer[offset + length - 8 : offset + length] == encoded(0xFFFEE0DD, "")


def test_extended_offset_table() -> None:
    frames = [fake_jpeg(b"x" * size) for size in (10, 20, 30)]
    assert served(read_header(make_encapsulated(frames, extended_offset_table=True))) == frames


def test_extended_offset_table_where_fragments_are_not_told_apart_otherwise() -> None:
    value = fragments(b"ab", b"cd", b"ef")
    header = described(value, frames=2, x7FE00001=struct.pack("<2Q", 0, 20))
    assert served(header) == [b"abcd", b"ef"]


@pytest.mark.parametrize(
    "table",
    [
        (0, 21),  # not where a fragment starts
        (0, 0xFFFFFFF0),  # beyond the end
        (20, 0),
        (0, 0),
        (10, 20),
        (0,),
        (0, 10, 20),
    ],
)
def test_broken_offset_tables_are_ignored(table: tuple[int, ...]) -> None:
    jpeg = (b"\xff\xd8\xff\xe0", b"more", b"\xff\xd8\xff\xe0")
    assert served(described(fragments(*jpeg, table=table), frames=2)) == [jpeg[0] + jpeg[1], jpeg[2]]


def test_frames_before_the_end_of_a_truncated_stream_are_served() -> None:
    value = fragments(b"ab", b"cd", b"ef", table=(0, 20, 30, 40))
    assert served(described(value, frames=4)) == [b"abcd", b"ef"]


@pytest.mark.parametrize(
    "start",
    [
        b"\xff\xd8\xff\xe0",
        b"\xff\x4f\xff\x51",
        b"\0\0\0\x0cjP  \r\n\x87\n",
        b"\xff\x0a",
        b"\0\0\0\x0cJXL \r\n\x87\n",
        b"\2\0\0\0@\0\0\0",
    ],
)
def test_frames_are_told_apart_by_their_first_bytes(start: bytes) -> None:
    value = fragments(start, b"--", start, b"--", b"--", start)
    assert served(described(value, frames=3)) == [start + b"--", start + b"----", start]
    assert served(described(value, frames=2)) == [start + b"--", start + b"----"]
    assert served(described(value, frames=5)) == [start + b"--", start + b"----", start]


def test_fragments_that_cannot_be_told_apart_are_no_frames() -> None:
    index = index_frames(described(fragments(b"ab", b"cd", b"ef"), frames=2))
    assert index.count == 0
    assert refusal(index, 1).reason is Reason.NOT_FOUND


def test_fewer_fragments_than_frames() -> None:
    assert served(described(fragments(b"ab", b"cd"), frames=3)) == [b"ab", b"cd"]


def test_all_fragments_are_the_only_frame() -> None:
    assert served(described(fragments(b"ab", b"\xff\xd8\xff\xe0", b"ef"))) == [b"ab\xff\xd8\xff\xe0ef"]


def test_video_is_one_stream() -> None:
    index = index_frames(described(fragments(b"ab", b"cd"), frames=2, syntax=MPEG4))
    assert (index.count, index.declared, index.video) == (1, 2, True)
    assert len(index.locate(1)) == 2
    assert refusal(index, 2).detail == "there is no frame 2: the whole video stream is frame 1"


def test_empty_encapsulated_pixel_data() -> None:
    assert index_frames(described(fragments())).count == 0
    assert index_frames(described(encoded(0xFFFEE0DD, ""))).count == 0


def test_frames_without_bytes_are_frames() -> None:
    assert served(described(fragments(b"", b"ab"), frames=2)) == [b"", b"ab"]


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEG2000Lossless, RLELossless])
def test_item_in_a_fragment_is_none(syntax: str) -> None:
    inner = item(b"ab") + encoded(0xFFFEE0DD, "")
    assert served(described(fragments(inner, b"cd"), frames=2, syntax=syntax)) == [inner, b"cd"]


def made_of(value: bytes, frames: int) -> Header:
    """A header that nobody checked the fragments of."""
    layout = {0x00280008: str(frames).encode()}
    pixels = PixelData(PIXEL_DATA, "OB", 0, None)
    return Header(value, 0, len(value), {}, JPEGBaseline8Bit, EXPLICIT_LITTLE, pixels, layout)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (item() + item(b"ab") + encoded(ENTRY, "", b"c", length=100), [b"ab"]),
        (item() + item(b"ab") + b"garbage that is no item", [b"ab"]),
        (item() + item(b"ab") + encoded(ENTRY, "", b"cd", length=0xFFFFFFFF), [b"ab"]),
        (item() + item(b"ab") + b"\xfe\xff", [b"ab"]),
        (b"", []),
        (b"\xfe\xff\x00", []),
    ],
)
def test_walk_stops_before_what_is_no_fragment(value: bytes, expected: list[bytes]) -> None:
    assert served(made_of(value, 2)) == expected


def test_a_million_empty_fragments_take_bounded_time_and_memory() -> None:
    value = item() + item() * (MAX_FRAGMENTS + 1000)
    header = made_of(value, 3)
    with at_most(10):
        index = index_frames(header)
    assert index.count == 0
    assert len(index.pack()) < 64


@given(st.binary(max_size=400), st.integers(1, 5))
def test_any_bytes_have_an_index_within_their_bounds(value: bytes, frames: int) -> None:
    header = made_of(item() + value, frames)
    for number in range(1, index_frames(header).count + 1):
        for offset, length in index_frames(header).locate(number):
            assert 0 <= offset <= offset + length <= len(header.buffer)


@given(
    st.lists(
        st.lists(st.binary(max_size=9).map(lambda b: b + b"\0" * (len(b) % 2)), min_size=1, max_size=4), min_size=1
    )
)
def test_any_grouping_survives_with_a_table(frames: list[list[bytes]]) -> None:
    table, position = [], 0
    for frame in frames:
        table.append(position)
        position += sum(8 + len(fragment) for fragment in frame)
    value = fragments(*(fragment for frame in frames for fragment in frame), table=table)
    assert served(described(value, frames=len(frames))) == [b"".join(frame) for frame in frames]


@given(st.binary(min_size=1, max_size=20), st.data())
def test_extracted_bits_are_those_of_the_number(data: bytes, choice: st.DataObject) -> None:
    offset = choice.draw(st.integers(0, 8 * len(data) - 1))
    count = choice.draw(st.integers(0, 8 * len(data) - offset))
    extracted = extract_bits(data, offset, count)
    assert len(extracted) == (count + 7) // 8
    assert int.from_bytes(extracted, "little") == int.from_bytes(data, "little") >> offset & (1 << count) - 1


def test_offsets_beyond_32_bits_are_kept() -> None:
    wide = FrameIndex(
        2, 2, PIXEL_DATA, "OB", 8, 1 | 32, 100, 1 << 33, 0, struct.pack("<3Q", 16, 1 << 32, (1 << 32) + 50)
    )
    assert FrameIndex.unpack(wide.pack()).locate(2) == ((100 + (1 << 32), 42),)
