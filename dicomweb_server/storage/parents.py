"""Parents: what the writer remembers of studies and series, so that an instance of a known series costs one row.

Used in the writer's thread only, and always as of the transaction under way.
"""

import sqlite3
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import orjson

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.storage.statements import SERIES, STUDY

_STUDIES_HELD = 1024


@dataclass(slots=True)
class SeriesState:
    """A series as the writer knows it. `absent`: columns, and paths of extra attributes, that have no value yet."""

    id: int
    uid: str
    template: int
    absent: set[str]
    is_new: bool = False  # its row is not written yet
    values: Mapping[str, str] = field(default_factory=dict)  # of a new one, for its row
    is_changed: bool = False
    instances: int = 0  # that this transaction adds
    size: int = 0

    def grow(self, instances: int, size: int) -> None:
        """Count what is added, or, if negative, removed."""
        self.is_changed = True
        self.instances += instances
        self.size += size

    def settle(self) -> None:
        """The row is written."""
        self.is_new = self.is_changed = False
        self.instances = self.size = 0
        self.values = {}


@dataclass(slots=True)
class StudyState:
    """A study as the writer knows it, with its series as far as they were met."""

    id: int
    uid: str
    identity: str  # of its patient
    absent: set[str]
    modalities: set[str]
    sop_classes: set[str]
    written: tuple[str, str] = ("", "")  # `sets` as its row has them
    is_new: bool = False
    patient: int = 0  # of a new one
    values: Mapping[str, str] = field(default_factory=dict)
    series: dict[str, SeriesState] = field(default_factory=dict)
    is_changed: bool = False
    is_moved: bool = False  # to another patient: what depends on it is to be renewed
    is_recounted: bool = False  # modalities and SOP classes are to be read from the rows
    new_series: int = 0  # that this transaction adds, as are the next two
    instances: int = 0
    size: int = 0

    @property
    def sets(self) -> tuple[str, str]:
        """Modalities and SOP classes, as they are written."""
        return set_text(self.modalities), set_text(self.sop_classes)

    def grow(self, instances: int, size: int) -> None:
        """Count what is added, or, if negative, removed."""
        self.is_changed = True
        self.instances += instances
        self.size += size

    def settle(self) -> None:
        """The row is written."""
        self.written = self.sets
        self.is_new = self.is_changed = self.is_recounted = False
        self.new_series = self.instances = self.size = 0
        self.values = {}


class Parents:
    """The last studies met, and how to load others."""

    def __init__(self, connection: sqlite3.Connection, extra_paths: Mapping[Level, frozenset[str]]) -> None:
        """`extra_paths`: of the extra indexed attributes, by level of the row that has them."""
        self._connection = connection
        self._extra_paths = extra_paths
        self._studies: OrderedDict[str, StudyState] = OrderedDict()

    def load(self, study_uids: Iterable[str]) -> None:
        """Make those of the studies that exist known, in one query."""
        wanted = [uid for uid in study_uids if uid not in self._studies]
        if not wanted:
            return
        columns = ", ".join(f"study.{column}" for column in STUDY.plain)
        rows = self._connection.execute(
            f"SELECT study.id, study_uid, identity, modalities, sop_classes, {columns} FROM study "  # noqa: S608
            "JOIN patient ON patient.id = study.patient WHERE study_uid IN (SELECT value FROM json_each(?))",
            (orjson.dumps(wanted).decode(),),
        )
        for study_id, uid, identity, modalities, sop_classes, *values in rows.fetchall():
            absent = self._absent_of_row(Level.STUDY, study_id, STUDY.plain, values)
            sets = members(modalities), members(sop_classes)
            self.learn(StudyState(study_id, uid, identity, absent, *sets, written=(modalities, sop_classes)))

    def study(self, study_uid: str) -> StudyState | None:
        """A study that was loaded or learned in this transaction, or that is remembered."""
        return self._studies.get(study_uid)

    def series(self, study: StudyState, series_uid: str) -> SeriesState | None:
        """A series of it; None if it does not exist."""
        found = study.series.get(series_uid)
        return found or (None if study.is_new else self._load_series(study, series_uid))

    def learn(self, study: StudyState) -> None:
        """Remember a study."""
        self._studies[study.uid] = study

    def forget(self, study_uid: str) -> None:
        """A study was changed by other means."""
        self._studies.pop(study_uid, None)

    def forget_all(self) -> None:
        """A transaction was undone."""
        self._studies.clear()

    def trim(self) -> None:
        """Between transactions: keep the last ones only."""
        while len(self._studies) > _STUDIES_HELD:
            self._studies.popitem(last=False)

    def absent(self, level: Level, values: Mapping[str, str]) -> set[str]:
        """What the first instance of a study or series does not say of it."""
        columns = STUDY.plain if level == Level.STUDY else SERIES.plain
        return {column for column in (*columns, *self._extra_paths[level]) if column not in values}

    def _load_series(self, study: StudyState, series_uid: str) -> SeriesState | None:
        row = self._connection.execute(
            f"SELECT id, template, {', '.join(SERIES.plain)} FROM series WHERE study = ? AND series_uid = ?",  # noqa: S608
            (study.id, series_uid),
        ).fetchone()
        if row is None:
            return None
        series_id, template, *values = row
        absent = self._absent_of_row(Level.SERIES, series_id, SERIES.plain, values)
        found = study.series[series_uid] = SeriesState(series_id, series_uid, template, absent)
        return found

    def _absent_of_row(self, level: Level, owner: int, columns: tuple[str, ...], values: list[object]) -> set[str]:
        absent = {column for column, value in zip(columns, values, strict=True) if value is None}
        if paths := self._extra_paths[level]:
            rows = self._connection.execute(
                "SELECT path FROM extra_value WHERE level = ? AND owner = ?", (level, owner)
            )
            absent |= paths - {path for (path,) in rows}
        return absent


def members(text: str) -> set[str]:
    r"""The members of a set written as \CT\SR\."""
    return {member for member in text.split("\\") if member}


def set_text(values: Iterable[str]) -> str:
    r"""A set written as \CT\SR\, sorted; a lone backslash if it is empty."""
    return "\\".join(["", *sorted(values), ""]) or "\\"
