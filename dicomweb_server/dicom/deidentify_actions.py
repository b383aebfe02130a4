"""De-identification actions: what the tables of PS3.15 §E say about an attribute or a content item, options considered.

D dummy, Z empty, X remove, K keep, C clean, U new UID. Decides; changes nothing.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache

from dicomweb_server.dicom.attribute_types import SOP_CLASSES, TYPE_1, TYPE_2
from dicomweb_server.dicom.deidentify_options import Option
from dicomweb_server.dicom.deidentify_table import ATTRIBUTES, CONTENT_ITEMS

Row = tuple[str, Mapping[str, str]]  # action of the Basic Profile, actions by option

_ROOT = "1.2.840.10008.5.1.4."
_SOP_CLASS_NUMBERS = {_ROOT + last: number for number, last in enumerate(SOP_CLASSES.split())}
# Repeating groups: (mask, value) of the tags.
_REPEATING: tuple[tuple[int, int, Row], ...] = (
    (0xFF000000, 0x50000000, ("X", {"clean_graphics": "C"})),  # curves
    (0xFF00FFFF, 0x60003000, ("X", {"clean_graphics": "C"})),  # OverlayData
    (0xFF00FFFF, 0x60004000, ("X", {"clean_graphics": "C"})),  # OverlayComments
)


def _rows(table: Mapping[tuple[str, str], str], separator: str | None) -> Iterable[tuple[str, Row]]:
    for (basic, options), keys in table.items():
        row = (basic, dict(option.split("=") for option in options.split()))
        for key in keys.split(separator):
            yield key, row


ROWS: Mapping[int, Row] = {int(tag, 16): row for tag, row in _rows(ATTRIBUTES, None)}
CONTENT_ROWS: Mapping[tuple[str, str], Row] = {
    tuple(key.split("|", 1)): row  # type: ignore[misc]
    for key, row in sorted(_rows(CONTENT_ITEMS, ";"), key=lambda entry: entry[1][0], reverse=True)
}


def row_of(tag: int) -> Row | None:
    """What table E.1-1 says about a tag that is not private; None: nothing."""
    row = ROWS.get(tag)
    if row is not None:
        return row
    return next((row for mask, value, row in _REPEATING if tag & mask == value), None)


def action_of(row: Row, options: frozenset[Option], type_: int | None) -> str:
    """One of D, Z, X, K, C, U. `type_`: 1, 2 or 3, that of the attribute in its IOD; None: not known."""
    basic, by_option = row
    asked = {by_option.get(option.column) for option in options}
    if "K" in asked:
        return "K"
    return "C" if "C" in asked else basic_action(basic, type_)


def basic_action(basic: str, type_: int | None) -> str:
    """The action of the Basic Profile: where the table leaves a choice, what the IOD needs, else the first."""
    choices = basic.split("/")
    if "U" in choices:
        return "U"  # references that stay true, because their UIDs are replaced as everywhere, are worth more than none
    if type_ == 1 or (type_ is None and len(choices) > 1):
        return choices[-1]  # whatever the type, the IOD is satisfied by a value
    if type_ == 2:
        return next((choice for choice in choices if choice != "X"), choices[-1])
    return choices[0]


@lru_cache(maxsize=1)
def _types() -> Mapping[int, tuple[frozenset[int], frozenset[int]]]:
    tags = TYPE_1.keys() | TYPE_2.keys()
    return {tag: (_numbers(TYPE_1.get(tag, "")), _numbers(TYPE_2.get(tag, ""))) for tag in tags}


def _numbers(ranges: str) -> frozenset[int]:
    found: set[int] = set()
    for part in ranges.split():
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)


def type_of(sop_class_uid: str, tag: int) -> int | None:
    """The type of an attribute at the top level of an IOD, 3 if it is not in it; None for a SOP class not known."""
    number = _SOP_CLASS_NUMBERS.get(sop_class_uid)
    if number is None:
        return None
    ones, twos = _types().get(tag, (frozenset(), frozenset()))
    return 1 if number in ones else 2 if number in twos else 3
