"""DeleteService: deletes studies, series and instances; the index at once, the blobs soon after."""

import asyncio
import logging
import time
from collections.abc import Sequence

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.blobs import Blobs
from dicomweb_server.ports.derived import Derived
from dicomweb_server.ports.index import Index, Scope

__all__ = ["DeleteService", "Scope"]

_log = logging.getLogger(__name__)

# A reader that has just been told where a blob lies may still open it.
_GRACE = 30.0
_BATCH = 500


class DeleteService:
    """Deletes, and sweeps away the blobs that nobody refers to."""

    def __init__(self, blobs: Blobs, index: Index, *, grace: float = _GRACE, derived: Sequence[Derived] = ()) -> None:
        """`grace`: seconds between the deletion of an instance and that of its blob, and of all that was made of it."""
        self._derived = derived
        self._blobs = blobs
        self._index = index
        self._grace = grace

    async def delete(self, scope: Scope) -> int:
        """Delete what is below a scope; how many instances went. ServerError(NOT_FOUND) if there is nothing."""
        deleted = await self._index.delete(scope)
        if deleted == 0:
            raise ServerError(Reason.NOT_FOUND, "there is no such study, series or instance")
        return deleted

    async def delete_all(self, scopes: Sequence[Scope]) -> int:
        """Delete what is below several; those that are gone already are passed over. How many instances went."""
        return sum([await self._index.delete(scope) for scope in scopes])

    async def sweep(self) -> int:
        """Remove blobs whose instances are gone since the grace time; how many."""
        removed = 0
        while keys := await self._index.garbage(_BATCH, time.time() - self._grace):
            for derived in self._derived:
                await derived.remove(keys)
            await self._blobs.remove(keys)
            await self._index.forget_garbage(keys)
            removed += len(keys)
        return removed

    async def sweep_forever(self, interval: float = _GRACE) -> None:
        """Sweep now and then; for a background task, ended by its cancellation."""
        while True:
            try:
                await self.sweep()
            except ServerError as error:  # tried again at the next turn
                _log.warning("the sweep failed: %s", error.detail)
            await asyncio.sleep(interval)
