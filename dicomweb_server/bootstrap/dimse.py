"""Settings → the DIMSE server, listening."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

from dicomweb_server.bootstrap.acceptance import acceptance
from dicomweb_server.bootstrap.access import user_check
from dicomweb_server.bootstrap.modalities import configured_modalities, permissions
from dicomweb_server.bootstrap.store import OpenStore
from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.query import LabelsConstraint, View
from dicomweb_server.dicom.uid_patterns import UidPatterns
from dicomweb_server.dimse.client import DimseClient
from dicomweb_server.dimse.options import (
    ApplicationEntity,
    DimseOptions,
    OnMismatch,
    Timeouts,
    TlsClientOptions,
    TlsOptions,
)
from dicomweb_server.dimse.scp import DimseServer
from dicomweb_server.errors import StartError
from dicomweb_server.server.metrics import Metrics
from dicomweb_server.server.open_files import raise_open_files
from dicomweb_server.settings import Settings
from dicomweb_server.settings import entities as settings_entities


def dimse_options(settings: Settings) -> DimseOptions:
    """Settings of the DIMSE adapter."""
    return DimseOptions(
        ae_title=settings.ae_title,
        other_ae_titles=settings.other_ae_titles,
        ae_title_case=settings.ae_title_case,
        implementation_class_uid=settings.implementation_class_uid,
        implementation_version_name=settings.implementation_version_name,
        hosts=settings.dimse_host or settings.host,
        port=settings.dimse_port,
        tls=_dimse_tls(settings),
        tls_client=TlsClientOptions(
            settings.dimse_tls_client_ca,
            settings.dimse_tls_certificate,
            settings.dimse_tls_key,
            check_host=settings.dimse_tls_check_host,
        ),
        web_root=settings.public_url or "",
        modalities=configured_modalities(settings),
        unknown_allow=permissions(settings.unknown_allow),
        check_called_ae_title=settings.check_called_ae_title,
        check_modality_host=settings.check_modality_host,
        only_sop_classes=UidPatterns(settings.accepted_sop_classes),
        never_sop_classes=UidPatterns(settings.rejected_sop_classes),
        acceptance=acceptance(settings),
        most_associations=settings.max_associations,
        most_associations_per_address=settings.max_associations_per_address or settings.max_associations,
        largest_pdu=settings.max_pdu_length,
        largest_instance=settings.max_instance_size,
        on_mismatch=OnMismatch(settings.on_mismatch),
        timeouts=Timeouts(
            association=settings.association_timeout,
            silence=settings.dimse_timeout,
            idle=settings.dimse_timeout,
            closing=settings.closing_timeout,
            response=settings.scu_timeout,
        ),
        stop_timeout=settings.stop_timeout,
        require_identity=settings.dimse_require_user,
        worklist=settings.worklist,
        workitems=settings.workitems,
        entities=tuple(map(_entity, settings.application_entities.values())),
        fallback=settings.fallback_archive or "",
        fallback_by_get=settings.retrieve_method == "get",
        find_elsewhere=settings.find_elsewhere,
        synchronous_move=settings.synchronous_move,
        keep_associations=settings.association_close_delay,
    )


def _entity(known: settings_entities.ApplicationEntity) -> ApplicationEntity:
    constraint = LabelsConstraint(known.labels_constraint)
    levels = {Level.STUDY, *(Level[level.upper()] for level in known.label_levels)}  # the view is one of studies
    is_labelling = constraint is not LabelsConstraint.NONE
    return ApplicationEntity(
        known.ae_title,
        known.port,
        known.tls,
        View(known.labels, constraint) if known.labels else None,
        tuple((level, label) for level in sorted(levels) for label in known.labels if is_labelling),
        permissions(known.allow),
        frozenset(known.callers),
    )


def _dimse_tls(settings: Settings) -> TlsOptions | None:
    if settings.dimse_tls_port is None or settings.dimse_tls_certificate is None:
        return None
    return TlsOptions(
        settings.dimse_tls_port,
        settings.dimse_tls_certificate,
        settings.dimse_tls_key,
        settings.dimse_tls_client_ca,
        client_required=settings.dimse_tls_client_certificate == "required",
    )


@contextlib.asynccontextmanager
async def start_dimse(settings: Settings, store: OpenStore, metrics: Metrics) -> AsyncIterator[DimseServer | None]:
    """Be ready to call others, and listen, unless DIMSE is switched off; at the end let associations finish."""
    modalities = store.services.modalities
    options = replace(
        dimse_options(settings),
        modalities=modalities,
        acceptance=store.services.acceptance,
        # However many come at once, three quarters of the files that may be open are left to everything else.
        most_connections=min(DimseOptions().most_connections, raise_open_files() // 4),
    )
    client = DimseClient(store.services, options, metrics)
    modalities.connect_by(client.peer)
    try:
        async with _listening(settings, store, metrics, options, client) as server:
            yield server
    finally:
        await client.close()


@contextlib.asynccontextmanager
async def _listening(
    settings: Settings, store: OpenStore, metrics: Metrics, options: DimseOptions, client: DimseClient
) -> AsyncIterator[DimseServer | None]:
    if not settings.dimse:
        yield None
        return
    server = DimseServer(store.services, options, metrics, user_check(settings), client)
    metrics.add_gauges(lambda: {"associations_open": server.associations})
    try:
        await server.start()
    except OSError as error:
        raise StartError(f"Cannot listen for DIMSE: {error.strerror or error}") from None
    try:
        yield server
    finally:
        await server.stop()
