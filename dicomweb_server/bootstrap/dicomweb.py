"""Settings → the DICOMweb resources, as an application."""

from dicomweb_server.bootstrap.store import Holder
from dicomweb_server.dicomweb import wado_uri
from dicomweb_server.dicomweb.context import Context, DicomwebOptions
from dicomweb_server.dicomweb.notifications import Notifications
from dicomweb_server.dicomweb.resources import OPERATIONS
from dicomweb_server.http.routing import Service
from dicomweb_server.http.service_url import ServiceUrl
from dicomweb_server.services.ingest import OnDuplicate
from dicomweb_server.settings import Settings
from dicomweb_server.wire.forwarded import parse_proxies


def dicomweb_options(settings: Settings) -> DicomwebOptions:
    """Settings of the DICOMweb adapter."""
    return DicomwebOptions(
        service_url=ServiceUrl(settings.dicomweb_root, settings.public_url, parse_proxies(settings.trusted_proxies)),
        compression=settings.compression,
        immutable=settings.on_duplicate != OnDuplicate.REPLACE.value,
        search_limit=settings.search_limit,
        max_request_size=settings.max_request_size,
        max_instance_size=settings.max_instance_size,
        worklist=settings.worklist,
        workitems=settings.workitems,
        ae_title=settings.ae_title,
    )


def dicomweb_service(settings: Settings, holder: Holder) -> Service[Context]:
    """The DICOMweb resources below their root, as an application."""
    options = dicomweb_options(settings)
    return Service(settings.dicomweb_root, OPERATIONS, lambda: Context(holder.services(), options))


def notifications(settings: Settings, holder: Holder) -> Notifications:
    """The WebSockets below the same root."""
    options = dicomweb_options(settings)
    return Notifications(settings.dicomweb_root, lambda: Context(holder.services(), options))


def wado_uri_service(settings: Settings, holder: Holder) -> dict[str, Service[Context]]:
    """WADO-URI under the first segment of its path; empty if it is switched off."""
    root = settings.wado_uri_root
    if not root:
        return {}
    options = dicomweb_options(settings)
    service = Service(root, wado_uri.OPERATIONS, lambda: Context(holder.services(), options))
    return {root.strip("/"): service}
