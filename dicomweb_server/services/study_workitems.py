"""The kind of jobs that schedule a workitem (Unified Procedure Step) for a study that is complete."""

import uuid
from collections.abc import Mapping

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.instance import stored_document
from dicomweb_server.dicom.search_parameters import search_request
from dicomweb_server.dicom.workitem import UPS_PUSH, Document, Problem, WorkitemError
from dicomweb_server.dicom.workitem_of_study import TAKEN, Code, Source, WorkitemTemplate, study_workitem
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.index import Scope
from dicomweb_server.ports.peers import PeerAwayError, PeerError
from dicomweb_server.ports.routing import Via
from dicomweb_server.services.jobs import RunningJob
from dicomweb_server.services.modalities import Modalities
from dicomweb_server.services.retrieve import RetrieveService
from dicomweb_server.services.search import SearchService
from dicomweb_server.services.sending import later_or_failed
from dicomweb_server.services.workitems import WorkitemService, dicom_now

__all__ = ["STUDY_WORKITEM", "Code", "Source", "StudyWorkitemKind", "WorkitemTemplate"]

STUDY_WORKITEM = "StudyWorkitem"


class StudyWorkitemKind:
    """The workitem's UID is made of the job's, so that a job that is run again makes no other one."""

    type = STUDY_WORKITEM

    def __init__(
        self,
        workitems: WorkitemService,
        modalities: Modalities,
        search: SearchService,
        retrieve: RetrieveService,
        templates: Mapping[str, WorkitemTemplate],
        source: Source,
        retry_for: float,
    ) -> None:
        """`retry_for`: seconds to go on trying a modality that is away."""
        self._workitems = workitems
        self._modalities = modalities
        self._retry_for = retry_for
        self._search = search
        self._retrieve = retrieve
        self._templates = templates
        self._source = source

    async def run(self, job: RunningJob) -> None:
        """For what there is of the study now; for none that was deleted meanwhile."""
        name = job.parameters[Via.WORKITEM.value]
        template = self._templates.get(name) or WorkitemTemplate(name, name)
        study_uid = job.parameters["Scopes"][0][0]
        parameters = [("StudyInstanceUID", study_uid), *(("includefield", tag) for tag in TAKEN)]
        page = await self._search.find(search_request(Level.STUDY, parameters).query)
        if not page.matches:
            return
        instances = await self._retrieve.instances(Scope(study_uid))
        about = [(each.series_uid, each.sop_class_uid, each.instance_uid) for each in instances]
        expiration = dicom_now(template.expires) if template.expires else ""
        study = stored_document(page.matches[0])
        document = study_workitem(template, study, about, self._source, dicom_now(), expiration)
        uid = f"2.25.{uuid.UUID(job.id).int}"
        await (self._push(job, template.modality, document, uid) if template.modality else self._keep(document, uid))
        await job.save(content={**job.content, "Workitem": uid})

    async def _push(self, job: RunningJob, name: str, document: Document, uid: str) -> None:
        """Have a modality schedule it, which then performs it or finds somebody who does."""
        try:
            await self._modalities.peer(self._modalities.named(name)).create(UPS_PUSH, uid, document)
        except PeerAwayError as error:
            raise later_or_failed(job, self._retry_for, error) from error
        except PeerError as error:
            raise ServerError(Reason.PEER_FAILED, str(error)) from error

    async def _keep(self, document: Document, uid: str) -> None:
        try:
            await self._workitems.create(document, uid)
        except WorkitemError as error:
            if error.problem is not Problem.DUPLICATE:
                raise
