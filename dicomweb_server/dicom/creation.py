"""Creation: a new instance of tags as clients write them, a content, and what it inherits of its parents."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dicomweb_server.dicom.attribute_path import is_private
from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.compose import compose
from dicomweb_server.dicom.content import Content
from dicomweb_server.dicom.dictionary import public_vr
from dicomweb_server.dicom.edit_path import edit_path
from dicomweb_server.dicom.module_tags import is_in_module
from dicomweb_server.dicom.named_tags import named_document
from dicomweb_server.dicom.uids import new_uid
from dicomweb_server.errors import Reason, ServerError

Document = Mapping[str, Any]

_PATIENT_ID, _STUDY_UID, _SERIES_UID, _INSTANCE_UID = "00100020", "0020000D", "0020000E", "00080018"
_SERIES_NUMBER, _INSTANCE_NUMBER, _IMAGES_IN_ACQUISITION = "00200011", "00200013", "00201002"
_UIDS = {_STUDY_UID: "StudyInstanceUID", _SERIES_UID: "SeriesInstanceUID", _INSTANCE_UID: "SOPInstanceUID"}
_BY_CONTENT = frozenset({"7FE00010", "00420011"})
_DATES = ("00080012", "00080020", "00080021", "00080022", "00080023")
_TIMES = ("00080013", "00080030", "00080031", "00080032", "00080033")
# What every instance has, perhaps without a value (type 2 of the Patient, General Study and General Series modules).
_EMPTY = ("00080050", "00080090", "00100010", "00100030", "00100040", "00200010", "00200020", "00200060")
_BLOCKS = 0x10


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be made. `tags`: names or numbers to values; `creator`: of those that are private.

    `force`: what identifies and what is inherited may be given too. `interpret`: values may be data URIs.
    """

    tags: Mapping[str, object] = field(default_factory=dict)
    creator: str = ""
    force: bool = False
    interpret: bool = True


def inherited(document: Document, level: Level) -> dict[str, Any]:
    """What an instance of the same patient, study or series takes from the metadata of another one."""
    levels = [one for one in (Level.PATIENT, Level.STUDY, Level.SERIES) if one <= level]
    return {
        tag: attribute
        for tag, attribute in document.items()
        if "BulkDataURI" not in attribute and any(is_in_module(int(tag, 16), one) for one in levels)
    }


def own_document(wish: Wish, parents: Document) -> dict[str, Any]:
    """The tags as DICOM JSON; ServerError(BAD_REQUEST) for what is no tag, no value, or not to be given."""
    literal = {} if wish.interpret else {n: v for n, v in wish.tags.items() if isinstance(v, str) and v[:5] == "data:"}
    document = named_document({name: value for name, value in wish.tags.items() if name not in literal}, wish.creator)
    for name, value in literal.items():
        path = edit_path(name)
        document[f"{path.tag:08X}"] = {"vr": public_vr(path.tag), "Value": [value]}
    for tag in document:
        if tag in _BY_CONTENT:
            raise ServerError(Reason.BAD_REQUEST, "use Content for images and documents, not Tags")
        if not wish.force and (tag in _UIDS or tag in parents):
            name = _UIDS.get(tag, f"{tag[:4]},{tag[4:]}")
            raise ServerError(Reason.BAD_REQUEST, f"{name} is inherited or made up: to give it, Force is needed")
    return _with_blocks(document, wish.creator)


def new_identity(parents: Document) -> dict[str, Any]:
    """Patient ID and UIDs for what has no parent, dates and times of now, and what may be empty."""
    now = datetime.now()
    made: dict[str, Any] = {tag: {"vr": "DA", "Value": [now.strftime("%Y%m%d")]} for tag in _DATES}
    made |= {tag: {"vr": "TM", "Value": [now.strftime("%H%M%S.%f")]} for tag in _TIMES}
    made |= {tag: {"vr": public_vr(int(tag, 16))} for tag in _EMPTY}
    made |= {tag: {"vr": "IS", "Value": [1]} for tag in (_SERIES_NUMBER, _INSTANCE_NUMBER)}
    made[_PATIENT_ID] = {"vr": "LO", "Value": [str(uuid.uuid4())]}
    made |= {tag: {"vr": "UI", "Value": [new_uid()]} for tag in (_STUDY_UID, _SERIES_UID)}
    return made | dict(parents)


def instance(identity: Document, content: Content, owns: Iterable[Document], number: tuple[int, int]) -> bytes:
    """The Part 10 file. `number`: which one it is of how many in its series; ServerError if it cannot be one."""
    document: dict[str, Any] = {**content.attributes, **identity}
    document[_INSTANCE_UID] = {"vr": "UI", "Value": [new_uid()]}
    position, count = number
    if count > 1:
        document[_INSTANCE_NUMBER] = {"vr": "IS", "Value": [position]}
        document[_IMAGES_IN_ACQUISITION] = {"vr": "IS", "Value": [count]}
    for own in owns:
        document |= own
    return b"".join(compose(document, content.bulk))


def _with_blocks(document: dict[str, Any], creator: str) -> dict[str, Any]:
    """The creator reserves the blocks of its private attributes (PS3.5 §7.8.1)."""
    for tag in [tag for tag in document if creator and is_private(int(tag, 16))]:
        block = int(tag[4:6], 16)
        if block >= _BLOCKS:
            document.setdefault(f"{tag[:4]}00{block:02X}", {"vr": "LO", "Value": [creator]})
    return document
