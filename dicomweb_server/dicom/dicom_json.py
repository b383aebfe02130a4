"""DICOM JSON (PS3.18 Annex F) of an instance straight from its bytes, with what the index and frames need to know."""

from dicomweb_server.dicom.encoding import Buffer
from dicomweb_server.dicom.header import Header
from dicomweb_server.dicom.part10 import FIRST_ELEMENT
from dicomweb_server.dicom.reading import DataSetReading, Reading, start_reading
from dicomweb_server.dicom.same_series import BySeries, series_of
from dicomweb_server.dicom.stencil import Alike, Stencil
from dicomweb_server.dicom.stencil_cutting import Sample, first_sample, learn

_SAMPLES: BySeries[Sample] = BySeries()
_STENCILS: BySeries[Stencil] = BySeries()


def read_alike(buffer: Buffer, extra: frozenset[int]) -> Alike | None:
    """What a Part 10 file says, if it is like others of its series that were read before."""
    series = series_of(buffer, FIRST_ELEMENT)
    stencil = _STENCILS.get(series) if series else None
    return None if stencil is None else stencil.read(buffer, extra)


def read_json(header: Header, extra: frozenset[int] = frozenset()) -> tuple[bytes, Reading]:
    """The DICOM JSON object of an opened instance, and what was gathered on the way. `extra`: tags indexed as well."""
    data_set = start_reading(header, extra)
    data_set.read(header.start, header.end, open_ended=False)
    if data_set.in_order and header.encoding.little_endian:
        _learn(header, data_set)
    return data_set.json(), data_set.reading


def _learn(header: Header, data_set: DataSetReading) -> None:
    """Learn for the next instances of a series from one that was read."""
    series = series_of(header.buffer, header.start)
    if series is None:
        return
    sample, stencil = _SAMPLES.get(series), None
    if sample is None:
        sample = first_sample(header, data_set)
    else:
        sample, stencil = learn(sample, header, data_set)
    if sample is not None:
        _SAMPLES.put(series, sample)
    if stencil is not None:
        _STENCILS.put(series, stencil)
