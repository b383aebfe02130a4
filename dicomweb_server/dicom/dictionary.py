"""Dictionary: the VR of a tag where the encoding does not say it. Wraps pydicom's tables, knows no values."""

from functools import lru_cache

from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary
from pydicom._private_dict import private_dictionaries

# The single VR that an ambiguous entry of PS3.6 has in implicit VR: words where it may be words (PS3.5 §A.1), so that
# look-up tables of any size fit. "US or SS" stays open: PixelRepresentation decides.
US_OR_SS = "xs"
_AMBIGUOUS = {"OB or OW": "OW", "OB_OW": "OW", "US or OW": "OW", "US or SS or OW": "OW", "US or SS": US_OR_SS}
_NO_VR = frozenset({"NONE", "OB/OW"})


def _single(vr: str) -> str:
    return _AMBIGUOUS.get(vr, vr)


_VRS: dict[int, str] = {tag: _single(entry[0]) for tag, entry in DicomDictionary.items() if entry[0] not in _NO_VR}


def _repeaters() -> list[tuple[int, int, str]]:
    rules = []
    for pattern, entry in RepeatersDictionary.items():
        mask = int("".join("0" if digit == "x" else "F" for digit in pattern), 16)
        rules.append((mask, int(pattern.replace("x", "0"), 16), _single(entry[0])))
    return rules


_REPEATERS = _repeaters()


@lru_cache(maxsize=4096)
def _repeated_vr(tag: int) -> str:
    return next((vr for mask, value, vr in _REPEATERS if tag & mask == value), "UN")


def public_vr(tag: int) -> str:
    """The VR of a public tag: "UN" if unknown, `US_OR_SS` if PixelRepresentation decides."""
    vr = _VRS.get(tag)
    if vr is not None:
        return vr
    return "UL" if tag & 0xFFFF == 0 else _repeated_vr(tag)


@lru_cache(maxsize=8192)
def private_vr(creator: str, tag: int) -> str:
    """The VR of a private tag of a known creator, "LO" of the creator itself, "UN" if unknown (PS3.5 §7.8)."""
    element = tag & 0xFFFF
    if element == 0:
        return "UL"
    if 0x10 <= element <= 0xFF:
        return "LO"
    known = private_dictionaries.get(creator)
    if known is None:
        return "UN"
    group = f"{tag >> 16:04X}"
    # The tables name most tags for any block ("xx"), a few for one block or for several groups.
    for key in (f"{group}{element:04X}", f"{group}xx{element & 0xFF:02X}", f"{group[:2]}xxxx{element & 0xFF:02X}"):
        if key in known:
            return _single(known[key][0])
    return "UN"
