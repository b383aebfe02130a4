"""Modalities: the DIMSE nodes that are known, by name, and the way to each of them. What is configured may change."""

from collections.abc import Callable, Iterator, Mapping

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.peers import (
    UNWATCHED,
    Attributes,
    Manufacturer,
    Modality,
    Originator,
    Peer,
    PeerError,
    Reference,
    Service,
    Transfer,
    Watch,
)

__all__ = [
    "UNWATCHED",
    "Attributes",
    "Manufacturer",
    "Modalities",
    "Modality",
    "Originator",
    "Peer",
    "PeerError",
    "Reference",
    "Service",
    "Transfer",
    "Watch",
]


class Modalities(Mapping[str, Modality]):
    """A table of nodes that follows changes: whoever holds it sees them."""

    def __init__(self, configured: Mapping[str, Modality] | None = None) -> None:
        self._nodes = dict(configured or {})
        self._connect: Callable[[Modality], Peer] | None = None

    def __getitem__(self, name: str) -> Modality:
        return self._nodes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._nodes))

    def __len__(self) -> int:
        return len(self._nodes)

    async def put(self, name: str, modality: Modality) -> None:
        """Add or replace a node."""
        self._nodes[name] = modality

    async def remove(self, name: str) -> bool:
        """Forget a node; whether it was known."""
        return self._nodes.pop(name, None) is not None

    def with_ae_title(self, ae_title: str) -> Modality | None:
        """The first node of an AE title."""
        return next((self._nodes[name] for name in self if self._nodes[name].ae_title == ae_title), None)

    def connect_by(self, connect: Callable[[Modality], Peer]) -> None:
        """How a node is reached; told by the composition root."""
        self._connect = connect

    def peer(self, modality: Modality) -> Peer:
        """The way to a node, also one that is not in the table; ServerError(BUSY) while there is none."""
        if self._connect is None:
            raise ServerError(Reason.BUSY, "the server is starting or stopping")
        return self._connect(modality)
