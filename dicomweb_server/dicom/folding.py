"""Text as it is compared where case, accents and width do not count (person names, PS3.4 C.2.2.2.1); does no I/O."""

import unicodedata

# Letters that Unicode does not decompose, although readers take them for accented ones.
_LETTERS = str.maketrans(
    {"ø": "o", "đ": "d", "ð": "d", "ł": "l", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"}
)
_OPERATORS = "*?=^\\"


def fold(text: str) -> str:
    """The text without regard to case, accents, and full or half width: two texts are equal if their folds are."""
    if text.isascii():
        return text.lower()
    text = _decomposed(_decomposed(text).casefold().translate(_LETTERS))
    text = "".join(c for c in text if unicodedata.category(c) != "Mn")
    # Composed again, so that a Hangul syllable is one character for the wildcard `?`.
    return unicodedata.normalize("NFC", text)


def _decomposed(text: str) -> str:
    """NFKD, except for characters that it would make operators of names and keys (such as a full-width `＊`)."""
    decomposed = unicodedata.normalize("NFKD", text)
    if all(decomposed.count(operator) == text.count(operator) for operator in _OPERATORS):
        return decomposed
    return "".join(_decomposed_character(c) for c in text)


def _decomposed_character(character: str) -> str:
    decomposed = unicodedata.normalize("NFKD", character)
    return character if any(operator in decomposed for operator in _OPERATORS) else decomposed
