"""Wildcards of keys: `*` is any run of characters, `?` is one (PS3.4 C.2.2.2.4). Never backtracks: no key is slow."""

import re
from functools import lru_cache


class Wildcard:
    """A pattern, ready to be compared with many texts."""

    __slots__ = ("_first", "_last", "_least", "_middle", "_starred")

    def __init__(self, pattern: str) -> None:
        pieces = pattern.split("*")
        self._starred = len(pieces) > 1
        self._first, self._last = _piece(pieces[0]), _piece(pieces[-1])
        self._middle = [_piece(piece) for piece in pieces[1:-1] if piece]
        self._least = sum(map(len, pieces))

    def matches(self, text: str) -> bool:
        """Whether the whole text fits the pattern."""
        if not self._starred:
            return len(text) == self._least and self._first.at(text, 0)
        end = len(text) - self._last.length
        if len(text) < self._least or not self._first.at(text, 0) or not self._last.at(text, end):
            return False
        position = self._first.length
        # The leftmost place of each piece is as good as any: what follows then has the most room.
        for piece in self._middle:
            found = piece.find(text, position, end)
            if found < 0:
                return False
            position = found + piece.length
        return position <= end


class _Literal:
    """A piece between stars without `?`."""

    __slots__ = ("_text", "length")

    def __init__(self, text: str) -> None:
        self._text = text
        self.length = len(text)

    def at(self, text: str, position: int) -> bool:
        return text.startswith(self._text, position)

    def find(self, text: str, start: int, end: int) -> int:
        return text.find(self._text, start, end)


class _Questioned:
    """A piece between stars with `?`."""

    __slots__ = ("_pattern", "length")

    def __init__(self, text: str) -> None:
        self._pattern = re.compile("".join("." if c == "?" else re.escape(c) for c in text), re.DOTALL)
        self.length = len(text)

    def at(self, text: str, position: int) -> bool:
        return self._pattern.match(text, position) is not None

    def find(self, text: str, start: int, end: int) -> int:
        found = self._pattern.search(text, start, end)
        return found.start() if found else -1


def _piece(text: str) -> _Literal | _Questioned:
    return _Questioned(text) if "?" in text else _Literal(text)


@lru_cache(maxsize=64)
def wildcard(pattern: str) -> Wildcard:
    """The pattern, made once for a search."""
    return Wildcard(pattern)
