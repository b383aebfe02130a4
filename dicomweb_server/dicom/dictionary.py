"""Dictionary: the VR of a tag where the encoding does not say it, and keywords. Knows no values."""

from functools import lru_cache

from dicomweb_server.dicom.standard_tables import ATTRIBUTES, REPEATED_ATTRIBUTES, Entry, private_attributes

# The single VR that an ambiguous entry of PS3.6 has in implicit VR: words where it may be words (PS3.5 §A.1), so that
# look-up tables of any size fit. "US or SS" stays open: PixelRepresentation decides.
US_OR_SS = "xs"
_AMBIGUOUS = {"OB or OW": "OW", "OB_OW": "OW", "US or OW": "OW", "US or SS or OW": "OW", "US or SS": US_OR_SS}
_NO_VR = frozenset({"NONE", "OB/OW"})


def _single(vr: str) -> str:
    return _AMBIGUOUS.get(vr, vr)


_VRS: dict[int, str] = {tag: _single(entry[0]) for tag, entry in ATTRIBUTES.items() if entry[0] not in _NO_VR}


def _repeaters() -> list[tuple[int, int, Entry]]:
    rules = []
    for pattern, entry in REPEATED_ATTRIBUTES.items():
        mask = int("".join("0" if digit == "x" else "F" for digit in pattern), 16)
        rules.append((mask, int(pattern.replace("x", "0"), 16), entry))
    return rules


_REPEATERS = _repeaters()
_NO_ENTRY: Entry = ("UN", "", "", "", "")


@lru_cache(maxsize=4096)
def _repeated(tag: int) -> Entry | None:
    return next((entry for mask, value, entry in _REPEATERS if tag & mask == value), None)


def public_entry(tag: int) -> Entry | None:
    """What PS3.6 says of a public tag; None for others."""
    entry = ATTRIBUTES.get(tag)
    return entry if entry is not None or tag >> 16 & 1 else _repeated(tag)


def keyword_of(tag: int) -> str:
    """The keyword of a public tag; "" for want of one."""
    return (public_entry(tag) or _NO_ENTRY)[4]


@lru_cache(maxsize=1)
def tags_by_keyword() -> dict[str, int]:
    """All keywords."""
    return {entry[4]: tag for tag, entry in ATTRIBUTES.items() if entry[4]}


def public_vr(tag: int) -> str:
    """The VR of a public tag: "UN" if unknown, `US_OR_SS` if PixelRepresentation decides."""
    vr = _VRS.get(tag)
    if vr is not None:
        return vr
    return "UL" if tag & 0xFFFF == 0 else _single((_repeated(tag) or _NO_ENTRY)[0])


@lru_cache(maxsize=8192)
def private_vr(creator: str, tag: int) -> str:
    """The VR of a private tag of a known creator, "LO" of the creator itself, "UN" if unknown (PS3.5 §7.8)."""
    element = tag & 0xFFFF
    if element == 0:
        return "UL"
    if 0x10 <= element <= 0xFF:
        return "LO"
    known = private_attributes().get(creator)
    if known is None:
        return "UN"
    group = f"{tag >> 16:04X}"
    # The tables name most tags for any block ("xx"), a few for one block or for several groups.
    for key in (f"{group}{element:04X}", f"{group}xx{element & 0xFF:02X}", f"{group[:2]}xxxx{element & 0xFF:02X}"):
        if key in known:
            return _single(known[key][0])
    return "UN"
