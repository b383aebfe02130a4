"""PURE: identifiers of responses from peers → DICOM JSON. Bounded like every data set that comes from outside."""

from typing import Any

import orjson

from dicomweb_server.dicom.header import open_dataset
from dicomweb_server.dicom.reading import start_reading
from dicomweb_server.dicom.runs import NO_RUNS

_NO_TAGS: frozenset[int] = frozenset()


def read_match(data: bytes, transfer_syntax_uid: str) -> dict[str, Any]:
    """The attributes of an identifier; ServerError(CANNOT_UNDERSTAND) if it is none."""
    header = open_dataset(data, transfer_syntax_uid)
    reading = start_reading(header, _NO_TAGS, NO_RUNS)
    reading.read(header.start, header.end, open_ended=False)
    found: dict[str, Any] = orjson.loads(reading.json())
    return found
