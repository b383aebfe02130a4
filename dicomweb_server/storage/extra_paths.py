"""ExtraPaths: for which attributes `extra_value` has rows; one object, shared by the writer and all readers.

Searches leave that table alone for all other attributes. It may name too many paths, never too few.
"""

import sqlite3
from collections.abc import Iterable

from dicomweb_server.dicom.attributes import Level

# From each path to the next one: SQLite does not skip by itself.
_PATHS = """
WITH RECURSIVE found(path) AS (
    SELECT min(path) FROM extra_value
    UNION ALL SELECT (SELECT min(path) FROM extra_value WHERE path > found.path) FROM found WHERE path IS NOT NULL
) SELECT path FROM found WHERE path IS NOT NULL
"""


class ExtraPaths:
    """`current`: the paths. `configured`: the extra indexed attributes that `extra_value` has completely."""

    def __init__(self) -> None:
        self.current: frozenset[str] = frozenset()
        self.configured: tuple[tuple[str, Level], ...] = ()

    def load(self, connection: sqlite3.Connection) -> None:
        """What the index has at its start, or after `extra_attribute` was changed."""
        self.current |= {path for (path,) in connection.execute(_PATHS)}
        rows = connection.execute("SELECT path, level FROM extra_attribute WHERE complete = 1 ORDER BY path")
        self.configured = tuple((path, Level(level)) for path, level in rows)

    def add(self, paths: Iterable[str]) -> None:
        """The writer calls it before it commits rows with these paths."""
        found = self.current.union(paths)
        if len(found) > len(self.current):
            self.current = found
