"""ParentRows: writes the rows of studies and series that a transaction makes or changes, each once."""

import sqlite3
from collections.abc import Iterable, Sequence

from dicomweb_server.dicom.orthanc_id import prefix_of
from dicomweb_server.storage.ledger import Ledger
from dicomweb_server.storage.parents import SeriesState, StudyState
from dicomweb_server.storage.statements import INSERT_SERIES, INSERT_STUDY, SERIES, STUDY, Row

Home = tuple[StudyState, SeriesState]

_UPDATE_STUDY = (
    "UPDATE study SET series_count = series_count + ?, instance_count = instance_count + ?, size = size + ?, "
    "updated = ?, revision = ? WHERE id = ?"
)
# Only where they change: modalities are in an index, which any SET of them writes.
_UPDATE_SETS = "UPDATE study SET modalities = ?, sop_classes = ? WHERE id = ?"
_UPDATE_SERIES = (
    "UPDATE series SET instance_count = instance_count + ?, size = size + ?, updated = ?, revision = ? WHERE id = ?"
)


class ParentRows:
    """Turns what `Parents` learned into rows."""

    def __init__(self, connection: sqlite3.Connection, ledger: Ledger) -> None:
        self._connection = connection
        self._ledger = ledger

    def write_new(self, homes: Iterable[Home]) -> None:
        """Insert new studies and series; afterwards they count as written."""
        studies = {study.id: study for study, _ in homes if study.is_new}
        series = {series.id: (study, series) for study, series in homes if series.is_new}
        INSERT_STUDY.run(self._connection, [self._study_row(study) for study in studies.values()])
        INSERT_SERIES.run(self._connection, [self._series_row(*home) for home in series.values()])
        for study in studies.values():
            study.settle()
        for _, one in series.values():
            one.settle()

    def write_changed(self, homes: Iterable[Home]) -> None:
        """Bring counters and sets of the others up to date; the rows of instances are written already."""
        studies = {study.id: study for study, _ in homes if study.is_changed or study.new_series}
        series = {series.id: series for _, series in homes if series.is_changed}
        time, revision = self._ledger.time, self._ledger.revision
        for study in studies.values():
            if study.is_recounted:
                study.modalities = modalities_of(self._connection, study.id)
                study.sop_classes = sop_classes_of(self._connection, study.id)
            if study.sets != study.written:
                self._connection.execute(_UPDATE_SETS, (*study.sets, study.id))
            counts = (study.new_series, study.instances, study.size)
            self._connection.execute(_UPDATE_STUDY, (*counts, time, revision, study.id))
            study.settle()
        rows: Sequence[Row] = [(one.instances, one.size, time, revision, one.id) for one in series.values()]
        self._connection.executemany(_UPDATE_SERIES, rows)
        for one in series.values():
            one.settle()

    def _study_row(self, study: StudyState) -> Row:
        time = self._ledger.time
        return (
            *(study.id, study.patient, study.uid, *STUDY.row(study.values)),
            *(study.new_series, study.instances, study.size, *study.sets),
            *(time, time, self._ledger.revision, prefix_of(study.identity, study.uid)),
        )

    def _series_row(self, study: StudyState, series: SeriesState) -> Row:
        time = self._ledger.time
        return (
            *(series.id, study.id, series.uid, *SERIES.row(series.values)),
            *(series.instances, series.size, series.template, time, time, self._ledger.revision),
            prefix_of(study.identity, study.uid, series.uid),
        )


def modalities_of(connection: sqlite3.Connection, study_id: int) -> set[str]:
    """The modalities of a study's series, from their rows."""
    rows = connection.execute("SELECT DISTINCT modality FROM series WHERE study = ?", (study_id,))
    return {modality for (modality,) in rows if modality}


def sop_classes_of(connection: sqlite3.Connection, study_id: int) -> set[str]:
    """The SOP classes of a study's instances, from their rows."""
    rows = connection.execute(
        "SELECT DISTINCT sop_class_uid FROM instance WHERE series IN (SELECT id FROM series WHERE study = ?)",
        (study_id,),
    )
    return {sop_class_uid for (sop_class_uid,) in rows}
