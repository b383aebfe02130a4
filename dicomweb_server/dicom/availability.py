"""PURE: which instances of a study can be had here, as an Instance Availability Notification (PS3.4 annex R)."""

from collections.abc import Iterable
from typing import Any

INSTANCE_AVAILABILITY = "1.2.840.10008.5.1.4.33"  # the SOP class
_PERFORMED_STEPS, _STUDY_UID = "00081111", "0020000D"
_SERIES, _SERIES_UID = "00081115", "0020000E"
_INSTANCES, _CLASS_UID, _INSTANCE_UID = "00081199", "00081150", "00081155"
_AVAILABILITY, _RETRIEVE_AE_TITLE = "00080056", "00080054"


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
