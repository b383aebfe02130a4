"""Whatever the bytes: every frame and every bulk value of an instance that is taken lies within it."""

from dicomweb_server.dicom.bulk_data import all_bulk, locate, parse_path
from dicomweb_server.dicom.frames import FrameIndex, index_frames
from dicomweb_server.dicom.header import Header, read_header
from dicomweb_server.errors import ServerError
from tests.builders import NATIVE, fake_jpeg, make_encapsulated, make_instance, make_rle

MOST_FRAMES = 50


def fuzz(data: bytes) -> None:
    """Read every frame from the packed index, and every bulk value by its path."""
    try:
        header = read_header(data)
    except ServerError:
        return
    _read_frames(header)
    try:
        values = list(all_bulk(data))
    except ServerError:
        return
    for value in values:
        assert locate(data, parse_path(value.path)) == value
        if value.piece is not None:
            assert 0 <= value.piece[0] <= sum(value.piece) <= len(data)


def _read_frames(header: Header) -> None:
    index = index_frames(header)
    assert index == FrameIndex.unpack(index.pack())
    offset, length = index.span()
    assert 0 <= offset <= offset + length <= len(header.buffer)
    for number in range(1, min(index.count, MOST_FRAMES) + 1):
        pieces = index.locate(number)
        assert all(offset <= start <= start + size <= offset + length for start, size in pieces)
        located = b"".join(header.buffer[start : start + size] for start, size in pieces)
        assert len(index.restore(number, located)) == index.size(number)


def seeds() -> list[bytes]:
    """Small images of every layout."""
    frames = [fake_jpeg(b"one"), fake_jpeg(b"three")]
    found = [
        make_instance(transfer_syntax_uid=uid, rows=3, columns=3, frames=2, bits_allocated=bits)
        for uid in NATIVE
        for bits in (1, 8, 16)
    ]
    found += [
        make_encapsulated(frames, fragments_per_frame=count, basic_offset_table=table)
        for count in (1, 2)
        for table in (True, False)
    ]
    return [*found, make_encapsulated(frames, extended_offset_table=True), make_rle(rows=2, columns=2, frames=2)]
