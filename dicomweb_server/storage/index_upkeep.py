"""What the upkeep of a store asks of the index: is it sound, do its counters agree with its rows, make them agree."""

import sqlite3
from collections.abc import Sequence

import orjson

from dicomweb_server.storage.parent_rows import modalities_of, sop_classes_of
from dicomweb_server.storage.parents import set_text
from dicomweb_server.storage.transaction import Transaction

_PROBLEMS = {
    "series whose counters differ from their instances": (
        "SELECT count(*) FROM series LEFT JOIN (SELECT series, count(*) AS number, sum(size) AS bytes FROM instance "
        "GROUP BY series) AS found ON found.series = series.id "
        "WHERE instance_count <> coalesce(number, 0) OR size <> coalesce(bytes, 0)"
    ),
    "studies whose counters differ from their series": (
        "SELECT count(*) FROM study LEFT JOIN (SELECT study, count(*) AS number, sum(instance_count) AS instances, "
        "sum(size) AS bytes FROM series GROUP BY study) AS found ON found.study = study.id "
        "WHERE series_count <> coalesce(number, 0) OR instance_count <> coalesce(instances, 0) "
        "OR size <> coalesce(bytes, 0)"
    ),
    "instances without their series": (
        "SELECT count(*) FROM instance WHERE NOT EXISTS (SELECT 1 FROM series WHERE id = instance.series)"
    ),
    "instances without their template": (
        "SELECT count(*) FROM instance WHERE NOT EXISTS (SELECT 1 FROM template WHERE id = instance.template)"
    ),
    "series without their study": (
        "SELECT count(*) FROM series WHERE NOT EXISTS (SELECT 1 FROM study WHERE id = series.study)"
    ),
    "studies without their patient": (
        "SELECT count(*) FROM study WHERE NOT EXISTS (SELECT 1 FROM patient WHERE id = study.patient)"
    ),
    "series without instances": (
        "SELECT count(*) FROM series WHERE NOT EXISTS (SELECT 1 FROM instance WHERE series = series.id)"
    ),
    "studies without series": (
        "SELECT count(*) FROM study WHERE NOT EXISTS (SELECT 1 FROM series WHERE study = study.id)"
    ),
    "patients without studies": (
        "SELECT count(*) FROM patient WHERE NOT EXISTS (SELECT 1 FROM study WHERE patient = patient.id)"
    ),
    "numbers missing in the change log": (
        "SELECT coalesce(max(sequence) - min(sequence) + 1 - count(*), 0) FROM change"
    ),
}


def problems(connection: sqlite3.Connection) -> list[str]:
    """What is wrong in the index itself, in words, with numbers and UIDs of studies."""
    found = [f"index file: {line}" for (line,) in connection.execute("PRAGMA quick_check(10)") if line != "ok"]
    for what, statement in _PROBLEMS.items():
        (number,) = connection.execute(statement).fetchone()
        if number:
            found.append(f"{number} {what}")
    wrong = sum(1 for _ in _studies_with_wrong_sets(connection))
    return [*found, f"{wrong} studies whose modalities or SOP classes differ from their series"] if wrong else found


_REPAIRS = (
    "INSERT OR IGNORE INTO garbage (key, time) SELECT key, :time FROM instance WHERE NOT EXISTS "
    "(SELECT 1 FROM series JOIN study ON study.id = series.study WHERE series.id = instance.series) "
    "OR NOT EXISTS (SELECT 1 FROM template WHERE id = instance.template)",
    "DELETE FROM instance WHERE key IN (SELECT key FROM garbage)",
    "DELETE FROM series WHERE NOT EXISTS (SELECT 1 FROM instance WHERE series = series.id) "
    "OR NOT EXISTS (SELECT 1 FROM study WHERE id = series.study)",
    "DELETE FROM study WHERE NOT EXISTS (SELECT 1 FROM series WHERE study = study.id)",
    "DELETE FROM patient WHERE NOT EXISTS (SELECT 1 FROM study WHERE patient = patient.id)",
    "INSERT INTO patient (identity, orthanc_id) SELECT DISTINCT identity, orthanc_prefix(identity) FROM ("
    "SELECT patient, coalesce(patient_id, char(31) || coalesce(patient_name_folded, '')) AS identity FROM study) "
    "AS study WHERE NOT EXISTS (SELECT 1 FROM patient WHERE id = study.patient) "
    "ON CONFLICT DO NOTHING",
    "UPDATE study SET patient = (SELECT id FROM patient WHERE identity = "
    "coalesce(study.patient_id, char(31) || coalesce(study.patient_name_folded, ''))) "
    "WHERE NOT EXISTS (SELECT 1 FROM patient WHERE id = study.patient)",
    "UPDATE series SET (instance_count, size) = "
    "(SELECT count(*), coalesce(sum(instance.size), 0) FROM instance WHERE series = series.id)",
    "UPDATE study SET (series_count, instance_count, size) = "
    "(SELECT count(*), coalesce(sum(series.instance_count), 0), coalesce(sum(series.size), 0) "
    "FROM series WHERE study = study.id)",
)


def repair(transaction: Transaction) -> None:
    """Remove rows whose parents or children are missing, and write the counters anew."""
    connection = transaction.connection
    for statement in _REPAIRS:
        connection.execute(statement, {"time": transaction.ledger.time})
    for study_id, modalities, sop_classes in list(_studies_with_wrong_sets(connection)):
        connection.execute(
            "UPDATE study SET modalities = ?, sop_classes = ? WHERE id = ?", (modalities, sop_classes, study_id)
        )
    transaction.forget_parents()


def forget_garbage(transaction: Transaction, keys: Sequence[str]) -> None:
    """The blobs are removed."""
    listed = orjson.dumps(list(keys)).decode()
    transaction.connection.execute("DELETE FROM garbage WHERE key IN (SELECT value FROM json_each(?))", (listed,))


def _studies_with_wrong_sets(connection: sqlite3.Connection) -> list[tuple[int, str, str]]:
    """(id, right modalities, right SOP classes) of the studies that have others."""
    wrong = []
    for study_id, *sets in connection.execute("SELECT id, modalities, sop_classes FROM study"):
        right = [set_text(modalities_of(connection, study_id)), set_text(sop_classes_of(connection, study_id))]
        if sets != right:
            wrong.append((study_id, *right))
    return wrong
