"""SqliteNonPatient: instances that belong to no patient, file and all, in the index's file."""

import sqlite3
from collections.abc import Sequence
from dataclasses import astuple

import orjson

from dicomweb_server.ports.index import Added, OnDuplicate
from dicomweb_server.ports.non_patient import NonPatientInstance, NonPatientReference
from dicomweb_server.storage.sqlite import Database
from dicomweb_server.storage.transaction import Transaction
from dicomweb_server.storage.writer import Writer

_COLUMNS = "category, instance_uid, sop_class_uid, transfer_syntax_uid, metadata, file, digest, received"
_DIGEST = "SELECT digest FROM non_patient_instance WHERE instance_uid = ?"
_PUT = f"INSERT OR REPLACE INTO non_patient_instance ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
_READ = f"SELECT {_COLUMNS} FROM non_patient_instance WHERE ? IN ('', category) AND instance_uid = ?"  # noqa: S608
_REFERENCES = (
    "SELECT category, instance_uid, sop_class_uid, transfer_syntax_uid FROM non_patient_instance "
    "WHERE category = ? AND instance_uid IN (SELECT value FROM json_each(?)) ORDER BY instance_uid"
)
_AFTER = (
    "SELECT instance_uid, metadata FROM non_patient_instance WHERE category = ? AND instance_uid > ? "
    "ORDER BY instance_uid LIMIT ?"
)
_REMOVE = "DELETE FROM non_patient_instance WHERE category = ? AND instance_uid = ?"


class SqliteNonPatient:
    """Implements `ports.non_patient.NonPatientInstances`."""

    def __init__(self, database: Database, writer: Writer) -> None:
        """Both belong to the store that made them."""
        self._database = database
        self._writer = writer

    async def add_non_patient(self, instance: NonPatientInstance, on_duplicate: OnDuplicate) -> Added:
        """In the next transaction."""

        def add(transaction: Transaction) -> Added:
            return _added(transaction.connection, instance, on_duplicate)

        return await self._writer.change(add)

    async def non_patient(self, category: str, instance_uid: str) -> NonPatientInstance | None:
        """By its primary key."""
        row = await self._database.read(
            lambda connection: connection.execute(_READ, (category, instance_uid)).fetchone()
        )
        return NonPatientInstance(*row) if row else None

    async def non_patient_references(self, category: str, instance_uids: Sequence[str]) -> list[NonPatientReference]:
        """In a reader thread."""
        row = (category, orjson.dumps(list(instance_uids)).decode())
        return await self._database.read(
            lambda connection: [NonPatientReference(*each) for each in connection.execute(_REFERENCES, row)]
        )

    async def metadata_after(self, category: str, instance_uid: str, limit: int) -> Sequence[tuple[str, bytes]]:
        """In a reader thread."""
        row = (category, instance_uid, limit)
        return await self._database.read(lambda connection: connection.execute(_AFTER, row).fetchall())

    async def remove_non_patient(self, category: str, instance_uid: str) -> bool:
        """In the next transaction."""
        row = (category, instance_uid)
        return await self._writer.change(lambda transaction: transaction.connection.execute(_REMOVE, row).rowcount > 0)


def _added(connection: sqlite3.Connection, instance: NonPatientInstance, on_duplicate: OnDuplicate) -> Added:
    found = connection.execute(_DIGEST, (instance.instance_uid,)).fetchone()
    if found is not None and found[0] == instance.digest:
        return Added.IDENTICAL
    if found is not None and on_duplicate is not OnDuplicate.REPLACE:
        return Added.KEPT if on_duplicate is OnDuplicate.KEEP else Added.REFUSED
    connection.execute(_PUT, astuple(instance))
    return Added.STORED if found is None else Added.REPLACED
