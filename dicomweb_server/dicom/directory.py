"""Directory: writes the DICOMDIR of a file-set (PS3.3 annex F, PS3.10 §8) from the metadata of its instances.

What a record must say and an instance does not is made up here, never in the instance. Text is in UTF-8.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dicomweb_server.dicom.compose import encoded
from dicomweb_server.dicom.dictionary import public_vr
from dicomweb_server.dicom.directory_records import PATIENT, SERIES, STUDY, Document, Keys, keys_of, record_type
from dicomweb_server.dicom.element_head import element_head, item_head
from dicomweb_server.dicom.part10 import file_meta
from dicomweb_server.dicom.uids import EXPLICIT_VR_LITTLE_ENDIAN, new_uid

MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"
_SEQUENCE = 0x00041220
_IN_USE = 0xFFFF
# The elements that begin every record: offset of the next one, in use, offset of the first below it.
_LINKS = struct.Struct("<HH2sHI HH2sHH HH2sHI")
_HEAD_SIZE = 8 + _LINKS.size
_SUBSTITUTES: Mapping[str, tuple[str, ...]] = {  # what stands in for a date or time that an instance lacks
    "00080023": ("00080012", "00080022", "00080021", "00080020"),
    "00080033": ("00080013", "00080032", "00080031", "00080030"),
    "00700082": ("00080023", "00080020"),
    "00700083": ("00080033", "00080030"),
}


@dataclass(slots=True)
class _Record:
    content: bytes
    below: "dict[str, _Record]" = field(default_factory=dict)
    offset: int = 0

    @property
    def size(self) -> int:
        return _HEAD_SIZE + len(self.content)


@dataclass(frozen=True, slots=True)
class FileReference:
    """A file of the file-set, and what it is."""

    file_id: str  # its components separated by a backslash
    sop_class_uid: str
    instance_uid: str
    transfer_syntax_uid: str


class Directory:
    """Takes instances in any order; patients, studies and series come in the order of their first instances."""

    def __init__(self, file_set_id: str, *, extended: bool = False) -> None:
        """`extended`: with attributes that viewers show and the standard leaves open."""
        self._file_set_id = file_set_id
        self._extended = extended
        self._patients: dict[str, _Record] = {}
        self._meta = file_meta(MEDIA_STORAGE_DIRECTORY, new_uid(), EXPLICIT_VR_LITTLE_ENDIAN)

    def add(self, file: FileReference, document: Document) -> None:
        """An instance, with its metadata; those beside what records need may be missing."""
        patients = self._patients
        patient = self._parent(patients, "PATIENT", PATIENT, _text(document, "00100020"), document)
        study = self._parent(patient.below, "STUDY", STUDY, _text(document, "0020000D"), document)
        series = self._parent(study.below, "SERIES", SERIES, _text(document, "0020000E"), document)
        type_ = record_type(file.sop_class_uid)
        numbers = {"00200013": str(len(series.below) + 1)}
        reference = {
            "00041500": {"vr": "CS", "Value": file.file_id.split("\\")},
            "00041510": {"vr": "UI", "Value": [file.sop_class_uid]},
            "00041511": {"vr": "UI", "Value": [file.instance_uid]},
            "00041512": {"vr": "UI", "Value": [file.transfer_syntax_uid]},
        }
        keys = keys_of(type_)
        series.below[file.instance_uid] = _Record(self._content(type_, keys, document, numbers, reference))

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return _place(self._patients.values(), len(self._head()))

    def pieces(self) -> Iterator[bytes]:
        """The file."""
        start = len(self._head())
        end = _place(self._patients.values(), start)
        roots = [record.offset for record in self._patients.values()] or [0]
        yield self._head(roots[0], roots[-1], end - start)
        yield from _written(self._patients.values())

    def _head(self, first: int = 0, last: int = 0, length: int = 0) -> bytes:
        name = encoded({"00041130": {"vr": "CS", "Value": [self._file_set_id]}})
        return self._meta + name + _links_of_root(first, last) + element_head(_SEQUENCE, "SQ", length)

    def _parent(self, records: dict[str, _Record], type_: str, keys: Keys, name: str, document: Document) -> _Record:
        found = records.get(name)
        if found is None:
            ordinal = str(len(records) + 1)
            numbers = {"00200010": ordinal, "00200011": ordinal}
            found = records[name] = _Record(self._content(type_, keys, document, numbers, {}))
        return found

    def _content(
        self, type_: str, keys: Keys, document: Document, numbers: Mapping[str, str], reference: Document
    ) -> bytes:
        chosen: dict[str, Any] = dict(reference)
        for tag, default in keys.required.items():
            chosen[tag] = _required(tag, numbers.get(tag, default), document)
        for tag in keys.empty:
            chosen[tag] = _present(document, tag) or {"vr": public_vr(int(tag, 16))}
        for tag in (*keys.present, *(keys.extended if self._extended else ())):
            attribute = _present(document, tag)
            if attribute is not None:
                chosen[tag] = attribute
        chosen["00041430"] = {"vr": "CS", "Value": [type_]}
        return encoded(chosen)


def _required(tag: str, default: str, document: Document) -> Any:
    attribute = _present(document, tag)
    for substitute in _SUBSTITUTES.get(tag, ()):
        attribute = attribute or _present(document, substitute)
    vr = public_vr(int(tag, 16))
    value: Any = int(default) if vr in ("IS", "US", "UL") and default.isdigit() else default
    return {"vr": vr, "Value": attribute["Value"] if attribute else [value]}


def _present(document: Document, tag: str) -> Mapping[str, Any] | None:
    """An attribute that has a value, and none that is bulk data."""
    attribute = document.get(tag)
    if not isinstance(attribute, Mapping) or not attribute.get("Value") or attribute["Value"] == [None]:
        return None
    if tag == "0040A730":
        return _modifiers(attribute)
    return attribute if tag not in ("00081115", "00700402") else _plain(attribute)


def _modifiers(attribute: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Of the content of a report the concept modifiers of its title only (PS3.3 table F.5-25)."""
    items = [item for item in attribute["Value"] if item and _text(item, "0040A010") == "HAS CONCEPT MOD"]
    return {"vr": "SQ", "Value": items} if items else None


def _plain(attribute: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """A sequence of references; without what is bulk data in it, which it cannot have."""
    return None if "BulkDataURI" in str(attribute) else attribute


def _text(document: Document, tag: str) -> str:
    values = document.get(tag, {}).get("Value")
    return str(values[0]) if values and values[0] is not None else ""


def _place(records: Iterable[_Record], offset: int) -> int:
    """Give each record its place, those below it right behind it; where the last one ends."""
    for record in records:
        record.offset = offset
        offset = _place(record.below.values(), offset + record.size)
    return offset


def _written(records: Iterable[_Record]) -> Iterator[bytes]:
    siblings = list(records)
    for position, record in enumerate(siblings):
        following = siblings[position + 1].offset if position + 1 < len(siblings) else 0
        lower = next(iter(record.below.values())).offset if record.below else 0
        yield item_head(record.size - 8) + _links(following, lower) + record.content
        yield from _written(record.below.values())


def _links(following: int, lower: int) -> bytes:
    return _LINKS.pack(4, 0x1400, b"UL", 4, following, 4, 0x1410, b"US", 2, _IN_USE, 4, 0x1420, b"UL", 4, lower)


def _links_of_root(first: int, last: int) -> bytes:
    return struct.pack(
        "<HH2sHI HH2sHI HH2sHH", 4, 0x1200, b"UL", 4, first, 4, 0x1202, b"UL", 4, last, 4, 0x1212, b"US", 2, 0
    )
