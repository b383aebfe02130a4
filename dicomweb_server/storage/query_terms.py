"""Match → comparisons that SQL can make of one column, and their values; the shape of SQL is apart from the values.

They agree with `dicom.matching` in every case, or there is none (None), and a match must be verified by it.
"""

import re
from dataclasses import dataclass
from enum import Enum

import orjson

from dicomweb_server.dicom.comparable import SINGLE_TEXT_VRS
from dicomweb_server.dicom.matching import key_words
from dicomweb_server.dicom.query import Match, MatchKind

_WILDCARDS = re.compile(r"[*?]+")


class Comparison(Enum):
    """How a column is compared; the number is that of values that the comparison takes."""

    EQUAL = "equal", 1
    ONE_OF = "one of", 1  # a JSON array
    PREFIX = "prefix", 2  # the prefix, and the first text after all that begin with it
    CONTAINS = "contains", 1
    GLOB = "glob", 1
    PREFIX_AND_GLOB = "prefix and glob", 3
    FROM = "from", 1
    UNTIL = "until", 1
    BETWEEN = "between", 2
    EMPTY = "empty", 0
    WORDS = "words", 1  # one word; several such comparisons are joined by `Term.words`
    NEVER = "never", 0

    def __init__(self, _label: str, values: int) -> None:
        self.values = values


@dataclass(frozen=True, slots=True)
class Term:
    """What a match compares: one of `comparisons`, or the beginnings of `words` words of a name, all of them.

    `values`: those of the comparisons one after the other, then the words. `pieces`: what every text that matches
    contains, where no index helps by its order.
    """

    comparisons: tuple[Comparison, ...]
    values: tuple[str, ...]
    words: int = 0
    pieces: tuple[str, ...] = ()


def text_term(match: Match, *, fuzzy: bool) -> Term | None:
    """The comparisons of a match with a column of text in comparable form; None if SQL cannot make them."""
    if match.kind is MatchKind.MULTIPLE:
        return _joined([text_term(alternative, fuzzy=fuzzy) for alternative in match.alternatives])
    if match.vr == "PN" and any("=" in value for value in match.values):
        return None
    term = _term(match)
    if fuzzy and match.vr == "PN" and (words := key_words(match.values[0]) if match.values else []):
        return Term(term.comparisons, (*term.values, *words), len(words), tuple(words))
    return term


def list_term(match: Match) -> Term | None:
    r"""The comparisons with a column that lists its values between backslashes, \CT\SR\, or is a lone \ ."""
    if match.kind is MatchKind.MULTIPLE:
        return _joined([list_term(alternative) for alternative in match.alternatives])
    if match.kind is MatchKind.EMPTY:
        return Term((Comparison.EQUAL,), ("\\",))
    if match.kind not in (MatchKind.SINGLE, MatchKind.UID_LIST) or any("\\" in value for value in match.values):
        return None
    wrapped = tuple(f"\\{value}\\" for value in match.values)
    return Term((Comparison.CONTAINS,) * len(wrapped), wrapped) if len(wrapped) <= 32 else None


def _joined(terms: list[Term | None]) -> Term | None:
    known = [term for term in terms if term is not None]
    if len(known) < len(terms) or any(term.words for term in known):
        return None
    if all(term.comparisons == (Comparison.EQUAL,) for term in known):
        return Term((Comparison.ONE_OF,), (_array([term.values[0] for term in known]),))
    if len(known) > 32:
        return None
    return Term(
        tuple(comparison for term in known for comparison in term.comparisons),
        tuple(value for term in known for value in term.values),
    )


def _array(values: list[str]) -> str:
    return orjson.dumps(values).decode()


def _term(match: Match) -> Term:
    values = match.values
    if match.kind is MatchKind.EMPTY:
        return Term((Comparison.EMPTY,), ())
    if match.kind is MatchKind.UID_LIST:
        return Term((Comparison.ONE_OF,), (_array(list(values)),))
    if match.kind is MatchKind.RANGE:
        low, high = values
        if low and high:
            return Term((Comparison.BETWEEN,), values)
        return Term((Comparison.FROM,), (low,)) if low else Term((Comparison.UNTIL,), (high,))
    if "\\" in values[0] and match.vr not in SINGLE_TEXT_VRS:
        return Term((Comparison.NEVER,), ())
    return _wildcard_term(values[0]) if match.kind is MatchKind.WILDCARD else Term((Comparison.EQUAL,), values)


def _wildcard_term(pattern: str) -> Term:
    body = pattern.strip("*")
    if "*" not in body and "?" not in body:
        if pattern.startswith("*") and pattern.endswith("*"):
            return Term((Comparison.CONTAINS,), (body,), pieces=(body,))
        if pattern.endswith("*"):
            return Term((Comparison.PREFIX,), (body, _after(body)))
    glob = pattern.replace("[", "[[]")
    while "**" in glob:
        glob = glob.replace("**", "*")
    first = min((n for n, c in enumerate(pattern) if c in "*?"), default=0)
    if first:
        return Term((Comparison.PREFIX_AND_GLOB,), (pattern[:first], _after(pattern[:first]), glob))
    return Term((Comparison.GLOB,), (glob,), pieces=tuple(filter(None, _WILDCARDS.split(pattern))))


def _after(prefix: str) -> str:
    """The first text, by code points, after all texts with this prefix; of no prefix, after everything."""
    for position in range(len(prefix) - 1, -1, -1):
        code = ord(prefix[position]) + 1
        if code <= 0x10FFFF:
            # Surrogates are no characters, and none can follow in UTF-8.
            return prefix[:position] + chr(0xE000 if 0xD800 <= code <= 0xDFFF else code)
    return "\U0010ffff" * (len(prefix) + 64)  # no value goes on for so long
