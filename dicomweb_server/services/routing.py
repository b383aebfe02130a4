"""RoutingService: follows the change log, and sends what rules say where they say, once and whatever happens meanwhile.

Cursor and jobs are written in one transaction: after a crash nothing is left out, and nothing is sent twice for it.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.instance import stored_document
from dicomweb_server.dicom.query import Include
from dicomweb_server.dicom.search_parameters import search_request
from dicomweb_server.errors import ServerError
from dicomweb_server.ports.changes import Change, ChangeKind, ChangeLog
from dicomweb_server.ports.index import Scope
from dicomweb_server.ports.routing import RoutedJob, RoutingLog, Via
from dicomweb_server.services.jobs import Job, JobService
from dicomweb_server.services.notifying import NOTIFICATION
from dicomweb_server.services.priors import PRIORS
from dicomweb_server.services.retrieve import RetrieveService
from dicomweb_server.services.search import SearchService
from dicomweb_server.services.sending import written_scopes
from dicomweb_server.services.sending_kinds import MODALITY_STORE, PEER_STORE, STOW
from dicomweb_server.services.study_workitems import STUDY_WORKITEM

__all__ = ["Destination", "RoutingRule", "RoutingService", "Via"]

_log = logging.getLogger(__name__)

_BATCH = 500
_INTERVAL = 0.5
_LINGER = 2.0
_MOST_LATEST = 1000
_UIDS = {Level.STUDY: "StudyInstanceUID", Level.SERIES: "SeriesInstanceUID", Level.INSTANCE: "SOPInstanceUID"}
_UID_TAGS = (0x0020000D, 0x0020000E, 0x00080018)


_JOB_TYPE = {
    Via.MODALITY: MODALITY_STORE,
    Via.PEER: PEER_STORE,
    Via.DICOMWEB: STOW,
    Via.NOTICE: NOTIFICATION,
    Via.PRIORS: PRIORS,
    Via.WORKITEM: STUDY_WORKITEM,
}


@dataclass(frozen=True, slots=True)
class Destination:
    """A known modality, peer or DICOMweb server, or a template of workitems.

    `ae_title`: of one to which nothing goes back that it sent.
    """

    via: Via
    name: str
    ae_title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingRule:
    """What goes where. `level`: instances as they come, or series and studies once they are stable.

    Priors are fetched for studies that are new. `match`: matching keys as of a search (QIDO-RS); all must match.
    `senders`: AE titles it must come from; empty: any.
    """

    name: str
    destination: Destination
    level: Level = Level.INSTANCE
    match: tuple[tuple[str, str], ...] = ()
    senders: frozenset[str] = frozenset()

    def concerns(self, change: Change) -> bool:
        """Whether a change is one that the rule waits for."""
        if self.destination.via is Via.PRIORS:
            return change.level is Level.STUDY and change.kind is ChangeKind.ADDED
        if self.level is Level.INSTANCE:
            return change.level is Level.INSTANCE and change.kind in (ChangeKind.ADDED, ChangeKind.REPLACED)
        return change.level is self.level and change.kind is ChangeKind.STABLE


class RoutingService:
    """The only reader of the cursor of routing."""

    def __init__(
        self,
        rules: Sequence[RoutingRule],
        log: RoutingLog,
        changes: ChangeLog,
        search: SearchService,
        retrieve: RetrieveService,
        jobs: JobService,
    ) -> None:
        self._rules = rules
        self._log = log
        self._changes = changes
        self._search = search
        self._retrieve = retrieve
        self._jobs = jobs
        # The job that was made last for a rule and a study, which may still wait: oldest first.
        self._latest: dict[tuple[str, str], str] = {}

    async def begin(self) -> None:
        """Without rules the cursor is forgotten: rules that are given later are about what comes later."""
        if not self._rules:
            if await self._log.routed() is not None:
                await self._log.route(None)
        elif await self._log.routed() is None:
            await self._log.route(await self._changes.last_change())

    async def step(self) -> bool:
        """Look at some more changes; whether there were any."""
        cursor = await self._log.routed()
        changes = await self._changes.changes(cursor or 0, _BATCH)
        if not changes:
            return False
        made = {(rule.name, study): job for rule in self._rules for study, job in await self._jobs_of(rule, changes)}
        jobs = [RoutedJob(job, self._latest.get(key)) for key, job in made.items()]
        kept = await self._log.route(changes[-1].sequence, jobs)
        for key, job_id in zip(made, kept, strict=True):
            self._latest.pop(key, None)
            self._latest[key] = job_id
        while len(self._latest) > _MOST_LATEST:
            del self._latest[next(iter(self._latest))]
        if jobs:
            self._jobs.wake()
        return True

    async def run_forever(self, interval: float = _INTERVAL) -> None:
        """Follow the log; for a background task, ended by its cancellation."""
        begun = False
        while begun is False or self._rules:
            try:
                if not begun:
                    await self.begin()
                    begun = True
                while self._rules and await self.step():
                    pass
            except ServerError as error:  # tried again at the next turn
                _log.warning("routing waits: %s", error.detail)
            await asyncio.sleep(interval)

    async def _jobs_of(self, rule: RoutingRule, changes: Sequence[Change]) -> list[tuple[str, Job]]:
        """A job for each study: each is shown, retried and resubmitted by itself."""
        scopes = list(dict.fromkeys(_scope(change) for change in changes if rule.concerns(change)))
        if not scopes:
            return []
        if rule.match:
            scopes = await self._matching(rule, scopes)
        scopes = await self._sent_by(rule, scopes)
        grouped = groupby(sorted(scopes, key=lambda scope: scope.study_uid), lambda scope: scope.study_uid)
        found = [(study, await self._job(rule, list(group))) for study, group in grouped]
        return [(study, job) for study, job in found if job is not None]

    async def _matching(self, rule: RoutingRule, scopes: Sequence[Scope]) -> list[Scope]:
        """Those that the rule's keys match."""
        uids = "\\".join(dict.fromkeys(_own_uid(scope) for scope in scopes))
        query = search_request(rule.level, [*rule.match, (_UIDS[rule.level], uids)]).query
        tags = _UID_TAGS[: rule.level]
        page = await self._search.find(replace(query, include=tuple(Include((tag,)) for tag in tags)))
        found = {_found(match, tags) for match in page.matches}
        return [scope for scope in scopes if scope in found]

    async def _sent_by(self, rule: RoutingRule, scopes: Sequence[Scope]) -> list[Scope]:
        """Those that came from where the rule wants them to come from, and not from where they would go to."""
        if not rule.senders and not rule.destination.ae_title:
            return list(scopes)
        senders = await self._log.senders(scopes)
        return [
            scope
            for scope, sender in zip(scopes, senders, strict=True)
            if (not rule.senders or sender in rule.senders)
            and (not rule.destination.ae_title or sender != rule.destination.ae_title)
        ]

    async def _job(self, rule: RoutingRule, scopes: Sequence[Scope]) -> Job | None:
        count = len(scopes) if rule.level is Level.INSTANCE else await self._count(scopes)
        if count == 0:
            return None
        now = time.time()
        parameters: Mapping[str, Any] = {
            "Scopes": written_scopes(scopes),
            "InstancesCount": count,
            "Permissive": True,
            "Thorough": True,
            "Asynchronous": True,
            rule.destination.via.value: rule.destination.name,
        }
        content = {
            "Description": f"Route {rule.name}",
            "Destination": rule.destination.name,
            "InstancesCount": count,
            "FailedInstancesCount": 0,
        }
        return Job(
            id=str(uuid.uuid4()),
            type=_JOB_TYPE[rule.destination.via],
            created=now,
            changed=now,
            parameters=parameters,
            content=content,
            # More of the study is on its way, most likely.
            not_before=now + _LINGER if rule.level is Level.INSTANCE else None,
        )

    async def _count(self, scopes: Sequence[Scope]) -> int:
        count = 0
        for scope in scopes:
            try:
                count += len(await self._retrieve.instances(scope))
            except ServerError:  # deleted meanwhile
                continue
        return count


def _scope(change: Change) -> Scope:
    return Scope(change.study_uid or "", change.series_uid, change.instance_uid)


def _own_uid(scope: Scope) -> str:
    return scope.instance_uid or scope.series_uid or scope.study_uid


def _found(match: bytes, tags: Sequence[int]) -> Scope:
    attributes = stored_document(match)
    return Scope(*(attributes[f"{tag:08X}"]["Value"][0] for tag in tags))
