"""The kind of jobs that tell a modality, such as a RIS, which instances of a study can be had here (PS3.4 annex R)."""

import uuid

from dicomweb_server.dicom.availability import INSTANCE_AVAILABILITY, availability
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.index import Scope, StoredInstance
from dicomweb_server.ports.peers import PeerAwayError, PeerError
from dicomweb_server.ports.routing import Via
from dicomweb_server.services.jobs import RunningJob
from dicomweb_server.services.modalities import Modalities
from dicomweb_server.services.retrieve import RetrieveService
from dicomweb_server.services.sending import later_or_failed

NOTIFICATION = "InstanceAvailabilityNotification"


class NotificationKind:
    """N-CREATE of a notification. Its UID is made of the job's, so that one that is told twice is the same one."""

    type = NOTIFICATION

    def __init__(self, modalities: Modalities, retrieve: RetrieveService, ae_title: str, retry_for: float) -> None:
        """`ae_title`: of this server, from which the instances can be retrieved."""
        self._modalities = modalities
        self._retrieve = retrieve
        self._ae_title = ae_title
        self._retry_for = retry_for

    async def run(self, job: RunningJob) -> None:
        """Tell what there is now of what the job is about; what was deleted meanwhile is not told."""
        modality = self._modalities.named(job.parameters[Via.NOTICE.value])
        instances = {each.key: each for names in job.parameters["Scopes"] for each in await self._stored(Scope(*names))}
        if not instances:
            return
        told = [(each.series_uid, each.sop_class_uid, each.instance_uid) for each in instances.values()]
        study_uid = next(iter(instances.values())).study_uid
        attributes = availability(study_uid, told, modality.local_ae_title or self._ae_title)
        instance_uid = f"2.25.{uuid.UUID(job.id).int}"
        try:
            await self._modalities.peer(modality).create(INSTANCE_AVAILABILITY, instance_uid, attributes)
        except PeerAwayError as error:
            raise later_or_failed(job, self._retry_for, error) from error
        except PeerError as error:
            raise ServerError(Reason.PEER_FAILED, str(error)) from error

    async def _stored(self, scope: Scope) -> list[StoredInstance]:
        try:
            return list(await self._retrieve.instances(scope))
        except ServerError as error:
            if error.reason is Reason.NOT_FOUND:  # deleted since
                return []
            raise
