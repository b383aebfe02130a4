"""Edit wishes: what a client asks of a modification or anonymization, read from its JSON and judged before any work."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.deidentify_options import Option, options_named
from dicomweb_server.dicom.deidentify_table import EDITION
from dicomweb_server.dicom.edit_path import (
    IDENTIFIERS,
    INSTANCE_UID,
    PATIENT_ID,
    SERIES_UID,
    STUDY_UID,
    EditPath,
    edit_path,
    is_identifier,
    path_or_pattern,
)
from dicomweb_server.dicom.edit_plan import EditPlan
from dicomweb_server.dicom.edit_value import edit_value
from dicomweb_server.dicom.pixels.encode import may_lose
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.services.transcoding import TranscodingWish

__all__ = ["EditWishes", "Option", "anonymization_wishes", "modification_wishes"]

# Editions that scripts may name. The table of the latest takes more away than any before, so it serves all of them.
_EDITIONS = ("2008", "2017c", "2021b", "2023b", EDITION)
_MAX_NAMES = 10_000
_BEST_QUALITY = 100
# The UIDs that become others when a resource of a level is modified.
CHANGING = {
    Level.PATIENT: (STUDY_UID, SERIES_UID, INSTANCE_UID),
    Level.STUDY: (STUDY_UID, SERIES_UID, INSTANCE_UID),
    Level.SERIES: (SERIES_UID, INSTANCE_UID),
    Level.INSTANCE: (INSTANCE_UID,),
}


@dataclass(frozen=True, slots=True)
class EditWishes:
    """One request. `options` None: a modification; else an anonymization. `secret`: "" unless the client gave one."""

    plan: EditPlan
    force: bool = False
    keep_source: bool = True
    keep_labels: bool = False
    transcode: TranscodingWish | None = None
    options: frozenset[Option] | None = None
    keeps_private: bool = False
    secret: str = ""

    @property
    def is_anonymization(self) -> bool:
        """Whether it is one."""
        return self.options is not None

    def keeps_uids(self, level: Level) -> bool:
        """Whether results of a change of this level have the UIDs of their sources, and so take their place."""
        if self.options and Option.RETAIN_UIDS in self.options:
            return True
        changing = CHANGING[Level.STUDY if self.is_anonymization else level]
        return all(self.plan.keeps(tag) and not self.plan.replaces(tag) for tag in changing)

    def require(self, level: Level, instances: int) -> None:
        """ServerError(BAD_REQUEST) if this cannot be done to a resource of a level with so many instances."""
        plan = self.plan
        self.require_of_file(level)
        if plan.replaces(INSTANCE_UID) and instances > 1:
            raise _bad("SOPInstanceUID cannot be replaced where there is more than one instance")
        if self.options and Option.RETAIN_UIDS in self.options and not self.force:
            raise _bad('RetainUIDs requires the "Force" option to be set to true: results replace their originals')

    def require_of_file(self, level: Level) -> None:
        """The same of a single instance, of which nothing is stored."""
        plan = self.plan
        keeps_patient = plan.keeps(PATIENT_ID) if self.is_anonymization else level is Level.PATIENT
        if keeps_patient and not plan.replaces(PATIENT_ID):
            raise _bad("When modifying a patient, her PatientID is required to be modified")
        if self.transcode and may_lose(self.transcode.transfer_syntax_uid) and self._keeps_instance_uids():
            raise _bad("Transcode: an image that lost something is another one, it cannot keep its SOPInstanceUID")

    def _keeps_instance_uids(self) -> bool:
        retained = bool(self.options and Option.RETAIN_UIDS in self.options)
        return (retained or self.plan.keeps(INSTANCE_UID)) and not self.plan.replaces(INSTANCE_UID)


def modification_wishes(body: Mapping[str, Any]) -> EditWishes:
    """Of a request to modify; ServerError(BAD_REQUEST) that says what is wrong with it."""
    wishes = _wishes(body)
    return replace(wishes, plan=replace(wishes.plan, remove_private=_flag(body, "RemovePrivateTags")))


def anonymization_wishes(body: Mapping[str, Any]) -> EditWishes:
    """Of a request to anonymize; ServerError(BAD_REQUEST)."""
    version = _text(body, "DicomVersion", EDITION)
    if version not in _EDITIONS:
        raise _bad(f"DicomVersion should be one of {', '.join(_EDITIONS)}")
    options = options_named(body.get("Options", []))
    if Option.CLEAN_PIXEL_DATA in options:
        raise _bad("CleanPixelData is not offered: burned-in text cannot be found without looking at the pixels")
    return replace(
        _wishes(body),
        options=options,
        keeps_private=_flag(body, "KeepPrivateTags"),
        keep_labels=_flag(body, "KeepLabels"),
        secret=_text(body, "Secret", ""),
    )


def _wishes(body: Mapping[str, Any]) -> EditWishes:
    if not isinstance(body, Mapping):
        raise _bad("expected a JSON object")
    transcode = _transcode(body)
    plan = _plan(body)
    force = _flag(body, "Force")
    if not force:
        _require_no_identifiers(plan)
    for tag in IDENTIFIERS:
        if plan.removes(tag) and not plan.replaces(tag) and not plan.keeps(tag):
            raise _bad(f'"{IDENTIFIERS[tag]}" cannot be removed, it can be replaced')
    return EditWishes(plan, force, _flag(body, "KeepSource", default=True), transcode=transcode)


def _transcode(body: Mapping[str, Any]) -> TranscodingWish | None:
    uid, quality = _text(body, "Transcode", ""), body.get("LossyQuality")
    if quality is not None and (type(quality) is not int or not 1 <= quality <= _BEST_QUALITY):
        raise _bad(f"LossyQuality: expected a whole number from 1 to {_BEST_QUALITY}")
    return TranscodingWish(uid, quality) if uid else None


def _plan(body: Mapping[str, Any]) -> EditPlan:
    creator = _text(body, "PrivateCreator", "")
    wanted = body.get("Replace", {})
    if wanted is None:
        wanted = {}
    if not isinstance(wanted, Mapping):
        raise _bad('"Replace" should be an object of tags and their new values')
    paths = [(edit_path(str(name)), value) for name, value in wanted.items()]
    if len({path for path, _ in paths}) < len(paths):
        raise _bad('"Replace" names an attribute twice')
    replaced = tuple((path, edit_value(path, value, creator)) for path, value in paths)
    remove, keep = (tuple(map(path_or_pattern, _names(body, name))) for name in ("Remove", "Keep"))
    # A private attribute means nothing without the element that reserves its block.
    creators = tuple(
        EditPath(name.steps, name.tag & 0xFFFF0000 | name.tag >> 8 & 0xFF)
        for name in keep
        if isinstance(name, EditPath) and name.tag >> 16 & 1 and name.tag & 0xFFFF >= 0x1000
    )
    return EditPlan(replaced, remove, (*keep, *creators), creator=creator)


def _require_no_identifiers(plan: EditPlan) -> None:
    marked = [("replaced", [path for path, _ in plan.replace]), ("removed", plan.remove), ("kept", plan.keep)]
    for what, names in marked:
        for name in names:
            if isinstance(name, EditPath) and is_identifier(name):
                problem = f'Marking tag "{IDENTIFIERS[name.tag]}" as to be {what}'
                raise _bad(f'{problem} requires the "Force" option to be set to true')


def _names(body: Mapping[str, Any], name: str) -> list[str]:
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise _bad(f'"{name}" should be an array of tags')
    if len(value) > _MAX_NAMES:
        raise _bad(f'"{name}" has more than {_MAX_NAMES} tags')
    return value


def _flag(body: Mapping[str, Any], name: str, *, default: bool = False) -> bool:
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise _bad(f'Member "{name}" should be a Boolean value')
    return value


def _text(body: Mapping[str, Any], name: str, default: str) -> str:
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, str):
        raise _bad(f'Member "{name}" should be a string')
    return value


def _bad(problem: str) -> ServerError:
    return ServerError(Reason.BAD_REQUEST, problem)
