"""PURE: the workitem that a template makes for a study: whose it is, what it is about, where that can be had."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dicomweb_server.dicom.dictionary import public_vr
from dicomweb_server.dicom.workitem import EXPIRATION, PRIORITY, READINESS, START, STATIONS, WORKLIST_LABEL, Document
from dicomweb_server.dicom.workitem_rules import drafted_workitem

_LABEL, _WORKITEM_CODE, _INPUT, _REQUEST = "00741204", "00404018", "00404021", "0040A370"
_STUDY_UID, _SERIES_UID, _ACCESSION_NUMBER = "0020000D", "0020000E", "00080050"
_KIND, _REFERENCES, _CLASS_UID, _INSTANCE_UID = "0040E020", "00081199", "00081150", "00081155"
_BY_DIMSE, _AE_TITLE, _BY_WEB, _URL = "0040E021", "00080054", "0040E025", "00081190"
# Of the study, as they are.
TAKEN = ("00100010", "00100020", "00100021", "00100030", "00100040", _STUDY_UID, _ACCESSION_NUMBER)
_OF_REQUEST = ("00080051", "00400026", "00400027", "00401001", "00321060", "00321064")


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept (PS3.3 §8.1)."""

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True, slots=True)
class WorkitemTemplate:
    """What the workitems of a route have in common. `station`: which kind of it shall do that; `workitem`: what.

    `expires`: seconds after which nobody wants it any more, 0 is never; `modality`: who schedules it, "" is us.
    """

    label: str
    worklist: str
    priority: str = "MEDIUM"
    station: Code | None = None
    workitem: Code | None = None
    expires: float = 0.0
    modality: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """Where the instances can be had: from an AE, and below a DICOMweb root, "" if it is not known under one name."""

    ae_title: str
    web_root: str = ""


def study_workitem(
    template: WorkitemTemplate,
    study: Document,
    instances: Iterable[tuple[str, str, str]],
    source: Source,
    start: str,
    expiration: str = "",
) -> dict[str, Any]:
    """What creates the workitem. `instances`: UIDs of series, SOP class and instance; `start`, `expiration`: as DT."""
    study_uid = study[_STUDY_UID]["Value"][0]
    series: dict[str, list[dict[str, Any]]] = {}
    for series_uid, class_uid, instance_uid in instances:
        reference = {
            _CLASS_UID: _attribute(_CLASS_UID, class_uid),
            _INSTANCE_UID: _attribute(_INSTANCE_UID, instance_uid),
        }
        series.setdefault(series_uid, []).append(reference)
    values: dict[str, object] = {
        _LABEL: template.label,
        WORKLIST_LABEL: template.worklist,
        PRIORITY: template.priority,
        START: start,
        READINESS: "READY",
    }
    sequences = {
        STATIONS: _codes(template.station),
        _WORKITEM_CODE: _codes(template.workitem),
        _INPUT: [_input(study_uid, uid, found, source) for uid, found in series.items()],
        _REQUEST: _requests(study_uid, study),
    }
    attributes = {
        **{tag: study[tag] for tag in TAKEN if tag in study and tag != _ACCESSION_NUMBER},
        **{tag: _attribute(tag, value) for tag, value in values.items()},
        **({EXPIRATION: _attribute(EXPIRATION, expiration)} if expiration else {}),
        **{tag: _attribute(tag, *items) for tag, items in sequences.items()},
    }
    return drafted_workitem(attributes)


def _attribute(tag: str, *values: object) -> dict[str, Any]:
    vr = {"vr": public_vr(int(tag, 16))}
    return {**vr, "Value": list(values)} if values else vr


def _codes(code: Code | None) -> list[dict[str, Any]]:
    if code is None:
        return []
    parts = {"00080100": code.value, "00080102": code.scheme, "00080104": code.meaning}
    return [{tag: _attribute(tag, text) for tag, text in parts.items()}]


def _input(study_uid: str, series_uid: str, references: list[dict[str, Any]], source: Source) -> dict[str, Any]:
    item = {
        _KIND: _attribute(_KIND, "DICOM"),
        _STUDY_UID: _attribute(_STUDY_UID, study_uid),
        _SERIES_UID: _attribute(_SERIES_UID, series_uid),
        _REFERENCES: _attribute(_REFERENCES, *references),
        _BY_DIMSE: _attribute(_BY_DIMSE, {_AE_TITLE: _attribute(_AE_TITLE, source.ae_title)}),
    }
    if source.web_root:
        url = f"{source.web_root}/studies/{study_uid}/series/{series_uid}"
        item[_BY_WEB] = _attribute(_BY_WEB, {_URL: _attribute(_URL, url)})
    return item


def _requests(study_uid: str, study: Document) -> list[dict[str, Any]]:
    """What the study was asked for by, if that has a number."""
    if not study.get(_ACCESSION_NUMBER, {}).get("Value"):
        return []
    known = {_STUDY_UID: _attribute(_STUDY_UID, study_uid), _ACCESSION_NUMBER: study[_ACCESSION_NUMBER]}
    return [known | {tag: _attribute(tag) for tag in _OF_REQUEST}]
