"""Settings → the DIMSE server, listening."""

import contextlib
from collections.abc import AsyncIterator

from dicomweb_server.bootstrap.store import OpenStore
from dicomweb_server.dimse.contexts import Service as DimseService
from dicomweb_server.dimse.options import DimseOptions, Modality, OnMismatch, Timeouts, TlsClientOptions, TlsOptions
from dicomweb_server.dimse.scp import DimseServer
from dicomweb_server.errors import StartError
from dicomweb_server.server.metrics import Metrics
from dicomweb_server.settings import Settings


def dimse_options(settings: Settings) -> DimseOptions:
    """Settings of the DIMSE adapter."""
    return DimseOptions(
        ae_title=settings.ae_title,
        hosts=settings.dimse_host or settings.host,
        port=settings.dimse_port,
        tls=_dimse_tls(settings),
        tls_client=TlsClientOptions(
            settings.dimse_tls_client_ca, settings.dimse_tls_certificate, settings.dimse_tls_key
        ),
        web_root=settings.public_url or "",
        modalities={
            name: Modality(known.ae_title, known.host, known.port, _dimse_services(known.allow), known.tls)
            for name, known in settings.modalities.items()
        },
        unknown_allow=_dimse_services(settings.unknown_allow),
        check_called_ae_title=settings.check_called_ae_title,
        check_modality_host=settings.check_modality_host,
        unknown_sop_classes=settings.unknown_sop_classes,
        only_sop_classes=frozenset(settings.accepted_sop_classes),
        never_sop_classes=frozenset(settings.rejected_sop_classes),
        most_associations=settings.max_associations,
        most_associations_per_address=settings.max_associations,
        largest_pdu=settings.max_pdu_length,
        largest_instance=settings.max_instance_size,
        on_mismatch=OnMismatch(settings.on_mismatch),
        timeouts=Timeouts(silence=settings.dimse_timeout, idle=settings.dimse_timeout),
        stop_timeout=settings.stop_timeout,
    )


def _dimse_services(words: tuple[str, ...]) -> frozenset[DimseService]:
    return frozenset(DimseService(word) for word in words)


def _dimse_tls(settings: Settings) -> TlsOptions | None:
    if settings.dimse_tls_port is None or settings.dimse_tls_certificate is None:
        return None
    return TlsOptions(
        settings.dimse_tls_port,
        settings.dimse_tls_certificate,
        settings.dimse_tls_key,
        settings.dimse_tls_client_ca,
    )


@contextlib.asynccontextmanager
async def start_dimse(settings: Settings, store: OpenStore, metrics: Metrics) -> AsyncIterator[DimseServer | None]:
    """Listen for associations, unless DIMSE is switched off; at the end let them finish."""
    if not settings.dimse:
        yield None
        return
    options = dimse_options(settings)
    server = DimseServer(store.services, options, metrics)
    metrics.add_gauges(lambda: {"associations_open": server.associations})
    try:
        await server.start()
    except OSError as error:
        where = f"{', '.join(options.hosts)} port {options.port}"
        raise StartError(f"Cannot listen for DIMSE on {where}: {error.strerror or error}") from None
    try:
        yield server
    finally:
        await server.stop()
