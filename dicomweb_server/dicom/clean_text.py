"""Clean text: what a description says, without what may identify somebody. A heuristic (PS3.15 §E.3.6), and strict.

Words that the instance itself names as those of persons, places and numbers go, and whatever looks like a date, a
number of five digits or more, an address of the net, or a name behind a title.
"""

import re
from collections.abc import Iterable

_MIN_WORD = 2
_WORD = re.compile(r"\w+", re.UNICODE)
_PATTERNS = re.compile(
    r"""
    [\w.+-]+@[\w.-]+                                     # mail
    | \b(?:https?://|www\.)\S+
    | \b(?:\d{4}[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./]\d{2,4})\b
    | \b\d{1,2}:\d{2}(?::\d{2})?\b
    | \b\w*\d{5,}\w*\b
    | \b(?:dr|prof|doctor|mr|mrs|ms|miss|sir|herr|frau|mme|sr|sra|med)\b\.?(?:\s+(?:[A-Z]\.|[A-Z][\w'-]+)){0,3}
    | \b(?:mrn|pid|acc(?:ession)?|dob|born|tel|phone|fax)\b[\s.:#]*(?:no\.?)?[\s.:#]*[\w/-]*
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SPACES = re.compile(r"[ \t]{2,}")


def words_of(texts: Iterable[str]) -> frozenset[str]:
    """The words of names, places and numbers, to be looked for in descriptions."""
    found = {word.casefold() for text in texts for word in _WORD.findall(text.replace("_", " "))}
    return frozenset(word for word in found if len(word) >= _MIN_WORD)


def cleaned(text: str, words: frozenset[str]) -> str:
    """The text without them; "" if nothing is left but punctuation."""
    text = _PATTERNS.sub(" ", text)
    text = _WORD.sub(lambda match: "" if _is_known(match[0], words) else match[0], text)
    text = _SPACES.sub(" ", text).strip(" ,;:-_/.^=")
    return text if _WORD.search(text) else ""


def _is_known(word: str, words: frozenset[str]) -> bool:
    folded = word.casefold()
    return folded in words or any(part in words for part in folded.split("_"))
