"""Settings → the HTTP server process."""

from dicomweb_server.server.connection import ConnectionLimits, Gate
from dicomweb_server.server.process import ProcessOptions, Tls
from dicomweb_server.settings import Settings


def process_options(settings: Settings) -> ProcessOptions:
    """Settings of the HTTP server process."""
    tls = Tls(settings.tls_certificate, settings.tls_key, settings.tls_client_ca) if settings.tls_certificate else None
    limits = ConnectionLimits(
        header_timeout=settings.header_timeout,
        body_timeout=settings.body_timeout,
        min_body_rate=settings.min_body_rate,
        write_timeout=settings.write_timeout,
        max_header_size=settings.max_header_size,
        max_header_count=settings.max_header_count,
        max_connections=settings.max_connections,
        max_connections_per_address=settings.max_connections_per_address,
    )
    addresses = settings.host if settings.http else ()
    return ProcessOptions(
        addresses, settings.http_port, Gate(limits), tls, settings.keep_alive_timeout, settings.stop_timeout
    )
