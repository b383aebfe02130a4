"""ReconstructService: reads files again and writes anew what the index says of them."""

import asyncio
import logging
from collections.abc import Sequence

from dicomweb_server.dicom.instance import parse_instance
from dicomweb_server.dicom.record import ParsedInstance
from dicomweb_server.errors import ServerError
from dicomweb_server.ports.blobs import Blobs
from dicomweb_server.ports.index import IndexUpkeep, StoredInstance
from dicomweb_server.services.workers import Workers

_log = logging.getLogger(__name__)
_BATCH = 50


class ReconstructService:
    """For one resource, or for everything that is stored."""

    def __init__(self, blobs: Blobs, index: IndexUpkeep, workers: Workers, extra_tags: frozenset[int]) -> None:
        self._blobs = blobs
        self._index = index
        self._workers = workers
        self._extra_tags = extra_tags
        self._one_at_a_time = asyncio.Lock()

    async def reconstruct(self, instances: Sequence[StoredInstance]) -> int:
        """How many could be read, and were written; those that cannot be read are logged and stay as they are."""
        done = 0
        for start in range(0, len(instances), _BATCH):
            read = [await self._read(one) for one in instances[start : start + _BATCH]]
            done += await self._index.refresh([one for one in read if one is not None])
        return done

    async def reconstruct_all(self) -> int:
        """The same for everything; one such walk at a time."""
        async with self._one_at_a_time:
            after, done = "", 0
            while batch := await self._index.by_key(after, _BATCH):
                after = batch[-1].key
                done += await self.reconstruct(batch)
            return done

    async def _read(self, stored: StoredInstance) -> tuple[StoredInstance, ParsedInstance] | None:
        try:
            file = await self._blobs.map(stored.key)
            return stored, await self._workers.run(lambda: parse_instance(file, extra=self._extra_tags))
        except ServerError as error:
            _log.error("an instance could not be read again: %s: %s", error.reason.name, error.detail)
            return None
