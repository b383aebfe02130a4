"""Metadata and bulk data as a client sends them apart: made by hand, or taken from a file."""

import re
from io import BytesIO
from typing import Any

import orjson
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicomweb_server.dicom.bulk_data import all_bulk
from dicomweb_server.dicom.compose import BulkPart, compose
from dicomweb_server.dicom.frames import FrameIndex
from dicomweb_server.dicom.instance import parse_instance

Json = dict[str, Any]
OCTETS = "application/octet-stream"
PIXELS = "http://server/pixels"


def identified(**attributes: Any) -> Json:
    """The DICOM JSON of an instance; `attributes` by tag, with an x in front."""
    document = {
        "00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.7"]},
        "00080018": {"vr": "UI", "Value": ["1.2.3.4"]},
        "0020000D": {"vr": "UI", "Value": ["1.2.3"]},
        "0020000E": {"vr": "UI", "Value": ["1.2.3.1"]},
    }
    return document | {tag[1:]: value for tag, value in attributes.items()}


def composed(document: object, **parts: list[BulkPart]) -> bytes:
    return b"".join(compose(document, {f"http://server/{name}": each for name, each in parts.items()}))


def dataset_of(document: object, **parts: list[BulkPart]) -> Dataset:
    return dcmread(BytesIO(composed(document, **parts)))


def frames_of(file: bytes) -> list[bytes]:
    index = FrameIndex.unpack(parse_instance(file).frames)
    pieces = [index.locate(number) for number in range(1, index.count + 1)]
    return [b"".join(file[offset : offset + length] for offset, length in each) for each in pieces]


def json_of(file: bytes) -> Json:
    document: Json = orjson.loads(parse_instance(file).metadata.replace(b"\1", b"http://server"))
    return document


def parts_of(file: bytes) -> dict[str, list[BulkPart]]:
    """The bulk data of a file as a client would send them."""
    parsed = parse_instance(file)
    uris = re.findall(r'"BulkDataURI":"(\1[^"]*/bulkdata/([^"]*))"'.replace("\\1", "\1"), parsed.metadata.decode())
    by_path = {path: uri.replace("\1", "http://server") for uri, path in uris}
    parts = {}
    for value in all_bulk(file):
        if value.encapsulated:
            syntax = parsed.record.transfer_syntax_uid
            part = [BulkPart(value.media_type.lower(), frame, syntax) for frame in frames_of(file)]
        elif value.piece:
            part = [BulkPart(OCTETS, file[value.piece[0] : sum(value.piece)])]
        else:
            part = [BulkPart(OCTETS, value.data)]
        parts[by_path[value.path]] = part
    return parts
