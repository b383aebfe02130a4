"""The kinds of jobs that send instances: to modalities, to peers, to DICOMweb servers; content in Orthanc's shape."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from dicomweb_server.ports.index import StoredInstance
from dicomweb_server.ports.peers import Modality, Originator, Peer, PeerAwayError, PeerError, Reference
from dicomweb_server.ports.remotes import PeerTransfer, Sent
from dicomweb_server.services.commitment import CommitmentService
from dicomweb_server.services.jobs import RunningJob
from dicomweb_server.services.modalities import Modalities
from dicomweb_server.services.sending import Means, Progress, Sending, later_or_failed
from dicomweb_server.services.web_remotes import DicomWebServers, Peers

MODALITY_STORE, PEER_STORE, STOW = "DicomModalityStore", "OrthancPeerStore", "DicomWebStowClient"
_MEGABYTE = 1 << 20


class ModalityStoreKind:
    """C-STORE to a modality."""

    type = MODALITY_STORE

    def __init__(
        self,
        modalities: Modalities,
        means: Means,
        commitments: CommitmentService,
    ) -> None:
        self._modalities = modalities
        self._means = means
        self._commitments = commitments

    async def run(self, job: RunningJob) -> None:
        """Send what is left; then ask for storage commitment, if that was wanted."""
        parameters = job.parameters
        modality = modality_of(self._modalities, parameters)
        peer = self._modalities.peer(modality)
        title, message_id = parameters.get("MoveOriginatorAet"), parameters.get("MoveOriginatorID", 0)
        originator = Originator(title, message_id) if title else None
        sending = Sending(job, parameters["Modality"], self._means)

        async def store(instances: Sequence[StoredInstance]) -> Sent:
            return await store_over_dimse(peer, instances, originator)

        await sending.run(store, lambda progress: _content(job, progress))
        if parameters.get("TransactionUid"):
            references = [Reference(*pair) async for pair in sending.references()]
            try:
                await self._commitments.ask(modality, references, parameters["TransactionUid"])
            except PeerError as error:
                raise later_or_failed(job, self._means.limits.retry_for, error) from error


class PeerStoreKind:
    """POST to a peer."""

    type = PEER_STORE

    def __init__(self, peers: Peers, means: Means) -> None:
        self._peers = peers
        self._means = means

    async def run(self, job: RunningJob) -> None:
        """Send what is left."""
        transfer = PeerTransfer(job.parameters.get("Transcode", ""), job.parameters.get("Compress", False))
        name = job.parameters["Peer"]
        async with self._peers.connected(name, transfer) as peer:
            await Sending(job, name, self._means).run(peer.store, lambda progress: _sized(job, progress))


class StowKind:
    """STOW-RS to a DICOMweb server."""

    type = STOW

    def __init__(self, servers: DicomWebServers, means: Means) -> None:
        self._servers = servers
        self._means = means

    async def run(self, job: RunningJob) -> None:
        """Send what is left."""
        name = job.parameters["Server"]
        async with self._servers.connected(name, job.parameters.get("HttpHeaders")) as server:
            await Sending(job, name, self._means).run(server.store, lambda progress: _stow(job, progress))


def modality_of(modalities: Modalities, parameters: Mapping[str, Any]) -> Modality:
    """The modality that a job is about, with what the request wanted otherwise; ServerError(NOT_FOUND)."""
    known = modalities.named(parameters["Modality"])
    return replace(
        known,
        ae_title=parameters.get("CalledAet") or known.ae_title,
        host=parameters.get("Host") or known.host,
        port=parameters.get("Port") or known.port,
        timeout=parameters.get("Timeout") or known.timeout,
        local_ae_title=parameters.get("LocalAet") or known.local_ae_title,
    )


async def store_over_dimse(peer: Peer, instances: Sequence[StoredInstance], originator: Originator | None) -> Sent:
    """C-STORE; what fails for a connection that was lost is told from what is refused, by asking whether it is there.

    PeerAwayError where it is not. What fails is tried once more where it is.
    """
    transfer = await peer.store(instances, originator=originator)
    if transfer.failures:
        await _there(peer)
        again = [instance for instance in instances if instance.instance_uid in transfer.failures]
        transfer = await peer.store(again, originator=originator)
    size = sum(instance.size for instance in instances)
    return Sent(len(instances) - len(transfer.failures), transfer.failures, size)


async def _there(peer: Peer) -> None:
    """PeerAwayError where a peer is away; one that does not like to be asked is there."""
    try:
        await peer.echo()
    except PeerAwayError:
        raise
    except PeerError:
        return


def _content(job: RunningJob, progress: Progress) -> dict[str, Any]:
    """What a job shows, in Orthanc's words, and which instances failed."""
    content = dict(job.content) | {"FailedInstancesCount": progress.failed}
    if progress.failures:
        content["FailedInstances"] = progress.failures
    return content


def _sized(job: RunningJob, progress: Progress) -> dict[str, Any]:
    return _content(job, progress) | {"Size": str(progress.size), "SizeMB": progress.size // _MEGABYTE}


def _stow(job: RunningJob, progress: Progress) -> dict[str, Any]:
    return _content(job, progress) | {
        "InstancesCount": str(progress.completed),
        "NetworkSizeMB": str(progress.size // _MEGABYTE),
    }
