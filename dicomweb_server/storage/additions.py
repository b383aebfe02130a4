"""Additions: adds instances, and the parents they need, inside the writer's transaction."""

from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

import orjson

from dicomweb_server.dicom.attributes import Attribute, Level
from dicomweb_server.dicom.origin import Origin
from dicomweb_server.dicom.orthanc_id import prefix_of
from dicomweb_server.ports.changes import ChangeKind
from dicomweb_server.ports.index import Added, NewInstance, OnDuplicate
from dicomweb_server.storage.amendments import Amendments
from dicomweb_server.storage.ledger import Ledger
from dicomweb_server.storage.metadata_codec import SAME_AS_TEMPLATE
from dicomweb_server.storage.origin_labels import OriginLabels
from dicomweb_server.storage.orthanc_ids import renew_orthanc_ids
from dicomweb_server.storage.parent_rows import ParentRows
from dicomweb_server.storage.parents import Parents, SeriesState, StudyState
from dicomweb_server.storage.patients import Patients, identity_of
from dicomweb_server.storage.sqlite import Connection
from dicomweb_server.storage.statements import (
    INSERT_INSTANCE,
    INSERT_TEMPLATE,
    INSTANCE,
    Row,
)

_ORIGINS_HELD = 1024


class Addition(NamedTuple):
    """One instance to add and what to do if it is there."""

    new: NewInstance
    on_duplicate: OnDuplicate


def hashed(addition: Addition) -> Addition:
    """The same with its digest. Not for the event loop: half a megabyte takes 0.3 ms."""
    new = addition.new
    if new.digest:
        return addition
    assert new.placement is not None
    assert new.placement.data is not None
    digest = sha256(new.placement.data).digest()
    return Addition(
        NewInstance(new.parsed, new.key, new.size, digest, new.origin, new.received, new.placement),
        addition.on_duplicate,
    )


class _Stored(NamedTuple):
    """What is there under an instance's UIDs."""

    id: int
    digest: bytes
    key: str
    size: int


class Additions:
    """Adds instances by as few statements as their number allows."""

    def __init__(
        self, connection: Connection, ledger: Ledger, patients: Patients, parents: Parents, extra: Sequence[Attribute]
    ) -> None:
        """`extra`: the attributes that are indexed by setting."""
        self._connection = connection
        self._ledger = ledger
        self._patients = patients
        self._parents = parents
        self._amendments = Amendments(connection, patients, extra)
        self._parent_rows = ParentRows(connection, ledger)
        self._labels = OriginLabels(connection)
        self._origins: dict[Origin, int] = {}
        self._rows: list[Row] = []
        self._templates: list[Row] = []

    def forget_all(self) -> None:
        """A transaction was undone."""
        self._origins.clear()
        self._rows.clear()
        self._templates.clear()
        self._labels.forget_all()
        self._amendments.forget_all()

    def add(self, additions: Sequence[Addition]) -> list[Added]:
        """Add them in order; the outcomes, in order. Must be inside a transaction."""
        outcomes = [Added.STORED] * len(additions)
        left = list(range(len(additions)))
        while left:
            left = self._add_round(additions, left, outcomes)
        return outcomes

    def _add_round(self, additions: Sequence[Addition], positions: list[int], outcomes: list[Added]) -> list[int]:
        """Add those that differ in their UIDs; returns the others, which must see what became of the first."""
        self._load([additions[position].new for position in positions])
        chosen: dict[tuple[int, str], int] = {}
        homes: dict[int, tuple[StudyState, SeriesState]] = {}
        later: list[int] = []
        for position in positions:
            new = additions[position].new
            study, series = self._home(new)
            if chosen.setdefault((series.id, new.parsed.record.instance_uid), position) == position:
                homes[position] = study, series
            else:
                later.append(position)
        found = self._find(chosen, homes)
        for key, position in chosen.items():
            study, series = homes[position]
            outcomes[position] = self._add_one(additions[position], study, series, found.get(key))
            if outcomes[position] is not Added.REFUSED:
                self._labels.note(additions[position].new.origin, study.id, *key)
        self._write(list(homes.values()))
        return later

    def _write(self, homes: Sequence[tuple[StudyState, SeriesState]]) -> None:
        self._patients.write()
        self._write_templates()
        self._parent_rows.write_new(homes)
        INSERT_INSTANCE.run(self._connection, self._rows)
        self._rows.clear()
        self._amendments.write()
        self._labels.write()
        self._parent_rows.write_changed(homes)
        for study in {study.id: study for study, _ in homes if study.is_moved}.values():
            renew_orthanc_ids(self._connection, study.id, study.uid, study.identity)
            study.is_moved = False

    def _write_templates(self) -> None:
        INSERT_TEMPLATE.run(self._connection, self._templates)
        self._templates.clear()

    def _load(self, instances: Sequence[NewInstance]) -> None:
        self._parents.load({new.parsed.record.study_uid for new in instances})
        of_new_studies = [new for new in instances if self._parents.study(new.parsed.record.study_uid) is None]
        self._patients.load({identity_of(new.parsed.record.values) for new in of_new_studies})

    def _home(self, new: NewInstance) -> tuple[StudyState, SeriesState]:
        """The study and series of an instance; made if need be, and then the instance is certainly added."""
        record = new.parsed.record
        study = self._parents.study(record.study_uid) or self._new_study(new)
        return study, self._parents.series(study, record.series_uid) or self._new_series(study, new)

    def _new_study(self, new: NewInstance) -> StudyState:
        uid, values = new.parsed.record.study_uid, new.parsed.record.values
        patient, identity = self._patients.of(values)
        absent = self._parents.absent(Level.STUDY, values)
        study = StudyState(self._ledger.next_id("study"), uid, identity, absent, set(), set())
        study.is_new, study.patient, study.values = True, patient, values
        self._parents.learn(study)
        self._ledger.record(ChangeKind.ADDED, Level.STUDY, identity, uid)
        self._amendments.note_forms(Level.STUDY, study.id, values)
        return study

    def _new_series(self, study: StudyState, new: NewInstance) -> SeriesState:
        uid, values = new.parsed.record.series_uid, new.parsed.record.values
        template = self._ledger.next_id("template")
        self._templates.append((template, self._connection.codec.pack_template(new.parsed.metadata)))
        absent = self._parents.absent(Level.SERIES, values)
        series = study.series[uid] = SeriesState(self._ledger.next_id("series"), uid, template, absent)
        series.is_new, series.values = True, values
        study.new_series += 1
        if modality := values.get("modality"):
            study.modalities.add(modality)
        self._ledger.record(ChangeKind.ADDED, Level.SERIES, study.identity, study.uid, uid)
        self._amendments.note_forms(Level.SERIES, series.id, values)
        return series

    def _find(
        self, chosen: dict[tuple[int, str], int], homes: dict[int, tuple[StudyState, SeriesState]]
    ) -> dict[tuple[int, str], _Stored]:
        """Those of the instances that are stored already."""
        wanted: dict[int, list[str]] = {}
        for (series_id, instance_uid), position in chosen.items():
            if not homes[position][1].is_new:
                wanted.setdefault(series_id, []).append(instance_uid)
        found = {}
        for series_id, instance_uids in wanted.items():
            rows = self._connection.execute(
                "SELECT instance_uid, id, digest, key, size FROM instance "
                "WHERE series = ? AND instance_uid IN (SELECT value FROM json_each(?))",
                (series_id, orjson.dumps(instance_uids).decode()),
            )
            found.update({(series_id, instance_uid): _Stored(*rest) for instance_uid, *rest in rows})
        return found

    def _add_one(self, addition: Addition, study: StudyState, series: SeriesState, found: _Stored | None) -> Added:
        new = addition.new
        if found is None:
            self._insert(new, study, series, ChangeKind.ADDED)
            return Added.STORED
        if found.digest == new.digest:
            return Added.IDENTICAL
        if addition.on_duplicate is not OnDuplicate.REPLACE:
            return Added.KEPT if addition.on_duplicate is OnDuplicate.KEEP else Added.REFUSED
        self._remove(found)
        series.grow(-1, -found.size)
        study.grow(-1, -found.size)
        self._insert(new, study, series, ChangeKind.REPLACED)
        self._amendments.overwrite(new.parsed.record, study, series)
        return Added.REPLACED

    def _remove(self, found: _Stored) -> None:
        self._connection.execute("DELETE FROM instance WHERE id = ?", (found.id,))
        self._connection.execute("DELETE FROM extra_value WHERE level = ? AND owner = ?", (Level.INSTANCE, found.id))
        self._connection.execute(
            "INSERT OR IGNORE INTO garbage (key, time) VALUES (?, ?)", (found.key, self._ledger.time)
        )

    def _insert(self, new: NewInstance, study: StudyState, series: SeriesState, kind: ChangeKind) -> None:
        record, values = new.parsed.record, new.parsed.record.values
        instance_id = self._ledger.next_id("instance")
        is_template = series.is_new and series.instances == 0
        metadata = new.parsed.metadata
        if not is_template:
            self._write_templates()  # which its own may be among
        self._rows.append(
            (
                *(instance_id, series.id, record.instance_uid, record.sop_class_uid),
                *map(values.get, INSTANCE.plain),
                *(record.transfer_syntax_uid, new.placed(), new.size, new.digest, self._origin(new.origin)),
                self._ledger.time if new.received is None else new.received,
                *(self._ledger.revision, series.template),
                prefix_of(study.identity, study.uid, series.uid, record.instance_uid),
                SAME_AS_TEMPLATE if is_template else self._connection.codec.encode(metadata, series.template),
                new.parsed.frames,
            )
        )
        series.grow(1, new.size)
        study.grow(1, new.size)
        study.sop_classes.add(record.sop_class_uid)
        self._ledger.record(kind, Level.INSTANCE, study.identity, study.uid, series.uid, record.instance_uid)
        self._amendments.note_forms(Level.INSTANCE, instance_id, values)
        if not study.absent.isdisjoint(values):
            self._amendments.fill_study(study, values)
        if not series.absent.isdisjoint(values):
            self._amendments.fill_series(study, series, values)

    def _origin(self, origin: Origin) -> int:
        known = self._origins.get(origin)
        if known is None:
            row = (origin.protocol, origin.address, origin.calling_ae_title, origin.called_ae_title, origin.user)
            known = self._origins[origin] = self._load_origin(row)
            if len(self._origins) > _ORIGINS_HELD:
                self._origins.clear()
        return known

    def _load_origin(self, row: Row) -> int:
        columns = 'protocol, address, calling_ae_title, called_ae_title, "user"'
        self._connection.execute(f"INSERT OR IGNORE INTO origin ({columns}) VALUES (?, ?, ?, ?, ?)", row)  # noqa: S608
        found: tuple[int] = self._connection.execute(
            f"SELECT id FROM origin WHERE ({columns}) = (?, ?, ?, ?, ?)",  # noqa: S608
            row,
        ).fetchone()
        return found[0]
