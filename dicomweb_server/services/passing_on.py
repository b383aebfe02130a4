"""What modalities report of performed steps, passed on to others, such as a RIS: in order, once they are there."""

from collections.abc import Mapping, Sequence
from typing import Any

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.peers import PeerAwayError, PeerError
from dicomweb_server.services.jobs import JobRetry, JobService, RunningJob
from dicomweb_server.services.modalities import Modalities
from dicomweb_server.services.sending import later_or_failed

STEP_REPORT = "PerformedStepReport"
PERFORMED_STEP = "1.2.840.10008.3.1.2.3.3"  # the SOP class
_SOON = 15.0  # seconds until another look at whether what comes before has been told


class PassingOn:
    """`names`: of the modalities that get each report."""

    def __init__(self, jobs: JobService, names: Sequence[str] = ()) -> None:
        self._jobs = jobs
        self._names = names

    async def begun(self, instance_uid: str, document: Mapping[str, Any]) -> None:
        """An N-CREATE was taken."""
        for name in self._names:
            await self._submit(name, instance_uid, document, {"Begins": True})

    async def changed(self, instance_uid: str, document: Mapping[str, Any]) -> None:
        """An N-SET was taken. It waits for what was reported before."""
        for name in self._names:
            before = [
                job.id
                for job in await self._jobs.list()
                if job.type == STEP_REPORT
                and not job.state.is_final
                and (job.parameters["Modality"], job.parameters["Uid"]) == (name, instance_uid)
            ]
            await self._submit(name, instance_uid, document, {"Begins": False, "After": before})

    async def _submit(self, name: str, instance_uid: str, document: Mapping[str, Any], more: dict[str, Any]) -> None:
        parameters = {"Modality": name, "Uid": instance_uid, "Report": document, "Asynchronous": True, **more}
        await self._jobs.submit(STEP_REPORT, parameters, content={"Destination": name, "Step": instance_uid})


class StepReportKind:
    """N-CREATE or N-SET of one report."""

    type = STEP_REPORT

    def __init__(self, modalities: Modalities, jobs: JobService, retry_for: float) -> None:
        self._modalities = modalities
        self._jobs = jobs
        self._retry_for = retry_for

    async def run(self, job: RunningJob) -> None:
        """Pass it on, unless what was reported before is still on its way."""
        parameters = job.parameters
        if any([await self._is_waiting(before) for before in parameters.get("After", ())]):
            raise JobRetry(_SOON, Reason.BUSY, "an earlier report of the step is still on its way")
        peer = self._modalities.peer(self._modalities.named(parameters["Modality"]))
        tell = peer.create if parameters["Begins"] else peer.change
        try:
            await tell(PERFORMED_STEP, parameters["Uid"], parameters["Report"])
        except PeerAwayError as error:
            raise later_or_failed(job, self._retry_for, error) from error
        except PeerError as error:
            raise ServerError(Reason.PEER_FAILED, str(error)) from error

    async def _is_waiting(self, job_id: str) -> bool:
        try:
            return not (await self._jobs.get(job_id)).state.is_final
        except ServerError:  # it is forgotten
            return False
