"""The section `Worklists` of an Orthanc configuration, which its plugin reads."""

from collections.abc import Mapping
from typing import Any

from dicomweb_server.settings.failure import SettingsError

SECTION = "Worklists"
# Theirs → ours, where the value means the same.
_SAME = {
    "FilterIssuerAet": "worklist_own_station",
    "LimitAnswers": "worklist_limit",
    "SetStudyInstanceUidIfMissing": "worklist_study_uid",
    "DeleteWorklistsOnStableStudy": "worklist_remove_stored",
    "HousekeepingInterval": "worklist_interval",
}
OURS = ("worklist", "worklist_folder", "worklist_keep", *_SAME.values())
KNOWN = frozenset({"Enable", "Database", "Directory", "SaveInOrthancDatabase", "DeleteWorklistsDelay", *_SAME})


def read_worklists(configuration: Mapping[str, Any], values: dict[str, tuple[object, str]]) -> None:
    """Without the section, or switched off there, the worklist is ours as it is by default, without a folder."""
    section = configuration.get(SECTION, {})
    if not isinstance(section, Mapping):
        raise SettingsError(f"{SECTION} is not allowed; allowed is an object")
    if not section or section.get("Enable") is False:
        return
    for theirs, ours in _SAME.items():
        if theirs in section:
            values[ours] = (section[theirs], f"{SECTION}.{theirs}")
    in_database = section.get("SaveInOrthancDatabase", False)
    folder = section.get("Directory", section.get("Database"))
    if folder and not in_database:
        values["worklist_folder"] = (folder, f"{SECTION}.Directory")
    if in_database:  # only there steps go by their age
        hours = section.get("DeleteWorklistsDelay", 24)
        if isinstance(hours, bool) or not isinstance(hours, int | float):
            raise SettingsError(
                f"{SECTION}.DeleteWorklistsDelay = {hours!r} is not allowed; allowed is a number of hours"
            )
        values["worklist_keep"] = (hours * 3600, f"{SECTION}.DeleteWorklistsDelay")
