"""Where groups of instances are read: what is read soon here, many small ones elsewhere, large ones in a thread."""

import asyncio
from collections.abc import Sequence

from dicomweb_server.dicom.part10 import has_short_head
from dicomweb_server.ports.blobs import Staged
from dicomweb_server.services.admission import (
    Admitted,
    Group,
    GroupReader,
    IngestPolicy,
    Refused,
    admit,
    admit_unhashed,
)
from dicomweb_server.services.workers import Workers

# Up to this size a group is read on the loop (a tenth of a millisecond for an instance): a hop to a thread costs more.
_AT_ONCE_BYTES = 64 * 1024
# Up to this number the index may answer before it has the digests.
_FEW = 4
# From this number on, small instances are worth the way to another process and back.
_MANY = 8
_SMALL_BYTES = 64 * 1024
# Groups at a time: large instances gain from more (hashing runs beside the interpreter), small ones lose by it.
_GROUPS_OF_MANY = 2
_GROUPS_OF_LARGE = 4


class GroupAdmission:
    """Admits groups, some beside each other."""

    def __init__(self, workers: Workers, policy: IngestPolicy, reader: GroupReader | None) -> None:
        """`reader`: of many small instances; without it they are read in a worker."""
        self._workers = workers
        self._policy = policy
        self._reader = reader
        self._for_many = asyncio.Semaphore(_GROUPS_OF_MANY)
        self._for_large = asyncio.Semaphore(_GROUPS_OF_LARGE)

    async def admit(self, group: Group) -> Sequence[Admitted | Refused]:
        """What `admission.admit` says of each; a few in memory are not hashed."""
        policy, reader, size = self._policy, self._reader, sum([staged.size for staged, _ in group])
        if size <= _AT_ONCE_BYTES or (len(group) == 1 and _is_read_soon(group[0][0])):
            return self._admit_all(group)
        if reader is not None and len(group) >= _MANY and size <= _SMALL_BYTES * len(group):
            async with self._for_many:
                return await self._workers.run(lambda: reader.read(group, policy))
        async with self._for_large:
            return await self._workers.run(lambda: self._admit_all(group))

    def _admit_all(self, group: Group) -> Sequence[Admitted | Refused]:
        admit_one = admit_unhashed if len(group) <= _FEW else admit
        return [admit_one(staged, expected, self._policy) for staged, expected in group]


def _is_read_soon(staged: Staged) -> bool:
    """Whether an instance has only little besides pixels, which need not be read."""
    return staged.data is not None and has_short_head(staged.data, _AT_ONCE_BYTES)
