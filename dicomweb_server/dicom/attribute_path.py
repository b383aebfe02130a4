"""Name of an attribute as clients write it (keyword, tag, or a dotted path of these) → path of tags; does no I/O."""

import re
from dataclasses import dataclass
from functools import lru_cache

from dicomweb_server.dicom.attributes import BY_KEYWORD, BY_TAG
from dicomweb_server.dicom.dictionary import US_OR_SS, public_vr, tags_by_keyword
from dicomweb_server.dicom.information_levels import COMPUTED

MAX_DEPTH = 16
_TAG = re.compile(r"[0-9A-Fa-f]{8}", re.ASCII)


@dataclass(frozen=True, slots=True)
class AttributePath:
    """The tags from the top of the data set down, and the VR of the last. Private tags are as the client wrote them."""

    tags: tuple[int, ...]
    vr: str

    @property
    def private_at(self) -> int | None:
        """The position of the first private tag."""
        return next((n for n, tag in enumerate(self.tags) if is_private(tag)), None)


def is_private(tag: int) -> bool:
    """Whether a tag is private; the elements that reserve blocks are too (PS3.5 §7.8.1)."""
    return bool(tag >> 16 & 1)


def is_private_creator(tag: int) -> bool:
    """Whether a tag is that of a private creator."""
    return is_private(tag) and 0x10 <= tag & 0xFFFF <= 0xFF


@lru_cache(maxsize=1024)
def attribute_path(name: str) -> AttributePath | None:
    """The path that a name means; None if it has no meaning. Case counts in keywords, not in tags."""
    tags = [_tag(part) for part in name.split(".", MAX_DEPTH)]
    known = tuple(tag for tag in tags if tag is not None)
    if len(known) < len(tags) or len(tags) > MAX_DEPTH:
        return None
    if any(not is_private(tag) and _vr(tag) != "SQ" for tag in known[:-1]):
        return None
    return AttributePath(known, _vr(known[-1]))


def _tag(part: str) -> int | None:
    attribute = BY_KEYWORD.get(part)
    if attribute is not None:
        return attribute.tag
    if _TAG.fullmatch(part):
        return int(part, 16)
    return tags_by_keyword().get(part)


def _vr(tag: int) -> str:
    attribute = BY_TAG.get(tag)
    if attribute is not None:
        return attribute.vr
    if tag in COMPUTED:
        return COMPUTED[tag][1]
    if is_private(tag):
        return "LO" if is_private_creator(tag) else "UN"
    vr = public_vr(tag)
    return "US" if vr == US_OR_SS else vr


@lru_cache(maxsize=1)
def _lower_case_keywords() -> frozenset[str]:
    return frozenset(keyword.lower() for keyword in tags_by_keyword())


def is_misspelt(name: str) -> bool:
    """Whether a name would be a keyword if case did not count."""
    return name.lower() in _lower_case_keywords()
