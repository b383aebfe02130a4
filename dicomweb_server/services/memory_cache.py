"""MemoryCache: what was made at some cost and may be wanted again, up to a number of bytes; the oldest goes first."""

from collections import OrderedDict
from collections.abc import Hashable


class MemoryCache:
    """Bytes by key, in this process."""

    def __init__(self, limit: int) -> None:
        """`limit`: bytes of all values; 0 keeps nothing."""
        self._limit = limit
        self._values: OrderedDict[Hashable, bytes] = OrderedDict()
        self._size = 0

    def get(self, key: Hashable) -> bytes | None:
        """The value of a key, which thereby is the youngest."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: Hashable, value: bytes) -> None:
        """Keep a value, unless it alone would take more than a quarter of all room."""
        if 4 * len(value) > self._limit:
            return
        self._size += len(value) - len(self._values.pop(key, b""))
        self._values[key] = value
        while self._size > self._limit:
            _, oldest = self._values.popitem(last=False)
            self._size -= len(oldest)
