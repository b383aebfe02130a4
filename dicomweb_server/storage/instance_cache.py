"""InstanceCache: the last instances asked for, so that a frame needs no query; used on the event loop only."""

from collections import OrderedDict
from collections.abc import Sequence

from dicomweb_server.ports.index import Scope, StoredInstance

_INSTANCES_HELD = 8192
_BYTES_HELD = 32 * 1024 * 1024
_OVERHEAD = 1024  # of one entry, beside its frame index


class InstanceCache:
    """Bounded by number and by bytes; what was used longest ago goes first."""

    def __init__(self) -> None:
        self._instances: OrderedDict[Scope, StoredInstance] = OrderedDict()
        self._bytes = 0
        # Grows with every invalidation: what was read before one must not be kept after it.
        self.generation = 0

    def get(self, scope: Scope) -> StoredInstance | None:
        """An instance, if it is held."""
        found = self._instances.get(scope)
        if found is not None:
            self._instances.move_to_end(scope)
        return found

    def put(self, scope: Scope, instance: StoredInstance, generation: int) -> None:
        """Hold an instance that was read when `generation` was this."""
        if generation != self.generation or scope in self._instances:
            return
        self._instances[scope] = instance
        self._bytes += _weight(instance)
        while len(self._instances) > _INSTANCES_HELD or self._bytes > _BYTES_HELD:
            self._bytes -= _weight(self._instances.popitem(last=False)[1])

    def forget(self, scopes: Sequence[Scope]) -> None:
        """These instances, or all below these studies and series, have changed."""
        self.generation += 1
        for scope in scopes:
            if scope.instance_uid is not None:
                self._drop(scope)
                continue
            for held in [held for held in self._instances if _is_below(held, scope)]:
                self._drop(held)

    def forget_all(self) -> None:
        """Anything may have changed."""
        self.generation += 1
        self._instances.clear()
        self._bytes = 0

    def _drop(self, scope: Scope) -> None:
        found = self._instances.pop(scope, None)
        if found is not None:
            self._bytes -= _weight(found)


def _is_below(held: Scope, scope: Scope) -> bool:
    return held.study_uid == scope.study_uid and scope.series_uid in (None, held.series_uid)


def _weight(instance: StoredInstance) -> int:
    return _OVERHEAD + len(instance.frames)
