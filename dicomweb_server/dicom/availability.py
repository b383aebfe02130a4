"""PURE: which instances can be had, here or elsewhere: Instance Availability Notification (PS3.4 annex R)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dicomweb_server.dicom.scheduled import items_of, text_of
from dicomweb_server.dicom.uids import is_valid_uid
from dicomweb_server.errors import Reason, ServerError

INSTANCE_AVAILABILITY = "1.2.840.10008.5.1.4.33"  # the SOP class
_PERFORMED_STEPS, _STUDY_UID = "00081111", "0020000D"
_SERIES, _SERIES_UID = "00081115", "0020000E"
_INSTANCES, _CLASS_UID, _INSTANCE_UID = "00081199", "00081150", "00081155"
_AVAILABILITY, _RETRIEVE_AE_TITLE = "00080056", "00080054"


@dataclass(frozen=True, slots=True)
class ToldInstance:
    """One instance of a notification. `ae_title`: of whom it can be retrieved from."""

    study_uid: str
    series_uid: str
    sop_class_uid: str
    instance_uid: str
    availability: str
    ae_title: str


def read_availability(attributes: Mapping[str, Any]) -> list[ToldInstance]:
    """What an N-CREATE tells; ServerError(BAD_REQUEST) if it lacks what PS3.4 table R.3.2-1 wants."""
    study_uid = _uid(attributes, _STUDY_UID, "Study Instance UID")
    found = [
        ToldInstance(
            study_uid,
            _uid(series, _SERIES_UID, "Series Instance UID"),
            _uid(instance, _CLASS_UID, "Referenced SOP Class UID"),
            _uid(instance, _INSTANCE_UID, "Referenced SOP Instance UID"),
            text_of(instance, _AVAILABILITY),
            text_of(instance, _RETRIEVE_AE_TITLE),
        )
        for series in items_of(attributes, _SERIES)
        for instance in items_of(series, _INSTANCES)
    ]
    if not found:
        raise ServerError(Reason.BAD_REQUEST, "no instance is referred to")
    return found


def _uid(attributes: Mapping[str, Any], tag: str, name: str) -> str:
    uid = text_of(attributes, tag)
    if not is_valid_uid(uid):
        raise ServerError(Reason.BAD_REQUEST, f"no {name}, or one that is none")
    return uid


def availability(study_uid: str, instances: Iterable[tuple[str, str, str]], ae_title: str) -> dict[str, Any]:
    """The attributes of an N-CREATE (PS3.4 §R.3.2), for instances that are at hand.

    `instances`: UIDs of series, SOP class and instance; `ae_title`: of whom they can be retrieved from.
    """
    series: dict[str, list[dict[str, Any]]] = {}
    for series_uid, class_uid, instance_uid in instances:
        series.setdefault(series_uid, []).append(
            {
                _RETRIEVE_AE_TITLE: {"vr": "AE", "Value": [ae_title]},
                _AVAILABILITY: {"vr": "CS", "Value": ["ONLINE"]},
                _CLASS_UID: {"vr": "UI", "Value": [class_uid]},
                _INSTANCE_UID: {"vr": "UI", "Value": [instance_uid]},
            }
        )
    return {
        _PERFORMED_STEPS: {"vr": "SQ"},
        _SERIES: {"vr": "SQ", "Value": [_of_series(uid, found) for uid, found in series.items()]},
        _STUDY_UID: {"vr": "UI", "Value": [study_uid]},
    }


def _of_series(uid: str, instances: list[dict[str, Any]]) -> dict[str, Any]:
    return {_INSTANCES: {"vr": "SQ", "Value": instances}, _SERIES_UID: {"vr": "UI", "Value": [uid]}}
