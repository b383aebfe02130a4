"""The web remotes that are known, by name, and the ways to them."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.remotes import DicomWebPeer, DicomWebServer, OrthancPeer, PeerTransfer, WebPeer
from dicomweb_server.services.orthanc_remotes import PEERS, SERVERS
from dicomweb_server.services.remotes import RemoteSet

AS_STORED = PeerTransfer()


class Peers(RemoteSet[OrthancPeer]):
    """Servers with Orthanc's REST API."""

    def __init__(self, configured: Mapping[str, OrthancPeer] | None = None) -> None:
        super().__init__(PEERS, configured)
        self._connect: Callable[[OrthancPeer, PeerTransfer], AbstractAsyncContextManager[WebPeer]] | None = None

    def connect_by(self, connect: Callable[[OrthancPeer, PeerTransfer], AbstractAsyncContextManager[WebPeer]]) -> None:
        """How a peer is reached; told by the composition root."""
        self._connect = connect

    def connected(self, name: str, transfer: PeerTransfer = AS_STORED) -> AbstractAsyncContextManager[WebPeer]:
        """A peer that can be asked; ServerError(NOT_FOUND)."""
        if self._connect is None:
            raise _starting()
        return self._connect(self.named(name), transfer)


class DicomWebServers(RemoteSet[DicomWebServer]):
    """Other DICOMweb servers."""

    def __init__(self, configured: Mapping[str, DicomWebServer] | None = None) -> None:
        super().__init__(SERVERS, configured)
        self._connect: Callable[[DicomWebServer], AbstractAsyncContextManager[DicomWebPeer]] | None = None

    def connect_by(self, connect: Callable[[DicomWebServer], AbstractAsyncContextManager[DicomWebPeer]]) -> None:
        """How a server is reached; told by the composition root."""
        self._connect = connect

    def connected(
        self, name: str, headers: Mapping[str, str] | None = None
    ) -> AbstractAsyncContextManager[DicomWebPeer]:
        """A server that can be asked, always with these header fields (in lower case) too; ServerError(NOT_FOUND)."""
        if self._connect is None:
            raise _starting()
        server = self.named(name)
        wanted = headers or {}
        others = {field: value for field, value in server.address.headers.items() if field.lower() not in wanted}
        address = replace(server.address, headers={**others, **wanted})
        return self._connect(replace(server, address=address))


def _starting() -> ServerError:
    return ServerError(Reason.BUSY, "the server is starting or stopping")
