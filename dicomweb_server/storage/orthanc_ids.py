"""Orthanc's identifiers of a study and all below it, when its patient is another one than before."""

import sqlite3

from dicomweb_server.dicom.orthanc_id import prefix_of


def renew_orthanc_ids(connection: sqlite3.Connection, study: int, study_uid: str, identity: str) -> None:
    """Write them anew; `study` is the row's id, `identity` that of its patient."""
    renewed = [("study", prefix_of(identity, study_uid), study)]
    listed = connection.execute("SELECT id, series_uid FROM series WHERE study = ?", (study,)).fetchall()
    renewed += [("series", prefix_of(identity, study_uid, series_uid), row) for row, series_uid in listed]
    listed = connection.execute(
        "SELECT instance.id, series_uid, instance_uid FROM series JOIN instance ON instance.series = series.id "
        "WHERE study = ?",
        (study,),
    ).fetchall()
    renewed += [("instance", prefix_of(identity, study_uid, *uids), row) for row, *uids in listed]
    for table, prefix, row in renewed:
        connection.execute(f"UPDATE {table} SET orthanc_id = ? WHERE id = ?", (prefix, row))  # noqa: S608 - ours
