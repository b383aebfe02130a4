"""RemoteSet: the remotes of one kind by name: those of the configuration, and over them what was told at run time."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.remotes import RemoteKind, RemoteTable

T = TypeVar("T")

_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,64}")
# What can stand between two slashes of a path.
_SEGMENT = re.compile(r"(?!\.{1,2}\Z)[^/\\\x00-\x1f\x7f]{1,128}")


@dataclass(frozen=True, slots=True)
class Codec(Generic[T]):
    """A remote as a document of plain values, and back; `read` raises ServerError(BAD_REQUEST).

    `plain_names`: letters, digits, hyphens and underscores only, as Orthanc has them.
    """

    kind: RemoteKind
    read: Callable[[Any], T]
    written: Callable[[T], Mapping[str, Any]]
    plain_names: bool = True

    def check_name(self, name: str) -> None:
        """ServerError(BAD_REQUEST) for what cannot be the name of a remote."""
        if self.plain_names and not _PLAIN.fullmatch(name):
            expected = "1 to 64 letters, digits, hyphens and underscores, and nothing else"
            raise ServerError(Reason.BAD_REQUEST, f"expected is a name of {expected}")
        if not _SEGMENT.fullmatch(name):
            raise ServerError(Reason.BAD_REQUEST, "expected is a name of at most 128 characters, without slashes")


class RemoteSet(Mapping[str, T]):
    """Follows changes: whoever holds it sees them at once."""

    def __init__(self, codec: Codec[T], configured: Mapping[str, T] | None = None) -> None:
        self._codec = codec
        self._known = dict(configured or {})
        self._table: RemoteTable | None = None

    def __getitem__(self, name: str) -> T:
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._known))

    def __len__(self) -> int:
        return len(self._known)

    async def load(self, table: RemoteTable) -> None:
        """Add what was told in earlier runs; from now on, what is told is kept in the table."""
        self._table = table
        for name, document in await table.remotes(self._codec.kind):
            self._known[name] = self._codec.read(document)

    def named(self, name: str) -> T:
        """One of them; ServerError(NOT_FOUND)."""
        found = self._known.get(name)
        if found is None:
            raise ServerError(Reason.NOT_FOUND, f"there is no {self._codec.kind.value} of this name")
        return found

    async def put(self, name: str, remote: T) -> None:
        """Add one, or replace what has its name; durable when it returns."""
        self._codec.check_name(name)
        if self._table is not None:
            await self._table.put_remote(self._codec.kind, name, self._codec.written(remote))
        self._known[name] = remote

    async def remove(self, name: str) -> None:
        """Forget one; one of the configuration comes back with the next start. ServerError(NOT_FOUND)."""
        self.named(name)
        if self._table is not None:
            await self._table.remove_remote(self._codec.kind, name)
        self._known.pop(name, None)
