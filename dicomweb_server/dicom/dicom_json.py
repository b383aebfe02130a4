"""DICOM JSON (PS3.18 Annex F) of an instance straight from its bytes, with what the index and frames need to know."""

from dicomweb_server.dicom.encoding import Buffer
from dicomweb_server.dicom.header import Header
from dicomweb_server.dicom.part10 import FIRST_ELEMENT
from dicomweb_server.dicom.reading import Reading, start_reading
from dicomweb_server.dicom.same_series import BySeries, Key, series_of
from dicomweb_server.dicom.stencil import Alike, Stencil
from dicomweb_server.dicom.stencil_cutting import Sample, compared, cut, sampled

_LONGEST = 1 << 17  # bytes of the JSON of what is remembered
_SAMPLES: BySeries[Sample] = BySeries()
_STENCILS: BySeries[Stencil] = BySeries()


def read_alike(buffer: Buffer, extra: frozenset[int]) -> Alike | None:
    """What a Part 10 file says, if it is like others of its series that were read before."""
    series = series_of(buffer, FIRST_ELEMENT)
    if series is None:
        return None
    stencil = _STENCILS.get((series, extra))
    alike = None if stencil is None else stencil.read(buffer)
    if alike is None:
        sample = _SAMPLES.get((series, extra))
        if sample is not None and (sample := compared(sample, buffer)) is not None:
            stencil = _know((series, extra), sample)
            alike = None if stencil is None else stencil.read(buffer)
    return alike


def read_json(header: Header, extra: frozenset[int] = frozenset()) -> tuple[bytes, Reading]:
    """The DICOM JSON object of an opened instance, and what was gathered on the way. `extra`: tags indexed as well."""
    data_set = start_reading(header, extra)
    data_set.read(header.start, header.end, open_ended=False)
    json = data_set.json()
    if data_set.in_order and header.encoding.little_endian and len(json) <= _LONGEST:
        series = series_of(header.buffer, header.start)
        before = None if series is None else _SAMPLES.get((series, extra))
        sample = sampled(header, data_set, before)
        if series is not None and sample is not None and sample is not before:
            _know((series, extra), sample)
    return json, data_set.reading


def _know(key: Key, sample: Sample) -> Stencil | None:
    """Know of a series what its last sample says; the stencil that is cut from it."""
    _SAMPLES.put(key, sample)
    stencil = cut(sample) if sample.lessons else None
    if stencil is not None:
        _STENCILS.put(key, stencil)
    return stencil
