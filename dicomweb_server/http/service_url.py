"""The URL of the DICOMweb service as the client of a request sees it, to be written into answers."""

from dataclasses import dataclass
from functools import lru_cache

from starlette.types import Scope

from dicomweb_server.wire.forwarded import Proxies, parse_proxies, service_root

_TELLING = frozenset(
    {b"host", b"forwarded", b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-port", b"x-forwarded-prefix"}
)


_LOOPBACK = parse_proxies()


@dataclass(frozen=True, slots=True)
class ServiceUrl:
    """`path`: where the service is, such as "/dicom-web". `public_url`: of the service, if it is configured."""

    path: str
    public_url: str | None = None
    proxies: Proxies = _LOOPBACK

    def root(self, scope: Scope) -> str:
        """The service's absolute URL, without a slash at its end."""
        if self.public_url is not None:
            return self.public_url.rstrip("/")
        told = tuple([pair for pair in scope["headers"] if pair[0] in _TELLING])
        server = scope.get("server")
        peer = scope.get("client")
        return _root(
            told,
            scope.get("scheme", "http"),
            (server[0], server[1]) if server else None,
            scope.get("root_path", "") + self.path,
            peer[0] if peer else None,
            self.proxies,
        )


@lru_cache(maxsize=4096)
def _root(
    headers: tuple[tuple[bytes, bytes], ...],
    scheme: str,
    server: tuple[str, int | None] | None,
    path: str,
    peer: str | None,
    proxies: Proxies,
) -> str:
    return service_root(headers, scheme=scheme, server=server, path=path, peer=peer, proxies=proxies)
