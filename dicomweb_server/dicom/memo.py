"""Memo: the JSON of elements met before. Most elements of an instance are, byte for byte, those of the one before it.

An entry depends on nothing but the bytes of its element and the context it is kept in, so no instance can change what
another one says. Bounded in bytes; safe with threads, because each step on a shared dict is one atomic operation.
"""

from collections.abc import Hashable
from enum import IntEnum
from typing import NamedTuple

from dicomweb_server.dicom.charset import Charset

# Longer elements are seldom met twice, and would push others out.
MAX_KEY = 4096
_OVERHEAD = 300  # of the objects of one entry
_MAX_CONTEXTS = 1000


class Note(NamedTuple):
    """What has to be done about an element beside writing its JSON: its text for the index, its raw value."""

    tag: int
    column: str
    text: str
    raw: bytes


Entry = tuple[bytes, Note | None]
Entries = dict[Hashable, Entry]


class Place(IntEnum):
    """Where an element is: it decides about the path of bulk data, and about whether a sequence is allowed."""

    TOP = 0
    NESTED = 1
    DEEPEST = 2


class Conditions(NamedTuple):
    """All that the JSON of an element depends on beside its own bytes. `order`: "<" or ">"; `extra`: indexed tags."""

    explicit: bool
    order: str
    charset: Charset
    signed: bool
    extra: frozenset[int]
    place: Place = Place.TOP


class Context:
    """Conditions, and the entries made under them: recent ones and those of the generation before."""

    __slots__ = ("charset", "conditions", "entries", "explicit", "older", "order", "signed")

    def __init__(self, conditions: Conditions, older: Entries) -> None:
        self.conditions = conditions
        self.explicit, self.order, self.charset, self.signed, _, _ = conditions
        self.entries: Entries = {}
        self.older = older


class Memo:
    """The contexts in two generations: when the recent one is full, the older one is forgotten."""

    def __init__(self, limit: int) -> None:
        self._limit = limit // 2
        self._size = 0
        self._recent: dict[Conditions, Context] = {}
        self._older: dict[Conditions, Context] = {}

    def context(self, conditions: Conditions) -> Context:
        """The context of these conditions."""
        context = self._recent.get(conditions)
        if context is None:
            if len(self._recent) >= _MAX_CONTEXTS:
                self._turn()
            before = self._older.get(conditions)
            # The very conditions of before, so that they can be compared by identity.
            context = Context(before.conditions, before.entries) if before else Context(conditions, {})
            context = self._recent.setdefault(context.conditions, context)
        return context

    def keep(self, context: Context, key: Hashable, size: int, entry: Entry) -> None:
        """Remember the entry of an element; `size`: of its bytes."""
        context.entries[key] = entry
        size += len(entry[0]) + _OVERHEAD
        self._size += size
        if self._size > self._limit:
            self._turn()

    def _turn(self) -> None:
        self._size = 0
        self._older = self._recent
        self._recent = {}
