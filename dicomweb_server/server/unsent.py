"""Unsent: whether a client reads what is written to it."""


class Unsent:
    """Watches the size of a connection's write buffer, at intervals."""

    __slots__ = ("_since", "_size", "_timeout")

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._size = 0
        self._since = 0.0

    def is_stuck(self, size: int, now: float) -> bool:
        """Whether the client has read nothing of it for longer than the timeout."""
        if size == 0 or size != self._size:
            self._size, self._since = size, now
        return now - self._since > self._timeout
