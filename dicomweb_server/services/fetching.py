"""The kinds of jobs that fetch: by C-MOVE, by C-GET and by WADO-RS; their content is in Orthanc's shape."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.peers import Attributes, Peer, PeerAwayError, PeerError, Transfer, Watch
from dicomweb_server.ports.remotes import DicomWebPeer, Received
from dicomweb_server.services.jobs import RunningJob
from dicomweb_server.services.modalities import Modalities
from dicomweb_server.services.sending import later_or_failed
from dicomweb_server.services.sending_kinds import modality_of
from dicomweb_server.services.web_remotes import DicomWebServers

MOVE, GET, WADO = "DicomMoveScu", "DicomGetScu", "DicomWebWadoRetrieveClient"
_MEGABYTE = 1 << 20

Content = dict[str, Any]


@dataclass(slots=True)
class _Fetched:
    """What came of the steps until now."""

    next: int = 0
    completed: int = 0
    failed: int = 0
    size: int = 0


async def _fetch(
    job: RunningJob,
    steps: int,
    retry_for: float,
    step: Callable[[int, _Fetched], Awaitable[None]],
    content: Callable[[_Fetched], Content],
) -> None:
    """Do what is left of the steps; ServerError where one failed, JobRetry where it may succeed later."""
    fetched = _Fetched(**job.cursor) if job.cursor is not None else _Fetched()
    while fetched.next < steps:
        failed = fetched.failed
        try:
            await step(fetched.next, fetched)
            why = f"{fetched.failed - failed} instances failed"
        except PeerAwayError as error:
            raise later_or_failed(job, retry_for, error) from error
        except PeerError as error:
            fetched.failed += 1
            why = str(error)
        if job.stop is None:  # a step that was cut short is done again
            fetched.next += 1
        cursor = {name: getattr(fetched, name) for name in _Fetched.__slots__}
        await job.save(progress=fetched.next / steps, cursor=cursor, content=content(fetched))
        if fetched.failed > failed and not job.parameters["Permissive"]:
            raise ServerError(Reason.PEER_FAILED, why)


Ask = Callable[[Peer, Level, Attributes, Watch], Awaitable[Transfer]]


async def _retrieve(job: RunningJob, modalities: Modalities, retry_for: float, ask: Ask) -> None:
    """What C-MOVE and C-GET have in common."""
    parameters = job.parameters
    peer = modalities.peer(modality_of(modalities, parameters))
    level = Level[parameters["Level"]]
    watch = Watch(cancelled=lambda: job.stop is not None)

    async def step(number: int, fetched: _Fetched) -> None:
        transfer = await ask(peer, level, parameters["Keys"][number], watch)
        fetched.completed += transfer.completed + transfer.warning
        fetched.failed += transfer.failed

    def content(fetched: _Fetched) -> Content:
        return {**job.content, "FailedInstancesCount": fetched.failed, "InstancesCount": fetched.completed}

    await _fetch(job, len(parameters["Keys"]), retry_for, step, content)


class MoveKind:
    """A modality is asked to send to an AE."""

    type = MOVE

    def __init__(self, modalities: Modalities, retry_for: float) -> None:
        self._modalities = modalities
        self._retry_for = retry_for

    async def run(self, job: RunningJob) -> None:
        """Have it send what is left."""
        target = job.parameters["TargetAet"]

        def ask(peer: Peer, level: Level, keys: Attributes, watch: Watch) -> Awaitable[Transfer]:
            return peer.move(level, keys, target, watch)

        await _retrieve(job, self._modalities, self._retry_for, ask)


class GetKind:
    """A modality is asked to send here, on the association that asks."""

    type = GET

    def __init__(self, modalities: Modalities, retry_for: float) -> None:
        self._modalities = modalities
        self._retry_for = retry_for

    async def run(self, job: RunningJob) -> None:
        """Have it send what is left."""

        def ask(peer: Peer, level: Level, keys: Attributes, watch: Watch) -> Awaitable[Transfer]:
            return peer.get(level, keys, watch)

        await _retrieve(job, self._modalities, self._retry_for, ask)


class WadoKind:
    """Studies, series and instances of a DICOMweb server are fetched."""

    type = WADO

    def __init__(self, servers: DicomWebServers, retry_for: float) -> None:
        self._servers = servers
        self._retry_for = retry_for

    async def run(self, job: RunningJob) -> None:
        """Fetch what is left."""
        parameters = job.parameters
        async with self._servers.connected(parameters["Server"]) as server:

            async def step(number: int, fetched: _Fetched) -> None:
                received = await _received(server, parameters["Paths"][number], parameters.get("HttpHeaders", {}))
                fetched.completed += received.completed
                fetched.failed += received.failed
                fetched.size += received.size

            await _fetch(job, len(parameters["Paths"]), self._retry_for, step, lambda fetched: _wado(job, fetched))


async def _received(server: DicomWebPeer, path: str, headers: Mapping[str, str]) -> Received:
    return await server.retrieve(path, headers, lambda received: None)


def _wado(job: RunningJob, fetched: _Fetched) -> Content:
    return {
        **job.content,
        "FailedInstancesCount": fetched.failed,
        "NetworkUsageMB": str(fetched.size // _MEGABYTE),
        "ReceivedInstancesCount": str(fetched.completed),
    }
