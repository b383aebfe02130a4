"""What an index must keep beside the plain columns so that every value of an indexed attribute is found; does no I/O.

Nearly all values match by their column. The exceptions, as (path, comparable value) pairs: several values, several
component groups, odd spellings, items of a sequence, and extra indexed attributes.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from dicomweb_server.dicom.attributes import BY_LEVEL, Attribute, Level
from dicomweb_server.dicom.comparable import SINGLE_TEXT_VRS, comparable, person_groups

REQUEST_ATTRIBUTES = 0x00400275
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
# Items of Request Attributes Sequence that searches match (PS3.18 table 10.6.1-5): VR by tag.
REQUEST_ITEMS = {0x00400009: "SH", 0x00401001: "SH", 0x00080050: "SH", 0x0020000D: "UI"}


def path_text(path: Sequence[int]) -> str:
    """A path of tags as the index writes it: eight upper-case hex digits each."""
    return "".join([f"{tag:08X}" for tag in path])


def folded_name(text: str) -> str:
    """The text of a person name's folded column: its values and component groups, each in comparable form."""
    if "\\" not in text and "=" not in text:
        return comparable("PN", text)
    return "\\".join(["=".join(person_groups(value)) for value in text.split("\\")])


_COLUMNS = {level: tuple((a.column, a.vr, f"{a.tag:08X}") for a in BY_LEVEL[level] if a.vr != "UI") for level in Level}
_OWN_COLUMNS = {
    Level.STUDY: _COLUMNS[Level.PATIENT] + _COLUMNS[Level.STUDY],
    Level.SERIES: _COLUMNS[Level.SERIES],
    Level.INSTANCE: _COLUMNS[Level.INSTANCE],
}


def extra_forms(
    level: Level, values: Mapping[str, str], extra: Sequence[Attribute] = ()
) -> tuple[tuple[str, str], ...]:
    """(path, comparable value) pairs for the row of one study (its patient's too), series or instance.

    `values`: of the record. `extra`: the configured attributes; those of other levels are passed over.
    """
    forms: dict[tuple[str, str], None] = {}
    for column, vr, path in _OWN_COLUMNS[level]:
        text = values.get(column)
        if text and not _is_plain(vr, text):
            forms.update(dict.fromkeys(_forms(vr, path, text)))
    for attribute in extra:
        text = values.get(attribute.column)
        if text and max(attribute.level, Level.STUDY) == level:
            forms.update(dict.fromkeys(_forms(attribute.vr, attribute.column, text)))
    return tuple(forms)


def _is_plain(vr: str, text: str) -> bool:
    """Whether the column alone (folded for a person name) answers every search for this value."""
    if vr == "DA":
        return len(text) == 8 and text.isdigit()
    if vr == "TM":
        return text.replace(".", "", 1).isdigit()
    if vr == "PN":
        return "\\" not in text and "=" not in text
    if vr == "SQ":
        return False
    return "\\" not in text and text[0] != " " and text[-1] != " "


def _forms(vr: str, path: str, text: str) -> Iterator[tuple[str, str]]:
    if vr == "SQ":
        yield from _item_forms(path, text)
        return
    values = [text] if vr in SINGLE_TEXT_VRS else text.split("\\")
    for value in values:
        for form in person_groups(value) if vr == "PN" else [comparable(vr, value)]:
            if form:
                yield path, form


def _item_forms(path: str, text: str) -> Iterator[tuple[str, str]]:
    items: list[dict[str, Any]] = orjson.loads(text)
    for item in items:
        for tag, vr in REQUEST_ITEMS.items():
            for value in item.get(f"{tag:08X}", {}).get("Value", ()):
                if isinstance(value, str) and comparable(vr, value):
                    yield f"{path}{tag:08X}", comparable(vr, value)


def element_forms(attribute: Attribute, document: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """The pairs of an extra indexed attribute, from the DICOM JSON of an instance."""
    values = document.get(attribute.column, {}).get("Value", ())
    texts = ["=".join(map(value.get, _GROUPS, ("", "", ""))) if isinstance(value, dict) else value for value in values]
    for text in texts:
        # What a record has as one text is split again.
        yield from _forms(attribute.vr, attribute.column, "" if text is None else str(text))
