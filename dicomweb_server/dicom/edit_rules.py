"""Edit rules: what is to become of each element of one level, a data set or an item. By tag, made when met."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from dicomweb_server.dicom.charset import Charset, charset_of
from dicomweb_server.dicom.dictionary import private_vr, public_vr
from dicomweb_server.dicom.edit_value import EditValue
from dicomweb_server.dicom.encoding import Buffer, Encoding

_MAX_REMEMBERED = 8192  # tags of one level; an instance may invent as many as it likes


_DEFAULT = charset_of(b"")


class Outcome(Enum):
    """What became of an element, for reports."""

    REMOVED = "removed"
    EMPTIED = "emptied"
    REPLACED = "replaced"
    ADDED = "added"
    CLEANED = "cleaned"
    REMAPPED = "remapped"
    SHIFTED = "shifted"


@dataclass(slots=True)
class Site:
    """Where an element is met: its level's encoding and character set, the private creators so far, the instance.

    `aimed_at`: the character set that text is moved to, if it is. `facts`: what the rules found out about the instance
    before, for those that need it.
    """

    encoding: Encoding
    charset: Charset = _DEFAULT
    aimed_at: Charset | None = None
    creators: dict[int, str] = field(default_factory=dict)
    facts: Any = None

    @property
    def target(self) -> Charset:
        """The character set of what is written."""
        return self.aimed_at or self.charset

    def creator(self, tag: int) -> str:
        """The private creator of a private tag, "" if its block is not reserved."""
        return self.creators.get(tag >> 16 << 8 | tag >> 8 & 0xFF, "")

    def known_vr(self, tag: int, vr: str) -> str:
        """The VR of an element; of the dictionary where it came as UN."""
        if vr != "UN":
            return vr
        return private_vr(self.creator(tag), tag) if tag >> 16 & 1 else public_vr(tag)


# The new value of an element; None: it goes; the same object: it stays as it is.
Change = Callable[[bytes, int, str, Site], bytes | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """What becomes of an element. `change` for values, `items` for the content of a sequence (None: see `within`)."""

    outcome: Outcome
    change: Change | None = None
    value: EditValue | None = None
    items: "LevelRules | None" = None


REMOVE = Rule(Outcome.REMOVED)
EMPTY = Rule(Outcome.EMPTIED)


class LevelRules:
    """The rules of one level. Subclasses say what holds for a tag; None: it stays, but for what is in its items."""

    inserts: tuple[EditValue, ...] = ()
    has_within = False

    def __init__(self) -> None:
        self.table: dict[int, Rule | None] = _Table(self.resolve)

    def resolve(self, tag: int) -> Rule | None:
        """The rule of a tag."""
        raise NotImplementedError

    def within(self, tag: int, item: int) -> "LevelRules | None":
        """The rules of an item (from 0) of a sequence that stays; None: nothing changes there."""
        raise NotImplementedError

    def reaches(self, tag: int) -> bool:
        """Whether there may be anything to change within a sequence."""
        del tag
        return self.has_within

    def of_item(self, buffer: Buffer, span: tuple[int, int], encoding: Encoding) -> "LevelRules | None":
        """The rules of one item, if they depend on what it is; None: the item goes."""
        del buffer, span, encoding
        return self


class _Table(dict[int, Rule | None]):
    """Remembers what `resolve` said."""

    def __init__(self, resolve: Callable[[int], Rule | None]) -> None:
        super().__init__()
        self._resolve = resolve

    def __missing__(self, tag: int) -> Rule | None:
        # Group lengths are retired, and wrong as soon as anything changes (PS3.5 §7.2).
        rule = REMOVE if tag & 0xFFFF == 0 else self._resolve(tag)
        if len(self) < _MAX_REMEMBERED:
            self[tag] = rule
        return rule
