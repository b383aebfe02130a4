"""Builders for what rests in a store: new instances without DICOM bytes, and the checker of its invariants."""

import hashlib
import sqlite3
from pathlib import Path
from typing import Any

from dicomweb_server.dicom.origin import Origin
from dicomweb_server.dicom.record import InstanceRecord, ParsedInstance
from dicomweb_server.ports.blobs import Blobs, Staged
from dicomweb_server.ports.index import NewInstance, Scope

CT = "1.2.840.10008.5.1.4.1.1.2"
SR = "1.2.840.10008.5.1.4.1.1.88.11"
EXPLICIT = "1.2.840.10008.1.2.1"
STOW = Origin("stow", "192.0.2.1", user="tester")


def make_parsed(
    study: str = "1.1", series: str = "1.1.1", instance: str = "1.1.1.1", *, sop_class: str = CT, **values: Any
) -> ParsedInstance:
    """What ingest would have learned; a value given as None is absent."""
    defaults: dict[str, Any] = {
        "patient_name": "Doe^Jane",
        "patient_id": "P1",
        "study_date": "20240131",
        "modality": "CT",
        "series_number": "1",
        "instance_number": instance.rpartition(".")[2],
    }
    uids = {"study_uid": study, "series_uid": series, "instance_uid": instance, "sop_class_uid": sop_class}
    present = {column: str(value) for column, value in (defaults | uids | values).items() if value is not None}
    metadata = f'{{"00080018":{{"vr":"UI","Value":["{instance}"]}},"00204000":{{"vr":"LT","Value":["{"x" * 300}"]}}}}'
    record = InstanceRecord(study, series, instance, sop_class, EXPLICIT, present)
    return ParsedInstance(record, metadata.encode(), b"frames of " + instance.encode())


def make_new(
    key: str, *uids: str, data: bytes | None = None, origin: Origin = STOW, sop_class: str = CT, **values: Any
) -> NewInstance:
    """An instance to add whose blob is under `key`; without `data`, its bytes are its UID."""
    parsed = make_parsed(*uids, sop_class=sop_class, **values)
    data = parsed.record.instance_uid.encode() if data is None else data
    return NewInstance(parsed, key, len(data), hashlib.sha256(data).digest(), origin)


def place(blobs: Blobs, *staged: Staged) -> list[str]:
    """Write them; their keys."""
    keys = [blobs.placement(one).place() for one in staged]
    blobs.release(staged)
    return keys


async def place_new(blobs: Blobs, *uids: str, data: bytes | None = None, **values: Any) -> NewInstance:
    """An instance to add whose blob is placed."""
    new = make_new("", *uids, data=data, **values)
    content = new.parsed.record.instance_uid.encode() if data is None else data
    [key] = place(blobs, Staged(size=len(content), data=content))
    return NewInstance(new.parsed, key, new.size, new.digest, new.origin)


def scope_of(new: NewInstance) -> Scope:
    record = new.parsed.record
    return Scope(record.study_uid, record.series_uid, record.instance_uid)


def violations(root: Path) -> list[str]:
    """What is wrong with a closed store, found without the server: the invariants I2 to I6 and I8."""
    connection = sqlite3.connect(f"file:{root / 'index.db'}?mode=ro", uri=True)
    try:
        return [*_wrong_blobs(connection, root), *_wrong_rows(connection)]
    finally:
        connection.close()


def _wrong_blobs(connection: sqlite3.Connection, root: Path) -> list[str]:
    found = []
    rows = connection.execute("SELECT key, size, digest FROM instance").fetchall()
    files = {path.stem: path for path in (root / "blobs").rglob("*.dcm")}
    for key, size, digest in rows:
        data = files[key].read_bytes() if key in files else b""
        if len(data) != size or hashlib.sha256(data).digest() != digest:
            found.append(f"row without its bytes: {key}")
    garbage = {key for (key,) in connection.execute("SELECT key FROM garbage")}
    return found + [f"blob without row: {key}" for key in files.keys() - {row[0] for row in rows} - garbage]


def _wrong_rows(connection: sqlite3.Connection) -> list[str]:
    checks = {
        "series counters": "SELECT 1 FROM series s WHERE (instance_count, size) <> "
        "(SELECT count(*), coalesce(sum(i.size), 0) FROM instance i WHERE i.series = s.id)",
        "study counters": "SELECT 1 FROM study t WHERE (series_count, instance_count, size) <> "
        "(SELECT count(*), sum(instance_count), sum(s.size) FROM series s WHERE s.study = t.id)",
        "series without instances": "SELECT 1 FROM series WHERE instance_count = 0",
        "studies without series": "SELECT 1 FROM study WHERE id NOT IN (SELECT study FROM series)",
        "patients without studies": "SELECT 1 FROM patient WHERE id NOT IN (SELECT patient FROM study)",
        "orphans": "SELECT 1 FROM instance WHERE series NOT IN (SELECT id FROM series)",
        "change log with gaps": "SELECT 1 FROM (SELECT max(sequence) - min(sequence) + 1 - count(*) AS gap "
        "FROM change) WHERE gap <> 0",
        # Added once more than deleted where it is stored, as often where it is not.
        "instances and their changes": "SELECT 1 FROM (SELECT study_uid, series_uid, instance_uid, "
        "sum(CASE kind WHEN 0 THEN 1 WHEN 2 THEN -1 ELSE 0 END) AS balance FROM change WHERE level = 3 "
        "GROUP BY 1, 2, 3) c WHERE balance <> EXISTS (SELECT 1 FROM instance i JOIN series s ON s.id = i.series "
        "JOIN study t ON t.id = s.study "
        "WHERE (t.study_uid, s.series_uid, i.instance_uid) = (c.study_uid, c.series_uid, c.instance_uid))",
    }
    return [what for what, statement in checks.items() if connection.execute(statement).fetchone()]
