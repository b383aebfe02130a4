"""Amendments: what later instances change in the rows of their study and series, inside the writer's transaction."""

from collections.abc import Mapping, Sequence

from dicomweb_server.dicom.attributes import Attribute, Level
from dicomweb_server.dicom.record import InstanceRecord
from dicomweb_server.dicom.searchable import extra_forms
from dicomweb_server.storage import tables
from dicomweb_server.storage.parents import SeriesState, StudyState
from dicomweb_server.storage.patients import Patients, identity_of
from dicomweb_server.storage.sqlite import Connection
from dicomweb_server.storage.statements import INSERT_EXTRA_VALUE, SERIES, STUDY, Row


class Amendments:
    """Fills what was empty; after a replacement, lets the newer instance speak."""

    def __init__(self, connection: Connection, patients: Patients, extra: Sequence[Attribute]) -> None:
        self._connection = connection
        self._patients = patients
        self._extra = extra
        self._forms: list[Row] = []  # to be written together

    def forget_all(self) -> None:
        """A transaction was undone."""
        self._forms.clear()

    def write(self) -> None:
        """Write what was noted."""
        INSERT_EXTRA_VALUE.run(self._connection, self._forms)
        self._forms.clear()

    def fill_study(self, study: StudyState, values: Mapping[str, str]) -> None:
        """Take over what no instance of the study had until now."""
        found = {column: values[column] for column in study.absent & values.keys()}
        study.absent -= found.keys()
        if study.is_new:
            study.values = {**found, **study.values}
        else:
            self._update_study(study, found)
        self.note_forms(Level.STUDY, study.id, found)

    def fill_series(self, study: StudyState, series: SeriesState, values: Mapping[str, str]) -> None:
        """Likewise for a series."""
        found = {column: values[column] for column in series.absent & values.keys()}
        series.absent -= found.keys()
        if series.is_new:
            series.values = {**found, **series.values}
        else:
            self._update_series(series, found)
        if modality := found.get("modality"):
            study.modalities.add(modality)
        self.note_forms(Level.SERIES, series.id, found)

    def overwrite(self, record: InstanceRecord, study: StudyState, series: SeriesState) -> None:
        """Let a replacing instance correct its study and series: sent again is how errors in them are corrected."""
        self.write()  # or what is noted of them would come back
        values = record.values
        study.is_recounted = True
        study.absent.difference_update(values)
        series.absent.difference_update(values)
        self._update_study(study, {column: values[column] for column in STUDY.plain if column in values})
        self._update_series(series, {column: values[column] for column in SERIES.plain if column in values})
        for level, owner in ((Level.STUDY, study.id), (Level.SERIES, series.id)):
            self._connection.execute("DELETE FROM extra_value WHERE level = ? AND owner = ?", (level, owner))
            self.note_forms(level, owner, values)
        if identity_of(values) != study.identity:
            self._move(study, values)

    def note_forms(self, level: Level, owner: int, values: Mapping[str, str]) -> None:
        """Keep what searches need beside the columns."""
        if forms := extra_forms(level, values, self._extra):
            self._connection.extra_paths.add(path for path, _ in forms)
            self._forms += [(path, form, level, owner) for path, form in forms]

    def _move(self, study: StudyState, values: Mapping[str, str]) -> None:
        """The study belongs to another patient after all."""
        (before,) = self._connection.execute("SELECT patient FROM study WHERE id = ?", (study.id,)).fetchone()
        self._patients.load([identity_of(values)])
        patient, study.identity = self._patients.of(values)
        self._patients.write()
        self._connection.execute("UPDATE study SET patient = ? WHERE id = ?", (patient, study.id))
        study.is_moved = True
        self._patients.left_by_study(before)

    def _update_study(self, study: StudyState, values: Mapping[str, str]) -> None:
        statement, parameters = STUDY.update(tables.study, values)
        if parameters:
            self._connection.execute(statement, (*parameters, study.id))

    def _update_series(self, series: SeriesState, values: Mapping[str, str]) -> None:
        statement, parameters = SERIES.update(tables.series, values)
        if parameters:
            self._connection.execute(statement, (*parameters, series.id))
