"""Edit level: the walk over one data set or item that applies rules; what does not change is not encoded anew."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from dicomweb_server.dicom.charset import Charset, charset_of
from dicomweb_server.dicom.edit_path import tag_text
from dicomweb_server.dicom.edit_rules import LevelRules, Outcome, Rule, Site
from dicomweb_server.dicom.edit_value import EditValue
from dicomweb_server.dicom.edited import Output
from dicomweb_server.dicom.element_head import heads
from dicomweb_server.dicom.elements import Element, creator_name, item_encoding, items, walk
from dicomweb_server.dicom.encoding import MAX_DEPTH, UNDEFINED, Buffer, Encoding
from dicomweb_server.dicom.text_encoding import (
    CHARSET_VRS,
    SPECIFIC_CHARACTER_SET,
    needs_reencoding,
    reencoded,
)
from dicomweb_server.errors import Reason, ServerError

SOP_CLASS_UID, INSTANCE_UID = 0x00080016, 0x00080018
_LOOKED_INTO = CHARSET_VRS | {"SQ", "UN"}
_NEVER = 1 << 32  # greater than every tag
_LONGEST_VALUE = 1 << 26  # of a value that a rule is asked to change; none of a text is longer


# Told of every element that does not stay as it is: its path, its VR, what became of it.
Note = Callable[[str, str, Outcome], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is to be done to one instance. `inserts`: new elements of the data set, by tag.

    `charset`: what its text is moved to; None: it stays in its own. `patient`: ID and name in the result.
    """

    rules: LevelRules
    inserts: tuple[EditValue, ...] = ()
    facts: object = None
    charset: Charset | None = None
    patient: tuple[str, str] = ("", "")
    keep_file_meta: bool = True
    note: Note | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a level is: how deep, under which path."""

    depth: int = 0
    path: str = ""
    signed: bool = False


class Editor:
    """Edits one instance; knows the SOP Class and SOP Instance UID it ends with."""

    def __init__(self, buffer: Buffer, task: Task) -> None:
        self.buffer = buffer
        self.task = task
        self.identity: dict[int, bytes] = {}

    def level(
        self,
        start: int,
        end: int,
        rules: LevelRules,
        site: Site,
        place: Place,
        trace: "list[Traced] | None" = None,
    ) -> Output | None:
        """A data set or item after the edit; None if it stays as it is."""
        level = Level(self, rules, site, place)
        return level.edit(start, end, trace)


class Traced(NamedTuple):
    """What became of one element of the source: the new pieces, and what later ones depend on.

    `start`, `end`: of the element; `value`: where its value starts.
    """

    tag: int
    start: int
    value: int
    end: int
    pieces: list[bytes | tuple[int, int]]
    charset: Charset
    creators: dict[int, str]


class Level:
    """One data set or item under way: `_kept` is where the span begins that is to be copied from the source."""

    def __init__(self, editor: Editor, rules: LevelRules, site: Site, place: Place) -> None:
        self._editor = editor
        self._buffer = editor.buffer
        self._task = editor.task
        self._rules = rules
        self._table = rules.table
        self._site = site
        self._place = place
        self._head, self._item_head, self._closing = heads(site.encoding)
        self._output = Output()
        self._kept = 0
        self._inserts = iter(rules.inserts if place.depth else editor.task.inserts)
        self._insert = next(self._inserts, None)
        self._next_tag = self._insert.tag if self._insert else _NEVER
        self._moves_text = self._task.charset is not None

    def edit(self, start: int, end: int, trace: "list[Traced] | None" = None) -> Output | None:
        """Go over the elements. `trace`: is told what became of each."""
        site, place = self._site, self._place
        self._kept = position = start
        elements = walk(self._buffer, start, end, site.encoding, signed=place.signed, depth=place.depth)
        for element in elements if trace is None else self._traced(elements, start, trace):
            self.edit_one(element, position)
            position = element.following
        if self._insert is not None:
            self._insert_rest(position)
        if not self._output.pieces and self._kept == start:
            return None
        self._output.copy(self._buffer, self._kept, end)
        return self._output

    def edit_one(self, element: Element, head: int) -> None:
        """The next element, which begins at `head`."""
        tag = element.tag
        if tag < 0x00080020 or tag >> 16 & 1:
            self._look_at(element)
        if tag >= self._next_tag:
            self._next_tag = self._insert_up_to(element, head)
            if self._kept == element.following:  # it took the place of this element
                return
        if self._moves_text and tag == SPECIFIC_CHARACTER_SET:  # that of an item is the one of its data set now
            self._replace(head, element.following)
            return
        rule = self._table[tag]
        if rule is not None:
            self._apply(rule, element, head)
        elif element.vr in _LOOKED_INTO:
            self._keep(element, head)

    def resume(self, output: Output, kept: int, inserts: "tuple[EditValue, ...]") -> None:
        """Go on behind elements that were edited before: with what is to be inserted from here on."""
        self._output, self._kept = output, kept
        self._inserts = iter(inserts)
        self._insert = next(self._inserts, None)
        self._next_tag = self._insert.tag if self._insert else _NEVER

    def finish(self, position: int) -> None:
        """All up to a position is in the output."""
        self._output.copy(self._buffer, self._kept, position)
        self._kept = position

    def _traced(self, elements: "Iterator[Element]", start: int, trace: "list[Traced]") -> "Iterator[Element]":
        before = 0
        for element in elements:
            yield element
            self.finish(element.following)
            pieces = self._output.pieces
            creators = dict(self._site.creators)
            span = (start, element.start, element.following)
            trace.append(Traced(element.tag, *span, pieces[before:], self._site.charset, creators))
            before, start = len(pieces), element.following

    def _look_at(self, element: Element) -> None:
        """Note what the meaning of later elements depends on."""
        tag = element.tag
        if tag == SPECIFIC_CHARACTER_SET:
            self._site.charset = charset_of(self._raw(element))
        elif tag in (SOP_CLASS_UID, INSTANCE_UID) and not self._place.depth:
            self._editor.identity.setdefault(tag, self._raw(element))
        elif tag >> 16 & 1 and 0x10 <= tag & 0xFFFF <= 0xFF:
            name = creator_name(self._buffer[element.start : min(element.end, element.start + 64)])
            self._site.creators[tag >> 16 << 8 | tag & 0xFF] = name

    def _raw(self, element: Element) -> bytes:
        return self._buffer[element.start : element.end]

    def _replace(self, head: int, following: int, *new: bytes) -> None:
        """What is new takes the place of an element."""
        self._output.copy(self._buffer, self._kept, head)
        for piece in new:
            self._output.write(piece)
        self._kept = following

    def _tell(self, tag: int, vr: str, outcome: Outcome) -> None:
        if self._task.note is not None and tag & 0xFFFF:
            self._task.note(self._place.path + tag_text(tag), vr, outcome)

    def _insert_up_to(self, element: Element, head: int) -> int:
        """Write the new elements that come before one of the source, or in its place; the tag of the next one."""
        while self._insert is not None and self._insert.tag <= element.tag:
            value = self._insert
            is_same = value.tag == element.tag
            self._replace(head, element.following if is_same else head)
            vr = element.vr if is_same and element.vr != "UN" else value.vr
            if is_same and value.tag >> 16 & 1 and element.vr != "SQ" and value.items is None:
                vr = element.vr
            self._write(value, vr, Outcome.REPLACED if is_same else Outcome.ADDED)
            self._insert = next(self._inserts, None)
        return self._insert.tag if self._insert else _NEVER

    def _insert_rest(self, position: int) -> None:
        self._replace(position, position)
        while self._insert is not None:
            self._write(self._insert, self._insert.vr, Outcome.ADDED)
            self._insert = next(self._inserts, None)

    def _write(self, value: EditValue, vr: str, outcome: Outcome) -> None:
        """A new element of the request."""
        if value.items is not None:
            vr = "SQ"
        elif vr == "SQ":
            vr = value.vr
        self._tell(value.tag, vr, outcome)
        for piece in self._encoded(value, vr):
            self._output.write(piece)

    def _encoded(self, value: EditValue, vr: str) -> list[bytes]:
        if value.items is None:
            charset = self._task.charset or self._site.charset
            raw = value.encoded(vr, charset, little_endian=self._site.encoding.little_endian)
            if raw is None:
                raise ServerError(Reason.INTERNAL, "a new value cannot be said in the character set of the data set")
            if value.tag in (SOP_CLASS_UID, INSTANCE_UID) and not self._place.depth:
                self._editor.identity[value.tag] = raw
            return [self._head(value.tag, vr, len(raw)), raw]
        content = b"".join(self._encoded_item(item) for item in value.items)
        return [self._head(value.tag, "SQ", len(content)), content]

    def _encoded_item(self, item: tuple[EditValue, ...]) -> bytes:
        content = b"".join(piece for value in item for piece in self._encoded(value, value.vr))
        return self._item_head(len(content)) + content

    def _apply(self, rule: Rule, element: Element, head: int) -> None:
        if rule.items is not None and element.vr in ("SQ", "UN"):
            self._descend(element, head, rule.items)
            return
        if rule.value is not None:
            self._replace(head, element.following)
            self._write(rule.value, element.vr if element.vr != "UN" else rule.value.vr, rule.outcome)
            return
        if rule.change is None:
            self._clear(rule, element, head)
            return
        raw = self._raw(element) if element.end - element.start <= _LONGEST_VALUE else b""
        new = rule.change(raw, element.tag, element.vr, self._site)
        if new is None:
            self._tell(element.tag, element.vr, Outcome.REMOVED)
            self._replace(head, element.following)
        elif new is not raw:
            self._tell(element.tag, element.vr, rule.outcome)
            if element.tag == INSTANCE_UID and not self._place.depth:
                self._editor.identity[element.tag] = new
            self._replace(head, element.following, self._head(element.tag, element.vr, len(new)), new)
        else:
            self._keep(element, head)

    def _keep(self, element: Element, head: int) -> None:
        """It stays, but for what is in its items and for its character set."""
        if element.vr == "SQ" or element.vr == "UN":
            self._descend(element, head, None)
        elif self._moves_text and element.vr in CHARSET_VRS:
            self._move(element, head)

    def _clear(self, rule: Rule, element: Element, head: int) -> None:
        """It goes, or only its value does."""
        if rule.outcome is Outcome.REMOVED:
            self._tell(element.tag, element.vr, rule.outcome)
            self._replace(head, element.following)
        elif element.end > element.start:
            self._tell(element.tag, element.vr, rule.outcome)
            self._replace(head, element.following, self._head(element.tag, element.vr, 0))

    def _move(self, element: Element, head: int) -> None:
        """Text that stays, in the character set that the data set is moved to."""
        raw = self._raw(element)
        if not needs_reencoding(raw):
            return
        assert self._task.charset is not None
        new = reencoded(raw, element.vr, self._site.charset, self._task.charset)
        if new is None:
            problem = "the text of an instance cannot be said in the character set that was asked for"
            raise ServerError(Reason.BAD_REQUEST, problem)
        self._replace(head, element.following, self._head(element.tag, element.vr, len(new)), new)

    def _descend(self, element: Element, head: int, inner_rules: LevelRules | None) -> None:
        """Edit the items of a sequence, each by its rules."""
        if element.vr == "UN" and (element.defined and self._site.known_vr(element.tag, "UN") != "SQ"):
            return
        if inner_rules is None and not self._moves_text and not self._rules.reaches(element.tag):
            return
        if self._place.depth >= MAX_DEPTH:
            return
        outputs, changed = self._items(element, inner_rules)
        if not changed:
            return
        self._replace(head, element.following)
        content = Output()
        _, item_head, _ = heads(item_encoding(element, self._site.encoding))
        for output in outputs:
            content.write(item_head(output.size))
            content.append(output)
        is_open = element.vr == "UN" and not element.defined  # its items are implicit only if its length is undefined
        if content.size >= UNDEFINED:
            raise ServerError(Reason.TOO_LARGE, f"sequence {tag_text(element.tag)} has 4 GiB or more")
        self._output.write(self._head(element.tag, element.vr, UNDEFINED if is_open else content.size))
        self._output.append(content)
        if is_open:
            self._output.write(self._closing)

    def _items(self, element: Element, inner_rules: LevelRules | None) -> tuple[list[Output], bool]:
        outputs: list[Output] = []
        changed = False
        encoding = item_encoding(element, self._site.encoding)
        for number, (start, end) in enumerate(items(self._buffer, element, encoding, depth=self._place.depth)):
            output = self._item(element, number, (start, end), encoding, inner_rules)
            changed = changed or output is not None
            if output is GONE:
                continue
            if output is None:
                output = Output()
                output.copy(self._buffer, start, end)
            outputs.append(output)
        return outputs, changed

    def _item(
        self, element: Element, number: int, span: tuple[int, int], encoding: Encoding, inner: LevelRules | None
    ) -> Output | None:
        rules = inner or self._rules.within(element.tag, number) or (NO_RULES if self._moves_text else None)
        if rules is None:
            return None
        rules = rules.of_item(self._buffer, span, encoding)
        if rules is None:
            return GONE
        site = Site(encoding, self._site.charset, self._task.charset, facts=self._site.facts)
        path = f"{self._place.path}{tag_text(element.tag)}[{number}]." if self._task.note else ""
        place = Place(self._place.depth + 1, path, signed=self._place.signed)
        return self._editor.level(*span, rules, site, place)


class _NoRules(LevelRules):
    def resolve(self, tag: int) -> Rule | None:
        return None

    def within(self, tag: int, item: int) -> LevelRules | None:
        return None


NO_RULES = _NoRules()
GONE = Output()
