"""The kind of jobs that fetch earlier studies of a patient from an archive, when a new one comes or is scheduled."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import date
from typing import Any

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.instance import stored_document
from dicomweb_server.dicom.query_keys import PATIENT_ID, STUDY_UID, count_of
from dicomweb_server.dicom.scheduled import step_of, study_uid_of, text_of
from dicomweb_server.dicom.search_parameters import search_request
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.peers import Attributes, Peer, PeerAwayError, PeerError, Watch
from dicomweb_server.ports.routing import Via
from dicomweb_server.services.jobs import JobRetry, JobService, RunningJob
from dicomweb_server.services.modalities import Modalities
from dicomweb_server.services.search import SearchService
from dicomweb_server.services.sending import later_or_failed

PRIORS = "PriorStudies"
_ISSUER, _BIRTH_DATE, _STUDY_DATE = "00100021", "00100030", "00080020"
_MODALITY, _MODALITIES, _INSTANCES = "00080060", "00080061", "00201208"
_ASKED = {
    **{PATIENT_ID: "LO", _ISSUER: "LO", _BIRTH_DATE: "DA", STUDY_UID: "UI", _STUDY_DATE: "DA", _MODALITIES: "CS"},
    _INSTANCES: "IS",
}
_MOST = 1000  # studies of one patient that are looked at
_SOON = 2.0  # seconds until another look at whether it is this job's turn


@dataclass(frozen=True, slots=True)
class PriorsOptions:
    """`newest`: how many; `years`: how old at most; 0 is all. `same_modality`: only what has one of the new study's.

    `by_get`: by C-GET, else by C-MOVE to `ae_title`; `retry_for`: seconds to go on trying an archive that is away.
    """

    newest: int = 5
    years: int = 5
    same_modality: bool = False
    by_get: bool = False
    ae_title: str = ""
    retry_for: float = 86_400.0


@dataclass(frozen=True, slots=True)
class Subject:
    """Of whom, and beside what. `issuer`, `birth_date`: "" if they are not known."""

    patient_id: str
    issuer: str
    birth_date: str
    modalities: frozenset[str]
    study_uid: str

    def is_of_patient(self, study: Attributes) -> bool:
        """Whether a study is of the same patient: another one may have the same number elsewhere."""
        same = ((self.issuer, text_of(study, _ISSUER)), (self.birth_date, text_of(study, _BIRTH_DATE)))
        return text_of(study, PATIENT_ID) == self.patient_id and all(
            not ours or not theirs or ours == theirs for ours, theirs in same
        )


def subject_of(document: Attributes, modalities: Sequence[str]) -> Subject:
    """Of a study or worklist item, in DICOM JSON."""
    patient_id, issuer, birth_date = (text_of(document, tag) for tag in (PATIENT_ID, _ISSUER, _BIRTH_DATE))
    return Subject(patient_id, issuer, birth_date, frozenset(modalities), study_uid_of(document))


class PriorsOfSteps:
    """Makes jobs for steps that are scheduled. `archives`: names of the modalities that are asked."""

    def __init__(self, jobs: JobService, archives: Sequence[str] = ()) -> None:
        self._jobs = jobs
        self._archives = archives

    async def scheduled(self, item: Mapping[str, Any]) -> None:
        """A worklist item is new."""
        known = {tag: item[tag] for tag in (PATIENT_ID, _ISSUER, _BIRTH_DATE, STUDY_UID) if tag in item}
        about = {"Patient": known, "Modalities": [text_of(step_of(item), _MODALITY)], "Asynchronous": True}
        for name in self._archives if text_of(item, PATIENT_ID) else ():
            content = {"Description": "Priors of a scheduled step", "Archive": name}
            await self._jobs.submit(PRIORS, {Via.PRIORS.value: name, **about}, content=content)


class PriorsKind:
    """C-FIND of the patient's studies, then C-MOVE or C-GET of those that are not here."""

    type = PRIORS

    def __init__(self, modalities: Modalities, search: SearchService, options: PriorsOptions) -> None:
        self._modalities = modalities
        self._search = search
        self._options = options
        self._is_busy = False

    async def run(self, job: RunningJob) -> None:
        """One after the other: an archive that takes its time leaves room for other jobs."""
        if self._is_busy:
            raise JobRetry(_SOON, Reason.BUSY, "those of another study are being fetched")
        self._is_busy = True
        try:
            await self._fetch(job)
        finally:
            self._is_busy = False

    async def _fetch(self, job: RunningJob) -> None:
        """What is here already is not fetched again, so that a job may begin anew at any time."""
        modality = self._modalities.named(job.parameters[Via.PRIORS.value])
        peer, target = self._modalities.peer(modality), modality.local_ae_title or self._options.ae_title
        watch = Watch(cancelled=lambda: job.stop is not None)
        counts = {"PriorsCount": 0, "FetchedCount": 0, "FailedInstancesCount": 0}
        try:
            for subject in await self._subjects(job.parameters):
                for study in await self._priors(peer, subject):
                    counts["PriorsCount"] += 1
                    if not await self._is_here(study):
                        keys = {STUDY_UID: {"vr": "UI", "Value": [text_of(study, STUDY_UID)]}}
                        asked = (Level.STUDY, keys)
                        by_get = self._options.by_get
                        transfer = await (peer.get(*asked, watch) if by_get else peer.move(*asked, target, watch))
                        counts["FetchedCount"] += 1
                        counts["FailedInstancesCount"] += transfer.failed
                    await job.save(content={**job.content, **counts})
        except PeerAwayError as error:
            raise later_or_failed(job, self._options.retry_for, error) from error
        except PeerError as error:
            raise ServerError(Reason.PEER_FAILED, str(error)) from error

    async def _subjects(self, parameters: Mapping[str, Any]) -> list[Subject]:
        """Of the patient that is named, or of the studies that came; none without a Patient ID."""
        if "Patient" in parameters:
            found = [subject_of(parameters["Patient"], parameters["Modalities"])]
        else:
            studies = [scope[0] for scope in parameters["Scopes"]]
            documents = [each for uid in studies async for each in self._stored(uid)]
            found = [subject_of(each, each.get(_MODALITIES, {}).get("Value", ())) for each in documents]
        return [subject for subject in found if subject.patient_id]

    async def _priors(self, peer: Peer, subject: Subject) -> list[Attributes]:
        keys: dict[str, dict[str, Any]] = {tag: {"vr": vr} for tag, vr in _ASKED.items()}
        keys[PATIENT_ID]["Value"] = [subject.patient_id]
        if years := self._options.years:
            today = date.today()
            keys[_STUDY_DATE]["Value"] = [f"{date(today.year - years, today.month, min(today.day, 28)):%Y%m%d}-"]
        found: list[Attributes] = []
        async with aclosing(peer.find(Level.STUDY, keys)) as studies:  # type: ignore[type-var]
            async for study in studies:
                if len(found) < _MOST and self._is_prior(study, subject):
                    found.append(study)
        found.sort(key=lambda study: text_of(study, _STUDY_DATE), reverse=True)
        return found[: self._options.newest or None]

    def _is_prior(self, study: Attributes, subject: Subject) -> bool:
        modalities = set(study.get(_MODALITIES, {}).get("Value", ()))
        is_wanted = not self._options.same_modality or bool(modalities & subject.modalities)
        uid = text_of(study, STUDY_UID)
        return bool(uid) and uid != subject.study_uid and is_wanted and subject.is_of_patient(study)

    async def _is_here(self, study: Attributes) -> bool:
        """Whether as many instances are here as the archive says that there are."""
        stored = [each async for each in self._stored(text_of(study, STUDY_UID))]
        return bool(stored) and (count_of(stored[0], _INSTANCES) or 0) >= (count_of(study, _INSTANCES) or 0)

    async def _stored(self, study_uid: str) -> AsyncIterator[Attributes]:
        pairs = [("StudyInstanceUID", study_uid), *(("includefield", tag) for tag in _ASKED)]
        page = await self._search.find(search_request(Level.STUDY, pairs).query)
        for match in page.matches:
            yield stored_document(match)
