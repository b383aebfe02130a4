"""What services and adapters say of peers: the port's words, for those who may not see ports."""

from dicomweb_server.ports.peers import Attributes, Peer, PeerAwayError, PeerError, Transfer
from dicomweb_server.ports.remotes import (
    OPERATIONS,
    DicomWebServer,
    Modality,
    OrthancPeer,
    Remote,
    RemoteKind,
    WebAddress,
)

__all__ = [
    "OPERATIONS",
    "Attributes",
    "DicomWebServer",
    "Modality",
    "OrthancPeer",
    "Peer",
    "PeerAwayError",
    "PeerError",
    "Remote",
    "RemoteKind",
    "Transfer",
    "WebAddress",
]
