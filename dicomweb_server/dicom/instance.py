"""Instance: everything that ingest learns from the bytes of one instance, in one pass over its header. Pure."""

import mmap
from collections.abc import Mapping
from typing import Any

import orjson

from dicomweb_server.dicom.attribute_json import PLACE_OF_URL
from dicomweb_server.dicom.attributes import ATTRIBUTES
from dicomweb_server.dicom.dicom_json import read_alike, read_json
from dicomweb_server.dicom.encoding import whole
from dicomweb_server.dicom.frames import index_frames
from dicomweb_server.dicom.header import Header, open_dataset, open_part10
from dicomweb_server.dicom.part10 import MEDIA_STORAGE_SOP_CLASS_UID
from dicomweb_server.dicom.record import InstanceRecord, ParsedInstance
from dicomweb_server.dicom.uids import MEDIA_STORAGE_DIRECTORY, require_uid, uid_from
from dicomweb_server.errors import Reason, ServerError

PLACE_OF_ROOT = "\1"  # stands for the URL of the DICOMweb service root in stored JSON

_SEQUENCES = frozenset(attribute.column for attribute in ATTRIBUTES if attribute.vr == "SQ")

Data = bytes | memoryview | mmap.mmap


def parse_instance(data: Data, *, extra: frozenset[int] = frozenset()) -> ParsedInstance:
    """What a Part 10 file says of itself; ServerError if it cannot be stored. `extra`: further tags to index."""
    buffer = whole(data)
    alike = read_alike(buffer, extra)
    return _parse(open_part10(buffer), extra) if alike is None else _instance(*alike, extra)


def parse_dataset(data: Data, transfer_syntax_uid: str, *, extra: frozenset[int] = frozenset()) -> ParsedInstance:
    """The same of a bare data set, as C-STORE delivers it. Offsets of frames are those in the bare data set."""
    return _parse(open_dataset(data, transfer_syntax_uid), extra)


def stored_document(stored: bytes) -> dict[str, Any]:
    """Stored JSON, as the index answers it, as a document; bulk data have URLs that begin at the root."""
    document: dict[str, Any] = orjson.loads(stored.replace(PLACE_OF_ROOT.encode(), b""))
    return document


def _parse(opened: Header, extra: frozenset[int]) -> ParsedInstance:
    if uid_from(opened.file_meta.get(MEDIA_STORAGE_SOP_CLASS_UID, b"")) == MEDIA_STORAGE_DIRECTORY:
        raise ServerError(Reason.UNSUPPORTED_SOP_CLASS, "a DICOMDIR is a directory of files, not an instance")
    metadata, reading = read_json(opened, extra)
    values = {column: text for column, text in reading.values.items() if text}
    header = opened._replace(pixel_data=reading.pixel_data, layout=reading.layout)
    return _instance(metadata, values, opened.transfer_syntax_uid, index_frames(header).pack(), extra)


def _instance(
    metadata: bytes, values: dict[str, str], transfer_syntax_uid: str, frames: bytes, extra: frozenset[int]
) -> ParsedInstance:
    record = _record(values, transfer_syntax_uid)
    instance = f"studies/{record.study_uid}/series/{record.series_uid}/instances/{record.instance_uid}"
    url = f"{PLACE_OF_ROOT}/{instance}/bulkdata/".encode("ascii")
    for column in _SEQUENCES.union(f"{tag:08X}" for tag in extra) if extra else _SEQUENCES:
        if values.get(column, "").startswith("[{"):
            values[column] = values[column].replace(PLACE_OF_URL.decode("ascii"), url.decode("ascii"))
    return ParsedInstance(record, metadata.replace(PLACE_OF_URL, url), frames)


def _record(values: Mapping[str, str], transfer_syntax_uid: str) -> InstanceRecord:
    study_uid = require_uid(values.get("study_uid", ""), "StudyInstanceUID (0020,000D)")
    series_uid = require_uid(values.get("series_uid", ""), "SeriesInstanceUID (0020,000E)")
    instance_uid = require_uid(values.get("instance_uid", ""), "SOPInstanceUID (0008,0018)")
    sop_class_uid = require_uid(values.get("sop_class_uid", ""), "SOPClassUID (0008,0016)")
    if study_uid == series_uid:
        raise ServerError(Reason.CANNOT_UNDERSTAND, "StudyInstanceUID and SeriesInstanceUID are the same")
    if sop_class_uid == MEDIA_STORAGE_DIRECTORY:
        raise ServerError(Reason.UNSUPPORTED_SOP_CLASS, "a DICOMDIR is a directory of files, not an instance")
    return InstanceRecord(study_uid, series_uid, instance_uid, sop_class_uid, transfer_syntax_uid, values)
