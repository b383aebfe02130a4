"""What modalities report of performed steps, passed on to others, such as a RIS: in order, once they are there."""

from collections.abc import Mapping, Sequence
from typing import Any

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.peers import Peer, PeerAwayError, PeerError
from dicomweb_server.services.jobs import JobRetry, JobService, RunningJob
from dicomweb_server.services.modalities import Modalities
from dicomweb_server.services.sending import later_or_failed

STEP_REPORT, STEP_EVENT = "PerformedStepReport", "PerformedStepNotification"
PERFORMED_STEP = "1.2.840.10008.3.1.2.3.3"  # the SOP class
PERFORMED_STEP_NOTIFICATION = "1.2.840.10008.3.1.2.3.5"
_BEGUN, _UPDATED = 1, 4  # event types of PS3.4 table F.9.2-1
_ENDED = {"COMPLETED": 2, "DISCONTINUED": 3}
_SOON = 15.0  # seconds until another look at whether what comes before has been told


class PassingOn:
    """Of modalities, by name, `reported` get each report, `notified` are told that there is something new."""

    def __init__(self, jobs: JobService, reported: Sequence[str] = (), notified: Sequence[str] = ()) -> None:
        self._jobs = jobs
        self._reported = reported
        self._notified = notified

    async def begun(self, instance_uid: str, document: Mapping[str, Any]) -> None:
        """An N-CREATE was taken."""
        for name in self._reported:
            await self._submit(STEP_REPORT, name, instance_uid, {"Report": document, "Begins": True})
        for name in self._notified:
            await self._submit(STEP_EVENT, name, instance_uid, {"Event": _BEGUN})

    async def changed(self, instance_uid: str, document: Mapping[str, Any], status: str) -> None:
        """An N-SET was taken, since which the step has this status. What is told waits for what was told before."""
        for name in self._reported:
            more = {"Report": document, "Begins": False, "After": await self._before(STEP_REPORT, name, instance_uid)}
            await self._submit(STEP_REPORT, name, instance_uid, more)
        for name in self._notified:
            before = await self._before(STEP_EVENT, name, instance_uid)
            await self._submit(STEP_EVENT, name, instance_uid, {"Event": _ENDED.get(status, _UPDATED), "After": before})

    async def _before(self, kind: str, name: str, instance_uid: str) -> list[str]:
        """Jobs that tell a modality of the same step, and have not done so yet."""
        return [
            job.id
            for job in await self._jobs.list()
            if job.type == kind
            and not job.state.is_final
            and (job.parameters["Modality"], job.parameters["Uid"]) == (name, instance_uid)
        ]

    async def _submit(self, kind: str, name: str, instance_uid: str, more: Mapping[str, Any]) -> None:
        parameters = {"Modality": name, "Uid": instance_uid, "Asynchronous": True, **more}
        await self._jobs.submit(kind, parameters, content={"Destination": name, "Step": instance_uid})


class StepReportKind:
    """N-CREATE or N-SET of one report."""

    type = STEP_REPORT

    def __init__(self, modalities: Modalities, jobs: JobService, retry_for: float) -> None:
        self._modalities = modalities
        self._jobs = jobs
        self._retry_for = retry_for

    async def run(self, job: RunningJob) -> None:
        """Tell it, unless what was told before is still on its way."""
        parameters = job.parameters
        if any([await self._is_waiting(before) for before in parameters.get("After", ())]):
            raise JobRetry(_SOON, Reason.BUSY, "an earlier report of the step is still on its way")
        peer = self._modalities.peer(self._modalities.named(parameters["Modality"]))
        try:
            await self._tell(peer, parameters)
        except PeerAwayError as error:
            raise later_or_failed(job, self._retry_for, error) from error
        except PeerError as error:
            raise ServerError(Reason.PEER_FAILED, str(error)) from error

    async def _tell(self, peer: Peer, parameters: Mapping[str, Any]) -> None:
        tell = peer.create if parameters["Begins"] else peer.change
        await tell(PERFORMED_STEP, parameters["Uid"], parameters["Report"])

    async def _is_waiting(self, job_id: str) -> bool:
        try:
            return not (await self._jobs.get(job_id)).state.is_final
        except ServerError:  # it is forgotten
            return False


class StepEventKind(StepReportKind):
    """N-EVENT-REPORT of one event (PS3.4 §F.9)."""

    type = STEP_EVENT

    async def _tell(self, peer: Peer, parameters: Mapping[str, Any]) -> None:
        await peer.notify(PERFORMED_STEP_NOTIFICATION, parameters["Uid"], parameters["Event"])
