"""Content rules: the Clean Structured Content Option (PS3.15 §E.3.4): each content item by the code of its concept."""

from collections.abc import Iterator

from dicomweb_server.dicom.deidentify_actions import CONTENT_ROWS, Row, action_of
from dicomweb_server.dicom.deidentify_options import Option
from dicomweb_server.dicom.edit_rules import LevelRules, Rule
from dicomweb_server.dicom.elements import items, walk
from dicomweb_server.dicom.encoding import Buffer, Encoding

_CONCEPT_NAME = 0x0040A043
_VALUE_TYPE = 0x0040A040
_CODE_VALUE, _CODING_SCHEME = 0x00080100, 0x00080102
_TEXT_VALUE = 0x0040A160
_MAX_CODE = 64
# Content items of other types may not tell anything unless the tables allow it.
_BOUND_TYPES = frozenset(
    {
        b"CODE",
        b"NUM",
        b"CONTAINER",
        b"IMAGE",
        b"COMPOSITE",
        b"WAVEFORM",
        b"UIDREF",
        b"SCOORD",
        b"SCOORD3D",
        b"TCOORD",
        b"TABLE",
    }
)


class ContentRules(LevelRules):
    """The rules of a tree of content items; which ones hold for an item is seen from the item."""

    has_within = True

    def __init__(self, plain: LevelRules, telling: LevelRules, options: frozenset[Option]) -> None:
        super().__init__()
        self._plain = plain
        self._options = options
        self._by_action: dict[str, LevelRules] = {"D": _ItemOf(self, telling), "K": _ItemOf(self, plain)}
        self._by_action["C"] = self._by_action["K"] if options & _DATES else self._by_action["D"]

    def resolve(self, tag: int) -> Rule | None:
        """Items that are no content items: as everywhere."""
        return self._plain.table[tag]

    def within(self, tag: int, item: int) -> LevelRules | None:
        """Content items may be anywhere below."""
        del tag, item
        return self

    def of_item(self, buffer: Buffer, span: tuple[int, int], encoding: Encoding) -> LevelRules | None:
        """By concept and value type; unknown concepts must not tell anything freely."""
        value_type, concept = _identity(buffer, span, encoding)
        row = CONTENT_ROWS.get(concept) if concept else None
        if row is None:
            return self._by_action["K" if value_type in _BOUND_TYPES else "D"]
        action = self._action(row)
        return None if action == "X" else self._by_action[action]

    def _action(self, row: Row) -> str:
        basic, by_option = row
        if "clean_descriptors" in by_option and Option.CLEAN_DESCRIPTORS in self._options:
            return "D"  # text in context: dummies are what is surely clean
        return action_of((basic.split("/")[-1], by_option), self._options, 3)


_DATES = frozenset({Option.RETAIN_FULL_DATES, Option.RETAIN_MODIFIED_DATES})


class _ItemOf(LevelRules):
    """The rules of one content item; those below it are judged by themselves, codes are left to the plain rules."""

    has_within = True

    def __init__(self, content: ContentRules, own: LevelRules) -> None:
        super().__init__()
        self._content = content
        self._own = own

    def resolve(self, tag: int) -> Rule | None:
        return self._own.table[tag]

    def within(self, tag: int, item: int) -> LevelRules | None:
        return self._content if tag in _CHILDREN else self._own.within(tag, item)


_CHILDREN = frozenset({0x0040A730, 0x00400555, 0x00400610, 0x00400612, 0x0040B020})


def content_rules(plain: LevelRules, telling: LevelRules, options: frozenset[Option]) -> ContentRules:
    """The rules of sequences of content items. `telling`: those that leave nothing that people wrote."""
    return ContentRules(plain, telling, options)


def _identity(buffer: Buffer, span: tuple[int, int], encoding: Encoding) -> tuple[bytes, tuple[str, str] | None]:
    """Value type and (coding scheme, code) of the concept name of a content item."""
    value_type, concept = b"", None
    for element in walk(buffer, *span, encoding):
        if element.tag == _VALUE_TYPE:
            value_type = buffer[element.start : element.end].strip(b" \0")
        elif element.tag == _CONCEPT_NAME and element.vr in ("SQ", "UN"):
            concept = next(_codes(buffer, items(buffer, element, encoding), encoding), None)
        elif element.tag > _CONCEPT_NAME:
            break
    return value_type, concept


def _codes(buffer: Buffer, spans: Iterator[tuple[int, int]], encoding: Encoding) -> Iterator[tuple[str, str]]:
    for span in spans:
        found = {_CODE_VALUE: "", _CODING_SCHEME: ""}
        for element in walk(buffer, *span, encoding):
            if element.tag in found:
                raw = buffer[element.start : min(element.end, element.start + _MAX_CODE)]
                found[element.tag] = raw.strip(b" \0").decode("latin-1")
        yield found[_CODING_SCHEME], found[_CODE_VALUE]
