"""PURE: what of a worklist item is answered: the return keys of PS3.4 table K.6-1, and what was asked for."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dicomweb_server.dicom.query import Include
from dicomweb_server.dicom.selection import selected

_STEP = 0x00400100
# Of type 1 and 2: answered also if there is no value; the others of type 1C and 2C: if there is one.
_OF_STEP = (
    0x00080060, 0x00400001, 0x00400002, 0x00400003, 0x00400006, 0x00400009, 0x00400010, 0x00400011,
)  # fmt: skip
_OF_STEP_IF_THERE = (0x00181400, 0x00321070, 0x00400007, 0x00400008, 0x00400012, 0x00400020, 0x00400440)
_ALWAYS = (
    0x00080050, 0x00080090, 0x00081110, 0x00081120, 0x00100010, 0x00100020, 0x00100030, 0x00100040, 0x00101030,
    0x00102000, 0x00102110, 0x001021C0, 0x0020000D, 0x00321032, 0x00380010, 0x00380050, 0x00380300, 0x00380500,
    0x00401001, 0x00401003, 0x00401004, 0x00403001,
)  # fmt: skip
_IF_THERE = (0x00321060, 0x00321064)

RETURN_KEYS = (*((tag,) for tag in _ALWAYS), *((_STEP, tag) for tag in _OF_STEP))
"""Paths of what every answer has."""
RETURNED_IF_THERE = (*((tag,) for tag in _IF_THERE), *((_STEP, tag) for tag in _OF_STEP_IF_THERE))
"""Paths of what an answer has if the item has it."""

Document = Mapping[str, Any]
_DEFAULT = [Include(path) for path in RETURN_KEYS]


def answer(document: Document, asked: Iterable[Include]) -> dict[str, Any]:
    """The return keys and what was asked for; empty where the item has no value."""
    optional = [one for one in map(Include, RETURNED_IF_THERE) if _has(document, one.path)]
    return selected(document, (*_DEFAULT, *optional, *asked))


def _has(document: Document, path: Sequence[int]) -> bool:
    attribute = document.get(f"{path[0]:08X}")
    if attribute is None or len(path) == 1:
        return attribute is not None
    return any(_has(item, path[1:]) for item in attribute.get("Value") or ())
