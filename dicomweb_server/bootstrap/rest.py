"""Settings → the REST interface, as applications."""

from collections.abc import Awaitable, Callable

from dicomweb_server.bootstrap.statement import statement
from dicomweb_server.bootstrap.store import Holder
from dicomweb_server.dimse.contexts import STORAGE_CLASSES
from dicomweb_server.http.routing import Service
from dicomweb_server.rest.context import Context, RestOptions
from dicomweb_server.rest.errors import failure
from dicomweb_server.rest.names import ATTACHMENTS, NUMBERS, Names
from dicomweb_server.rest.operations import BELOW_DICOMWEB, OPERATIONS
from dicomweb_server.rest.running import Running
from dicomweb_server.services.ingest import OnDuplicate
from dicomweb_server.settings import Settings

Stop = Callable[[bool], None]


def rest_options(settings: Settings, running: Running | None = None) -> RestOptions:
    """Settings of the REST adapter."""
    return RestOptions(
        name=settings.name,
        ae_title=settings.ae_title,
        dimse_port=settings.dimse_port or 0,
        http_port=settings.http_port,
        is_https=settings.tls_certificate is not None,
        has_users=bool(settings.users or settings.token_keys),
        overwrites=settings.on_duplicate == OnDuplicate.REPLACE.value,
        dicomweb_root=settings.dicomweb_root,
        stable_age=settings.stable_age,
        check_revisions=settings.check_revisions,
        metadata=Names(NUMBERS, settings.user_metadata),
        attachments=Names(ATTACHMENTS, settings.user_attachments),
        retrieve_method=settings.retrieve_method,
        echo_checks_find=settings.echo_checks_find,
        running=running or Running(),
        max_request_size=settings.max_request_size,
        max_instance_size=settings.max_instance_size,
    )


def running(settings: Settings, metrics: Callable[[], Awaitable[bytes]], stop: Stop) -> Running:
    """What REST tells of the process: its statement, its metrics if they are told at all, and what DIMSE may store."""
    return Running(
        statement=lambda: statement(settings),
        metrics=metrics,
        metrics_on=settings.metrics,
        stop=stop,
        sop_classes=sorted(settings.accepted_sop_classes or STORAGE_CLASSES - set(settings.rejected_sop_classes)),
    )


def rest_services(settings: Settings, holder: Holder, running: Running) -> tuple[Service[Context], Service[Context]]:
    """What is at the root of the server, and what is below that of DICOMweb."""
    options = rest_options(settings, running)

    def context() -> Context:
        return Context(holder.services(), options)

    return (
        Service("", OPERATIONS, context, failure, override=True),
        Service(settings.dicomweb_root, BELOW_DICOMWEB, context, failure, override=True),
    )
