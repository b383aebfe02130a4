"""PURE: a part of a data set in DICOM JSON, by the paths of its attributes."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dicomweb_server.dicom.attribute_path import is_private
from dicomweb_server.dicom.dictionary import US_OR_SS, public_vr
from dicomweb_server.dicom.matching import private_tag
from dicomweb_server.dicom.query import Include

Document = Mapping[str, Any]
_Wanted = Sequence[tuple[tuple[int, ...], Include]]  # (the rest of the path, what is wanted)


def selected(document: Document, wanted: Iterable[Include]) -> dict[str, Any]:
    """What is wanted, in the order of tags; public attributes that are not there are empty."""
    return _selected(document, [(one.path, one) for one in wanted])


def _selected(document: Document, wanted: _Wanted) -> dict[str, Any]:
    found: dict[str, Any] = {}
    below: dict[str, list[tuple[tuple[int, ...], Include]]] = {}
    for path, include in wanted:
        tag = _tag(document, path[0], include.private_creator)
        if tag is None:
            continue
        name = f"{tag:08X}"
        if is_private(tag) and include.private_creator is not None:
            creator = f"{tag >> 16:04X}00{tag >> 8 & 0xFF:02X}"  # without which it says nothing
            found[creator] = document[creator]
        if len(path) > 1:
            below.setdefault(name, []).append((path[1:], include))
        elif name in document or not is_private(tag):
            found[name] = document.get(name) or {"vr": _vr(tag)}
    for name, inner in below.items():
        if name not in found:  # else all of it is wanted
            items = [_selected(item, inner) for item in document.get(name, {}).get("Value") or () if item]
            found[name] = {"vr": "SQ", "Value": items} if items else {"vr": "SQ"}
    return dict(sorted(found.items()))


def _tag(document: Document, tag: int, creator: str | None) -> int | None:
    return private_tag(document, tag, creator) if is_private(tag) and creator is not None else tag


def _vr(tag: int) -> str:
    vr = public_vr(tag)
    return "US" if vr == US_OR_SS else vr
