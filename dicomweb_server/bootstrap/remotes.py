"""Settings → the other web servers that are known, and the ways to them."""

from collections.abc import Sequence
from dataclasses import replace

from dicomweb_server.dicomweb.client import connected as dicomweb_connected
from dicomweb_server.http.client import WebClientOptions
from dicomweb_server.rest.client import connected as orthanc_connected
from dicomweb_server.services import Services
from dicomweb_server.services.fetching import GetKind, MoveKind, WadoKind
from dicomweb_server.services.jobs import JobKind
from dicomweb_server.services.notifying import NotificationKind
from dicomweb_server.services.passing_on import StepEventKind, StepReportKind
from dicomweb_server.services.priors import PriorsKind, PriorsOptions
from dicomweb_server.services.sending import Means, SendLimits
from dicomweb_server.services.sending_kinds import ModalityStoreKind, PeerStoreKind, StowKind
from dicomweb_server.services.web_remotes import DicomWebServers, Peers
from dicomweb_server.settings import Settings
from dicomweb_server.storage.store import Store


def known_peers(settings: Settings) -> Peers:
    """Those of the configuration, unless it says that there are none in it."""
    return Peers({} if settings.peers_in_database else settings.peers)


def known_servers(settings: Settings) -> DicomWebServers:
    """Those of the configuration."""
    return DicomWebServers(settings.dicomweb_servers)


def remote_kinds(settings: Settings, services: Services) -> Sequence[JobKind]:
    """The jobs that send to others, and fetch from them."""
    retrieve, retry_for = services.retrieve, settings.retry_for
    means = Means(retrieve, services.exports, SendLimits(retry_for=retry_for))
    stow_means = replace(means, limits=SendLimits(settings.stow_instances, settings.stow_size, retry_for))
    return (
        ModalityStoreKind(services.modalities, means, services.commitments),
        PeerStoreKind(services.peers, means),
        StowKind(services.dicomweb_servers, stow_means),
        NotificationKind(services.modalities, retrieve, settings.ae_title, retry_for),
        PriorsKind(services.modalities, services.search, _priors_options(settings)),
        StepReportKind(services.modalities, services.jobs, retry_for),
        StepEventKind(services.modalities, services.jobs, retry_for),
        MoveKind(services.modalities, retry_for),
        GetKind(services.modalities, retry_for),
        WadoKind(services.dicomweb_servers, retry_for),
    )


def _priors_options(settings: Settings) -> PriorsOptions:
    return PriorsOptions(
        settings.priors_newest,
        settings.priors_years,
        settings.priors_same_modality,
        settings.retrieve_method == "get",
        settings.ae_title,
        settings.retry_for,
    )


async def connect_remotes(settings: Settings, store: Store, services: Services) -> None:
    """Remember what was told in earlier runs, and tell how each kind is reached."""
    options = WebClientOptions(
        timeout=settings.web_client_timeout,
        verify=settings.web_client_verify,
        ca=settings.web_client_ca,
        proxy=settings.web_client_proxy or "",
    )
    retrieve, ingest, most = services.retrieve, services.ingest, settings.max_instance_size
    await services.modalities.load(store.remotes)
    await services.peers.load(store.remotes)
    await services.dicomweb_servers.load(store.remotes)
    transcoding = services.transcoding
    services.peers.connect_by(lambda peer, transfer: orthanc_connected(peer, options, retrieve, transcoding, transfer))
    services.dicomweb_servers.connect_by(lambda server: dicomweb_connected(server, options, retrieve, ingest, most))
