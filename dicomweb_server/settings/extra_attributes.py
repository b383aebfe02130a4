"""Attributes to index beside the usual ones: from a configured name to the attribute."""

import re
from collections.abc import Iterable

from dicomweb_server.dicom.attributes import BY_TAG, Attribute, Level
from dicomweb_server.dicom.dictionary import public_entry, tags_by_keyword
from dicomweb_server.settings.failure import SettingsError

# Values of these are never text that could be searched for.
_UNSEARCHABLE = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "UN"})


def extra_attributes(names: Iterable[str]) -> tuple[Attribute, ...]:
    """The attributes of `level:keyword` or `level:tag`, those that are indexed anyway left out."""
    found = {attribute.tag: attribute for attribute in map(_attribute, names) if attribute.tag not in BY_TAG}
    return tuple(found.values())


def _attribute(name: str) -> Attribute:
    level, _, word = name.partition(":")
    tag = int(word, 16) if re.fullmatch("[0-9A-Fa-f]{8}", word) else tags_by_keyword().get(word)
    entry = None if tag is None else public_entry(tag)
    if tag is None or entry is None:
        message = f"extra_attributes = {name!r} is not allowed; allowed is an attribute of the standard (PS3.6)"
        raise SettingsError(message)
    vr = entry[0].partition(" ")[0]
    if vr in _UNSEARCHABLE:
        message = f"extra_attributes = {name!r} is not allowed; allowed is an attribute whose VR is not {vr}"
        raise SettingsError(message)
    return Attribute(Level[level.upper()], tag, entry[4], vr, f"{tag:08X}", default=False)
