"""SqliteJobs: the jobs in the index's file, read in reader threads and written by the one writer."""

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from dicomweb_server.ports.jobs import Job, JobState
from dicomweb_server.storage import job_rows as rows
from dicomweb_server.storage.sqlite import Database
from dicomweb_server.storage.writer import Writer


class SqliteJobs:
    """Implements `ports.jobs.JobQueue`."""

    def __init__(self, database: Database, writer: Writer) -> None:
        """Both belong to the store that made them."""
        self._database = database
        self._writer = writer

    async def put(self, job: Job) -> None:
        """Insert in the next transaction."""
        await self._writer.change(lambda transaction: rows.insert(transaction.connection, job))

    async def claim(self, owner: str, types: Collection[str], lease: float) -> Job | None:
        """Find and take in one transaction."""
        now = time.time()
        return await self._writer.change(
            lambda transaction: rows.claim(transaction.connection, owner, types, now, now + lease)
        )

    async def next_due(self) -> float | None:
        """From the rows that wait or run."""
        return await self._database.read(rows.next_due)

    async def save(self, job: Job, owner: str, lease: float) -> bool:
        """Update, if the claim holds."""
        until = time.time() + lease
        return await self._writer.change(lambda transaction: rows.save(transaction.connection, job, owner, until))

    async def finish(self, job: Job, owner: str) -> bool:
        """Update, if the claim holds."""
        return await self._writer.change(lambda transaction: rows.finish(transaction.connection, job, owner))

    async def change(self, job_id: str, states: Collection[JobState], **values: Any) -> bool:
        """Update, if it is in one of the states."""
        return await self._writer.change(
            lambda transaction: rows.change(transaction.connection, job_id, states, values)
        )

    async def release(self) -> int:
        """All that run are pending."""
        return await self._writer.change(lambda transaction: rows.release(transaction.connection))

    async def get(self, job_id: str) -> Job | None:
        """One job."""
        return await self._database.read(lambda connection: rows.get(connection, job_id))

    async def list(self) -> Sequence[Job]:
        """All, oldest first."""
        return await self._database.read(rows.all_jobs)

    async def ids(self) -> Sequence[str]:
        """Their ids."""
        return await self._database.read(rows.all_ids)

    async def counts(self) -> Mapping[JobState, int]:
        """How many in each state."""
        return await self._database.read(rows.counts)

    async def delete(self, job_id: str) -> bool:
        """Remove, if it has ended."""
        return await self._writer.change(lambda transaction: rows.delete(transaction.connection, job_id))

    async def trim(self, keep: int) -> None:
        """Remove what ended longest ago."""
        await self._writer.change(lambda transaction: rows.trim(transaction.connection, keep))

    async def clear(self) -> None:
        """Remove all."""
        await self._writer.change(lambda transaction: rows.clear(transaction.connection))
