"""Trigrams: finds the studies whose text contains a piece without reading all of them (SQLite's FTS5).

The index is kept by triggers on `study`, in the transaction of the row. It only narrows: whoever asks it compares too.
"""

from collections.abc import Iterable

from dicomweb_server.storage.tables import study

# What study lists search by a piece of it. Not descriptions: many studies share the same, and then a scan of the index
# `study_by_date` is faster than a look at each row that trigrams name.
COLUMNS = frozenset({"patient_name_folded", "patient_id", "accession_number"})
LEAST_LENGTH = 3  # of a piece
_MOST = 64  # trigrams in one question; more narrow no further

_ORDERED = sorted(COLUMNS)
assert set(_ORDERED) <= set(study.c.keys())


def _text(row: str) -> str:
    """All texts of a row in one, apart by a character that none of them has."""
    return " || char(31) || ".join(f"coalesce({row}.{column}, '')" for column in _ORDERED)


def _removal(row: str) -> str:
    # A table without content has to be told what it forgets.
    return f"INSERT INTO study_trigram(study_trigram, rowid, text) VALUES ('delete', {row}.id, {_text(row)});"  # noqa: S608


def _addition(row: str) -> str:
    return f"INSERT INTO study_trigram(rowid, text) VALUES ({row}.id, {_text(row)});"  # noqa: S608


def definition() -> list[str]:
    """The statements that make the index and its triggers."""
    return [
        "CREATE VIRTUAL TABLE study_trigram "
        "USING fts5(text, content='', detail=none, columnsize=0, tokenize='trigram')",
        f"CREATE TRIGGER study_trigram_insert AFTER INSERT ON study BEGIN {_addition('new')} END",
        f"CREATE TRIGGER study_trigram_delete AFTER DELETE ON study BEGIN {_removal('old')} END",
        f"CREATE TRIGGER study_trigram_update AFTER UPDATE OF {', '.join(_ORDERED)} ON study "
        f"BEGIN {_removal('old')} {_addition('new')} END",
    ]


def question(pieces: Iterable[str]) -> str:
    """What to ask the index for: all trigrams of some pieces, each as a quoted token."""
    found = {piece[start : start + 3] for piece in pieces for start in range(len(piece) - 2)}
    return " AND ".join('"' + one.replace('"', '""') + '"' for one in sorted(found)[:_MOST])
