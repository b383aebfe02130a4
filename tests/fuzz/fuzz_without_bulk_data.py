"""Whatever can be stored: without its bulk data it is refused, or is a data set of all its other elements."""

from pydicom.dataset import Dataset

from dicomweb_server.dicom.elements import walk
from dicomweb_server.dicom.encoding import Buffer, Encoding
from dicomweb_server.dicom.header import read_header
from dicomweb_server.dicom.instance import parse_instance
from dicomweb_server.dicom.without_bulk_data import without_bulk_data
from dicomweb_server.errors import ServerError
from tests.builders import make_instance
from tests.fuzz import fuzz_header

WAVEFORMS = 0x54000100
GONE = {0x7FE00008, 0x7FE00009, 0x7FE00010, 0x00420011, 0x00287FE0, 0x56000020, 0xFFFCFFFC}


def _elements(buffer: Buffer, start: int, end: int, encoding: Encoding) -> list[tuple[int, bytes]]:
    return [
        (each.tag, b"" if each.tag == WAVEFORMS else bytes(buffer[each.start : each.end]))
        for each in walk(buffer, start, end, encoding)
        if each.tag not in GONE and each.tag & 0xFF00FFFF not in (0x60003000, 0x50003000, 0x5000200C)
    ]


def fuzz(data: bytes) -> None:
    """An instance; what cannot be stored is not asked for."""
    try:
        parse_instance(data)
        header = read_header(data)
        left = b"".join(bytes(piece) for piece in without_bulk_data(header))
    except ServerError:
        return
    found = _elements(left, 0, len(left), header.encoding)
    assert found == _elements(header.buffer, header.start, header.end, header.encoding)
    assert len(found) == len(list(walk(left, 0, len(left), header.encoding)))


def seeds() -> list[bytes]:
    """Those of the header, and a waveform."""
    waveform = Dataset()
    waveform.NumberOfWaveformSamples = 2
    waveform.add_new(0x54001010, "OW", bytes(4))
    files = [
        make_instance(transfer_syntax_uid=uid, rows=2, columns=2, WaveformSequence=[waveform])
        for uid in ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1")
    ]
    return fuzz_header.seeds() + files
