"""What services and adapters say of other servers: the ports' words, for those who may not see ports."""

from dicomweb_server.ports.peers import Attributes, Peer, PeerAwayError, PeerError, Transfer
from dicomweb_server.ports.remotes import (
    DicomWebPeer,
    DicomWebServer,
    OrthancPeer,
    PeerTransfer,
    Received,
    RemoteKind,
    Sent,
    WebAddress,
    WebPeer,
    WebResponse,
)

__all__ = [
    "Attributes",
    "DicomWebPeer",
    "DicomWebServer",
    "OrthancPeer",
    "Peer",
    "PeerAwayError",
    "PeerError",
    "PeerTransfer",
    "Received",
    "RemoteKind",
    "Sent",
    "Transfer",
    "WebAddress",
    "WebPeer",
    "WebResponse",
]
