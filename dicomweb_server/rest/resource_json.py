"""A resource as Orthanc shows it: which members, in which format of tags."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from dicomweb_server.dicom.attribute_path import attribute_path
from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.main_tags import COMPUTED_TAGS, MAIN_TAGS, SHOWN_EMPTY
from dicomweb_server.dicom.orthanc_json import LONGEST_VALUE, TagFormat, formatted, numbered, tag_name, tag_text
from dicomweb_server.dicom.spelt_document import SpeltDocument
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.rest.arguments import Arguments
from dicomweb_server.rest.context import RestOptions
from dicomweb_server.rest.system_metadata import system_metadata
from dicomweb_server.services.resources import Described

NAMES = {Level.PATIENT: "Patient", Level.STUDY: "Study", Level.SERIES: "Series", Level.INSTANCE: "Instance"}
_PATHS = {Level.PATIENT: "patients", Level.STUDY: "studies", Level.SERIES: "series", Level.INSTANCE: "instances"}
_CHILDREN = {Level.PATIENT: "Studies", Level.STUDY: "Series", Level.SERIES: "Instances"}
_MOST_REQUESTED = 1000
DESCENT = ("AnonymizedFrom", "ModifiedFrom")

# What /tools/find may be asked for by name.
CONTENTS = frozenset(
    {
        *("Children", "MainDicomTags", "Metadata", "Labels", "Parent", "Status", "IsStable", "IsProtected"),
        *("Attachments", "RequestedTags"),
    }
)
USUAL = CONTENTS - {"Metadata", "Attachments"}


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown. `requested`: further tags; `contents`: groups of members; `stable_age`: seconds without change.

    `metadata_name`: of the key of metadata.
    """

    form: TagFormat = TagFormat.SIMPLE
    requested: tuple[tuple[int, ...], ...] = ()
    contents: frozenset[str] = USUAL
    stable_age: float = 60.0
    metadata_name: Callable[[str], str] = str


def form_of(arguments: Arguments, usual: TagFormat = TagFormat.SIMPLE) -> TagFormat:
    """The format of tags that the parameters ask for."""
    for form in (TagFormat.SIMPLE, TagFormat.SHORT, TagFormat.FULL):
        if arguments.flag(form.value):
            return form
    return usual


def shown_by(arguments: Arguments, options: RestOptions) -> Shown:
    """What the parameters of a request for resources ask for."""
    named = arguments.text("requested-tags") or arguments.text("requestedTags")
    contents = arguments.text("response-content")
    return Shown(
        form_of(arguments),
        requested_tags(named.split(";") if named else ()),
        chosen_contents(contents.split(";")) if contents else USUAL,
        options.stable_age,
        options.metadata.shown,
    )


def requested_tags(names: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    """Tags by their names or numbers; ServerError(BAD_REQUEST) for one that is unknown."""
    if len(names) > _MOST_REQUESTED:
        raise ServerError(Reason.BAD_REQUEST, f"at most {_MOST_REQUESTED} tags may be requested")
    return tuple(tag_path(name) for name in names if name)


def tag_path(name: str) -> tuple[int, ...]:
    """The tag or path of tags that a client names: PatientName, 0010,0010, 0010-0010, 00100010."""
    plain = name.strip().replace(",", "").replace("-", "") if name[:1].isdigit() else name.strip()
    path = attribute_path(plain)
    if path is None and len(plain) == 8:
        path = attribute_path(plain.upper())
    if path is None:
        raise ServerError(Reason.BAD_REQUEST, f"unknown DICOM tag: {name[:80]!r}")
    return path.tags


def chosen_contents(names: Sequence[str]) -> frozenset[str]:
    """Groups of members by their names; ServerError(BAD_REQUEST) for one that is unknown."""
    unknown = set(names) - CONTENTS
    if unknown:
        raise ServerError(Reason.BAD_REQUEST, f"unknown response content: expected some of {sorted(CONTENTS)}")
    return frozenset(names)


def path_of(level: Level, public_id: str) -> str:
    """Where a resource is."""
    return f"/{_PATHS[level]}/{public_id}"


def shown_resource(described: Described, shown: Shown) -> dict[str, Any]:
    """The JSON object of a resource."""
    resource, level = described.resource, described.resource.level
    found: dict[str, Any] = {"ID": resource.id, "Type": NAMES[level]}
    found.update({name: described.metadata[name] for name in DESCENT if name in described.metadata})
    document = SpeltDocument(described.load)
    for name, member in _MEMBERS.items():
        if name in shown.contents:
            found.update(member(described, document, shown))
    return found


def main_tags(described: Described, document: SpeltDocument, level: Level, form: TagFormat) -> dict[str, Any]:
    """The main tags of a level: of its own columns, or below the study as the representing instance has them."""
    values, texts = described.values, {}
    for tag, name in MAIN_TAGS[level].items():
        text: str | None = values.get(tag)
        if text is None and level <= Level.STUDY:
            text = "" if name in SHOWN_EMPTY else None
        elif text is None and (element := document.get(f"{tag:08X}")) is not None and element["vr"] != "SQ":
            text = tag_text(element)
        # What is too long for a tag is too long for a main one.
        if text is not None and len(text) <= LONGEST_VALUE:
            texts[tag] = text
    return _named(texts, form)


def _named(texts: Mapping[int, str], form: TagFormat) -> dict[str, Any]:
    if form is TagFormat.SIMPLE:
        return {tag_name(tag): text for tag, text in texts.items()}
    if form is TagFormat.SHORT:
        return {numbered(tag): text for tag, text in sorted(texts.items())}
    return {
        numbered(tag): {"Name": tag_name(tag), "Type": "String", "Value": text} for tag, text in sorted(texts.items())
    }


_Member = Callable[[Described, SpeltDocument, Shown], Mapping[str, Any]]


def _main(described: Described, document: SpeltDocument, shown: Shown) -> Mapping[str, Any]:
    level = described.resource.level
    found = {"MainDicomTags": main_tags(described, document, level, shown.form)}
    if level is Level.STUDY:
        found["PatientMainDicomTags"] = main_tags(described, document, Level.PATIENT, shown.form)
    return found


def _children(described: Described, document: SpeltDocument, shown: Shown) -> Mapping[str, Any]:
    level = described.resource.level
    return {_CHILDREN[level]: list(described.children)} if level in _CHILDREN else {}


def _parent(described: Described, document: SpeltDocument, shown: Shown) -> Mapping[str, Any]:
    level = described.resource.level
    if level is Level.PATIENT:
        return {}
    above = Level(level - 1)
    return {f"Parent{NAMES[above]}": described.resource.id_at(above)}


def _labels(described: Described, document: SpeltDocument, shown: Shown) -> Mapping[str, Any]:
    return {"Labels": list(described.labels)}


def _metadata(described: Described, document: SpeltDocument, shown: Shown) -> Mapping[str, Any]:
    given = {shown.metadata_name(key): value for key, value in described.metadata.items()}
    return {"Metadata": dict(sorted((system_metadata(described, document) | given).items()))}


def _attachments(described: Described, document: SpeltDocument, shown: Shown) -> Mapping[str, Any]:
    own = ["dicom"] if described.file else []
    return {"Attachments": [*own, *described.attachments]}


def _stable(described: Described, document: SpeltDocument, shown: Shown) -> Mapping[str, Any]:
    if described.resource.level is Level.INSTANCE:
        return {}
    is_stable = time.time() - described.updated >= shown.stable_age
    return {"IsStable": is_stable, "LastUpdate": moment(described.updated)}


def _protected(described: Described, document: SpeltDocument, shown: Shown) -> Mapping[str, Any]:
    return {"IsProtected": described.is_protected} if described.resource.level is Level.PATIENT else {}


def _status(described: Described, document: SpeltDocument, shown: Shown) -> Mapping[str, Any]:
    if described.resource.level is Level.SERIES:
        expected = expected_instances(document)
        return {"ExpectedNumberOfInstances": expected, "Status": _series_status(described.instances, expected)}
    if described.file is None:
        return {}
    index = index_in_series(document)
    return {"FileSize": described.file.size, "FileUuid": described.file.key, "IndexInSeries": index}


def _requested(described: Described, document: SpeltDocument, shown: Shown) -> Mapping[str, Any]:
    return {"RequestedTags": requested(described, document, shown)} if shown.requested else {}


_MEMBERS: Mapping[str, _Member] = {
    "MainDicomTags": _main,
    "Children": _children,
    "Parent": _parent,
    "Labels": _labels,
    "Metadata": _metadata,
    "Attachments": _attachments,
    "IsStable": _stable,
    "IsProtected": _protected,
    "Status": _status,
    "RequestedTags": _requested,
}


def requested(described: Described, document: SpeltDocument, shown: Shown) -> dict[str, Any]:
    """The requested tags: of the resource, of its parents, computed, or of the instance that represents it."""
    found: dict[str, Any] = {}
    for path in shown.requested:
        tag, element = path[0], _element(document, path)
        if tag in COMPUTED_TAGS:
            text = (
                "ONLINE" if COMPUTED_TAGS[tag] == "InstanceAvailability" else described.counts.get(COMPUTED_TAGS[tag])
            )
        elif element is not None and element["vr"] == "SQ":
            found |= formatted({f"{path[-1]:08X}": element}, shown.form)
            continue
        else:
            text = described.values.get(tag) if len(path) == 1 else None
            text = tag_text(element) if text is None and element is not None else text
        if text is not None or shown.form is TagFormat.SIMPLE:
            found |= _named({path[-1]: text or ""}, shown.form)
    return found


def _element(document: SpeltDocument, path: Sequence[int]) -> Mapping[str, Any] | None:
    found = document.get(f"{path[0]:08X}")
    for tag in path[1:]:
        items = found.get("Value", ()) if found else ()
        found = items[0].get(f"{tag:08X}") if items else None
    return found


def moment(seconds: float) -> str:
    """A moment as Orthanc writes it, in UTC."""
    return _moment(int(seconds))


@lru_cache(maxsize=1024)
def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%dT%H%M%S")


def expected_instances(document: SpeltDocument) -> int | None:
    """How many instances a series should have, as far as its attributes say."""
    for pair in ((0x00200105, 0x00201002), (0x00540081, 0x00540101)):
        counts = [_integer(document, tag) for tag in pair]
        if counts[0] is not None and counts[1] is not None:
            return counts[0] * counts[1]
    return _integer(document, 0x00181090)


def index_in_series(document: SpeltDocument) -> int | None:
    """The number of an instance in its series."""
    index = _integer(document, 0x00541330)
    return _integer(document, 0x00200013) if index is None else index


def _integer(document: SpeltDocument, tag: int) -> int | None:
    element = document.get(f"{tag:08X}")
    text = tag_text(element) if element else None
    try:
        return int(text) if text and len(text) < 12 else None
    except ValueError:
        return None


def _series_status(instances: int, expected: int | None) -> str:
    if expected is None:
        return "Unknown"
    if instances == expected:
        return "Complete"
    return "Missing" if instances < expected else "Inconsistent"
