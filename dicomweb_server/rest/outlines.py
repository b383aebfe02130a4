"""Patients and studies in long lists: the JSON of what is shown by default, put together of parts."""

import time
from collections.abc import Callable

import orjson

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.main_tags import COMPUTED_TAGS, MAIN_TAGS, SHOWN_EMPTY
from dicomweb_server.dicom.orthanc_id import orthanc_id
from dicomweb_server.dicom.orthanc_json import TagFormat, tag_name
from dicomweb_server.rest.resource_json import DESCENT, USUAL, Shown, moment
from dicomweb_server.services.resources import Named, Outline, ResourceService

_FIRST = {Level.PATIENT: 0x00100020, Level.STUDY: 0x0020000D}


def groups_of(resources: ResourceService, level: Level, shown: Shown | None) -> tuple[Named, ...]:
    """The attributes of an outline, if outlines tell all that is to be shown; nothing if they do not."""
    if shown is None or level > Level.STUDY or shown.form is not TagFormat.SIMPLE or shown.contents != USUAL:
        return ()
    if not all(len(path) == 1 and resources.is_outlined(level, path[0]) for path in shown.requested):
        return ()
    groups = [_main(level)] if level is Level.PATIENT else [_main(level), _main(Level.PATIENT)]
    if shown.requested:
        groups.append(
            tuple((path[0], COMPUTED_TAGS.get(path[0]) or tag_name(path[0]), True) for path in shown.requested)
        )
    return tuple(groups)


def _main(level: Level) -> Named:
    """The main tags, first one that every resource has."""
    tags = sorted(MAIN_TAGS[level], key=lambda tag: tag != _FIRST[level])
    return tuple((tag, MAIN_TAGS[level][tag], MAIN_TAGS[level][tag] in SHOWN_EMPTY) for tag in tags)


def as_outline(level: Level, shown: Shown) -> Callable[[Outline], bytes]:
    """Makes the JSON of an outline, where it is read."""
    stable_before = time.time() - shown.stable_age
    write = _patient if level is Level.PATIENT else _study
    return lambda outline: write(outline, outline.updated <= stable_before).encode("utf-8")


def _patient(outline: Outline, is_stable: bool) -> str:  # noqa: FBT001 - of a hot path
    main, *requested = outline.objects
    return (
        f'{{{_descent(outline)}"ID":"{orthanc_id(outline.identity)}","IsProtected":{_json(outline.is_protected)},'
        f'"IsStable":{_json(is_stable)},"Labels":{_labels(outline)},"LastUpdate":"{moment(outline.updated)}",'
        f'"MainDicomTags":{main}{_requested(requested)},"Studies":{_children(outline)},"Type":"Patient"}}'
    )


def _study(outline: Outline, is_stable: bool) -> str:  # noqa: FBT001 - of a hot path
    main, patient, *requested = outline.objects
    return (
        f'{{{_descent(outline)}"ID":"{orthanc_id(outline.identity, outline.study_uid)}","IsStable":{_json(is_stable)},'
        f'"Labels":{_labels(outline)},"LastUpdate":"{moment(outline.updated)}","MainDicomTags":{main},'
        f'"ParentPatient":"{orthanc_id(outline.identity)}","PatientMainDicomTags":{patient}{_requested(requested)},'
        f'"Series":{_children(outline, outline.study_uid)},"Type":"Study"}}'
    )


def _descent(outline: Outline) -> str:
    known = [(name, outline.metadata[name]) for name in DESCENT if name in outline.metadata]
    return "".join(f'"{name}":{orjson.dumps(value).decode()},' for name, value in known)


def _json(value: bool) -> str:  # noqa: FBT001 - of a hot path
    return "true" if value else "false"


def _labels(outline: Outline) -> str:
    return orjson.dumps(outline.labels).decode() if outline.labels else "[]"


def _requested(objects: list[str]) -> str:
    return f',"RequestedTags":{objects[0]}' if objects else ""


def _children(outline: Outline, *uids: str) -> str:
    listed = '","'.join([orthanc_id(outline.identity, *uids, uid) for uid in outline.child_uids])
    return f'["{listed}"]' if listed else "[]"
