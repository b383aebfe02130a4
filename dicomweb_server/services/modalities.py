"""Modalities: the DIMSE nodes that are known, by name, and the way to each of them. What is configured may change."""

from collections.abc import Callable, Mapping

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.peers import (
    UNWATCHED,
    Attributes,
    Manufacturer,
    Modality,
    Originator,
    Peer,
    PeerAwayError,
    PeerError,
    Reference,
    Service,
    Transfer,
    Watch,
)
from dicomweb_server.services.orthanc_modalities import MODALITIES
from dicomweb_server.services.remotes import RemoteSet

__all__ = [
    "UNWATCHED",
    "Attributes",
    "Manufacturer",
    "Modalities",
    "Modality",
    "Originator",
    "Peer",
    "PeerAwayError",
    "PeerError",
    "Reference",
    "Service",
    "Transfer",
    "Watch",
]


class Modalities(RemoteSet[Modality]):
    """A table of nodes that follows changes: whoever holds it sees them."""

    def __init__(self, configured: Mapping[str, Modality] | None = None) -> None:
        super().__init__(MODALITIES, configured)
        self._connect: Callable[[Modality], Peer] | None = None

    def with_ae_title(self, ae_title: str) -> Modality | None:
        """The first node of an AE title."""
        return next((modality for modality in self.values() if modality.ae_title == ae_title), None)

    def connect_by(self, connect: Callable[[Modality], Peer]) -> None:
        """How a node is reached; told by the composition root."""
        self._connect = connect

    def peer(self, modality: Modality) -> Peer:
        """The way to a node, also one that is not in the table; ServerError(BUSY) while there is none."""
        if self._connect is None:
            raise ServerError(Reason.BUSY, "the server is starting or stopping")
        return self._connect(modality)
