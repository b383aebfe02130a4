"""Compares two answers, and knows which differences are meant. Everything else is a fault of ours."""

import re
from collections.abc import Iterator
from typing import Any

# Different by nature: clocks, names of files, counters of a log, versions.
NATURE = frozenset(
    {
        *("LastUpdate", "Date", "FileUuid", "Uuid", "ReceptionDate", "Seq", "Last", "Details", "Message"),
        *("ContentType", "CompressedSize", "CompressedMD5"),
    }
)
# Members that Orthanc has since a release that is later than Debian's.
NEWER = frozenset({"Labels", "IsProtected", "First", "CalledAET"})
# Said by Orthanc only; the reasons are in docs/rest.md.
THEIRS = frozenset({"PixelDataOffset", "CompletionTime"})
# Of series, the AE title is told with their instances.
_OF_SERIES = re.compile(r"(.*Metadata\.)?RemoteAET")
# Of patients and studies, whether what is empty is there or not is told by the standard's type, not by a file.
_MAIN = re.compile(r"(.*\.)?(Patient)?MainDicomTags")
# Values that are shown otherwise on purpose: texts come in UTF-8, and the character set says so; names of private
# attributes are those of our dictionary.
_OTHERWISE = (
    re.compile(r"(.*\.)?(0008,0005|SpecificCharacterSet)(\.Value)?"),
    re.compile(r"(.*\.)?[0-9a-f]{3}[13579bdf],[0-9a-f]{4}(\..*)?"),
    re.compile(r"(.*\.)?[0-9a-f]{4},0000(\..*)?"),
    # Of several tags as values, all are told.
    re.compile(r"(.*\.)?0028,0009(\.Value)?"),
)


def differences(theirs: Any, ours: Any, path: str = "") -> Iterator[str]:
    """In words; nothing where both say the same, or differ as listed."""
    if any(pattern.fullmatch(path) for pattern in _OTHERWISE):
        return
    if isinstance(theirs, dict) and isinstance(ours, dict):
        yield from _members(theirs, ours, path)
    elif isinstance(theirs, list) and isinstance(ours, list):
        yield from _items(theirs, ours, path)
    elif theirs != ours and not _is_retired(theirs, ours):
        yield f"{path or 'the answer'}: {theirs!r} there, {ours!r} here"


def _is_retired(theirs: Any, ours: Any) -> bool:
    """Orthanc's dictionary marks the names of what is retired."""
    return isinstance(theirs, str) and theirs == f"RETIRED_{ours}"


def _members(theirs: dict[str, Any], ours: dict[str, Any], path: str) -> Iterator[str]:
    for name, value in theirs.items():
        below = f"{path}.{name}" if path else name
        if name in NATURE or name in THEIRS or any(pattern.fullmatch(below) for pattern in _OTHERWISE):
            continue
        if name not in ours and _OF_SERIES.fullmatch(below):
            continue
        if name not in ours and value == "" and _MAIN.fullmatch(path):
            continue
        if name not in ours:
            yield f"{below}: missing here"
        else:
            yield from differences(value, ours[name], below)
    for name in ours.keys() - theirs.keys() - NEWER - NATURE:
        below = f"{path}.{name}" if path else name
        is_empty = ours[name] == "" and _MAIN.fullmatch(path)
        if not is_empty and not any(pattern.fullmatch(below) for pattern in _OTHERWISE):
            yield f"{below}: only here"


def _items(theirs: list[Any], ours: list[Any], path: str) -> Iterator[str]:
    if all(isinstance(one, str) for one in (*theirs, *ours)):
        missing, more = (
            sorted(set(theirs) - set(ours) - THEIRS - {"RemoteAET"}),
            sorted(set(ours) - set(theirs) - NEWER),
        )
        if missing or more:
            yield f"{path or 'the list'}: {missing} only there, {more} only here"
        return
    if len(theirs) != len(ours):
        yield f"{path or 'the list'}: {len(theirs)} there, {len(ours)} here"
        return
    for position, (first, second) in enumerate(zip(_ordered(theirs), _ordered(ours), strict=True)):
        yield from differences(first, second, f"{path}[{position}]")


def _ordered(items: list[Any]) -> list[Any]:
    """Resources by their identifier: both list in an order of their own."""
    is_listed = all(isinstance(one, dict) and "ID" in one and "Seq" not in one for one in items)
    return sorted(items, key=lambda one: one["ID"]) if is_listed else items
