"""PURE: a whole data set of no instance (identifiers, worklist files, performed steps) ↔ DICOM JSON. Bounded as any."""

from typing import Any

import orjson

from dicomweb_server.dicom.attribute_json import PLACE_OF_URL
from dicomweb_server.dicom.compose import encoded
from dicomweb_server.dicom.header import Header, open_dataset, open_part10
from dicomweb_server.dicom.part10 import MAGIC, PREAMBLE_LENGTH
from dicomweb_server.dicom.reading import start_reading
from dicomweb_server.dicom.uids import EXPLICIT_VR_LITTLE_ENDIAN
from dicomweb_server.errors import Reason, ServerError

_NO_TAGS: frozenset[int] = frozenset()


def data_set_json(data: bytes, transfer_syntax_uid: str) -> dict[str, Any]:
    """The attributes of a bare data set; ServerError(CANNOT_UNDERSTAND) if it is none."""
    return _json(open_dataset(data, transfer_syntax_uid))


def normalized(document: object) -> dict[str, Any]:
    """DICOM JSON from outside as it would be if it had come as a data set; ServerError says why it cannot be one."""
    return data_set_json(encoded(document), EXPLICIT_VR_LITTLE_ENDIAN)


def read_document(data: bytes) -> dict[str, Any]:
    """The attributes of a file: a Part 10 one, or a bare data set in explicit or implicit VR little endian."""
    if data[PREAMBLE_LENGTH : PREAMBLE_LENGTH + len(MAGIC)] == MAGIC:
        return _json(open_part10(data))
    return data_set_json(data, EXPLICIT_VR_LITTLE_ENDIAN)


def _json(header: Header) -> dict[str, Any]:
    reading = start_reading(header, _NO_TAGS)
    reading.read(header.start, header.end, open_ended=False)
    text = reading.json()
    if PLACE_OF_URL in text:  # there is no instance that the value could be had of
        raise ServerError(Reason.CANNOT_UNDERSTAND, "pixel data or another large value where none is expected")
    found: dict[str, Any] = orjson.loads(text)
    return found
