"""DICOM JSON (PS3.18 Annex F) of an instance straight from its bytes, with what the index and frames need to know."""

from dicomweb_server.dicom.header import Header
from dicomweb_server.dicom.reading import DataSetReading, Reading, start_reading
from dicomweb_server.dicom.runs import NO_RUNS, Runs, Template, Templates, first_template, learn, series_of

_TEMPLATES = Templates()


def read_json(header: Header, extra: frozenset[int] = frozenset()) -> tuple[bytes, Reading]:
    """The DICOM JSON object of an opened instance, and what was gathered on the way. `extra`: tags indexed as well."""
    series = series_of(header)
    template = _TEMPLATES.get(series) if series else None
    runs = template.runs if template else NO_RUNS
    data_set = _read(header, extra, runs)
    if not data_set.in_order and runs:
        data_set = _read(header, extra, NO_RUNS)
    elif series and data_set.in_order:
        _teach(series, template, header, extra, data_set.reading)
    return data_set.json(), data_set.reading


def _read(header: Header, extra: frozenset[int], runs: Runs) -> DataSetReading:
    data_set = start_reading(header, extra, runs)
    data_set.read(header.start, header.end, open_ended=False)
    return data_set


def _teach(series: bytes, template: Template | None, header: Header, extra: frozenset[int], reading: Reading) -> None:
    """Let the template of a series learn from an instance that was read, unless there is nothing new in it."""
    if template is None:
        learnt = first_template(header._replace(pixel_data=reading.pixel_data))
    elif template.lessons == 0 or reading.surprised:
        learnt = learn(template, header, start_reading(header, extra, NO_RUNS).read_run)
    else:
        return
    if learnt is not None:
        _TEMPLATES.put(series, learnt)
