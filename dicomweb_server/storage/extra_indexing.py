"""Attributes that are newly indexed by setting: fills `extra_value` for what is stored already, from stored metadata.

In small transactions of the writer, so that nothing changes under it and nobody waits long. A stop costs nothing: the
last row done is in `state`. Until an attribute is complete, searches compare the metadata itself.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Sequence

import orjson

from dicomweb_server.dicom.attributes import Attribute, Level
from dicomweb_server.dicom.searchable import element_forms
from dicomweb_server.storage.extra_paths import ExtraPaths
from dicomweb_server.storage.sqlite import Connection
from dicomweb_server.storage.statements import INSERT_EXTRA_VALUE
from dicomweb_server.storage.transaction import Transaction
from dicomweb_server.storage.writer import Writer

_log = logging.getLogger(__name__)

_BATCH = 200  # rows in one transaction: some 10 ms
_PAUSE = 0.005  # seconds, in which others write
_PROGRESS = "extra_attribute:"  # in `state`, followed by the path
# The first instance of a study, series or instance speaks for it, as it does when it is stored.
_ROWS = {
    Level.STUDY: (
        "SELECT study.id, instance.metadata, instance.template FROM study JOIN instance ON instance.id = "
        "(SELECT min(first.id) FROM instance AS first JOIN series ON series.id = first.series "
        "WHERE series.study = study.id) WHERE study.id > ? ORDER BY study.id LIMIT ?"
    ),
    Level.SERIES: (
        "SELECT series.id, instance.metadata, instance.template FROM series JOIN instance ON instance.id = "
        "(SELECT min(first.id) FROM instance AS first WHERE first.series = series.id) "
        "WHERE series.id > ? ORDER BY series.id LIMIT ?"
    ),
    Level.INSTANCE: "SELECT id, metadata, template FROM instance WHERE id > ? ORDER BY id LIMIT ?",
}


def reconcile(connection: sqlite3.Connection, extra: Sequence[Attribute]) -> None:
    """Note which attributes are to be indexed; forget those that are not any more. Before anybody reads or writes."""
    wanted = {attribute.column: (int(attribute.level), attribute.vr) for attribute in extra}
    rows = connection.execute("SELECT path, level, vr FROM extra_attribute")
    known = {path: (level, vr) for path, level, vr in rows}
    connection.execute("BEGIN IMMEDIATE")
    for path in known.keys() - {path for path, what in wanted.items() if known.get(path) == what}:
        connection.execute("DELETE FROM extra_attribute WHERE path = ?", (path,))
        connection.execute("DELETE FROM extra_value WHERE path = ?", (path,))
        connection.execute("DELETE FROM state WHERE name = ?", (_PROGRESS + path,))
        known.pop(path)
    # An empty index has all there is.
    connection.executemany(
        "INSERT INTO extra_attribute (path, level, vr, complete) SELECT ?, ?, ?, NOT EXISTS (SELECT 1 FROM study)",
        [(path, *what) for path, what in wanted.items() if path not in known],
    )
    connection.execute("COMMIT")


class ExtraIndexing:
    """The work that `reconcile` left to do."""

    def __init__(self, writer: Writer, extra_paths: ExtraPaths) -> None:
        self._writer = writer
        self._extra_paths = extra_paths

    async def run(self) -> None:
        """Complete all extra attributes; returns when that is done. May be cancelled, and goes on where it was."""
        while (finished := await self._writer.change(self.step)) is not None:
            if finished:
                _log.info("the index of attribute %s is complete", finished)
            await asyncio.sleep(_PAUSE)

    def step(self, transaction: Transaction) -> str | None:
        """Do the next rows of an attribute: its path when it is complete, "" before, None if nothing is left to do."""
        connection = transaction.connection
        # Only now: what an earlier step said of completeness is surely committed.
        self._extra_paths.load(connection)
        row = connection.execute("SELECT path, level, vr FROM extra_attribute WHERE complete = 0 LIMIT 1").fetchone()
        if row is None:
            return None
        path, level, vr = row
        attribute = Attribute(Level(level), int(path, 16), "", vr, path)
        last = int(transaction.state(_PROGRESS + path) or 0)
        ids = self._fill(connection, attribute, last)
        if len(ids) == _BATCH:
            transaction.set_state(_PROGRESS + path, str(ids[-1]))
            return ""
        connection.execute("UPDATE extra_attribute SET complete = 1 WHERE path = ?", (path,))
        connection.execute("DELETE FROM state WHERE name = ?", (_PROGRESS + path,))
        return str(path)

    def _fill(self, connection: Connection, attribute: Attribute, last: int) -> list[int]:
        """The forms of some rows after `last`; their ids."""
        level = max(attribute.level, Level.STUDY)
        rows = connection.execute(_ROWS[level], (last, _BATCH)).fetchall()
        forms = [
            (path, form, level, owner)
            for owner, metadata, template in rows
            for path, form in element_forms(attribute, _document(connection.codec.decode(metadata, template)))
        ]
        self._extra_paths.add(path for path, *_ in forms)
        INSERT_EXTRA_VALUE.run(connection, forms)
        return [owner for owner, _, _ in rows]


def _document(metadata: bytes) -> dict[str, dict[str, object]]:
    # The place holder of URLs is not allowed in JSON, and no form has it.
    document: dict[str, dict[str, object]] = orjson.loads(metadata.replace(b"\x01", b""))
    return document
