"""Sending: what all jobs share that send instances: batches, where to go on, what failed, when to try again."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.index import Scope, StoredInstance
from dicomweb_server.ports.peers import PeerAwayError, PeerError
from dicomweb_server.ports.remotes import Sent
from dicomweb_server.services.exports import ExportService, written_exports
from dicomweb_server.services.jobs import JobRetry, RunningJob
from dicomweb_server.services.resources import ResourceService
from dicomweb_server.services.retrieve import RetrieveService

Store = Callable[[Sequence[StoredInstance]], Awaitable[Sent]]

_MOST_FAILED_TOLD = 1000
_FIRST_WAIT, _LONGEST_WAIT = 15.0, 1800.0
# What another server answers to a request of which one instance may be the problem.
_OF_ONE_INSTANCE = frozenset({400, 409, 413, 415, 422})


@dataclass(frozen=True, slots=True)
class SendLimits:
    """`instances`, `size`: most in one batch, unless one alone is larger; `retry_for`: seconds to go on trying."""

    instances: int = 100
    size: int = 64 << 20
    retry_for: float = 86_400.0


@dataclass(slots=True)
class Progress:
    """Where a sending job stands. `last`: (position in the resources, series, instance) of what was sent last."""

    last: tuple[int, str, str] = (0, "", "")
    completed: int = 0
    failed: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    size: int = 0

    @classmethod
    def of(cls, job: RunningJob) -> "Progress":
        """As the job was saved last."""
        kept = job.cursor
        if kept is None or "last" not in kept:  # of a server that sent in another order
            return cls()
        return cls(tuple(kept["last"]), kept["completed"], kept["failed"], dict(kept["failures"]), kept["size"])

    def cursor(self) -> dict[str, Any]:
        """To be saved."""
        return {
            "last": list(self.last),
            "completed": self.completed,
            "failed": self.failed,
            "failures": self.failures,
            "size": self.size,
        }

    def add(self, sent: Sent) -> None:
        """A batch is over."""
        self.completed += sent.completed
        self.failed += len(sent.failed)
        self.size += sent.size
        for uid, why in sent.failed.items():
            if len(self.failures) < _MOST_FAILED_TOLD:
                self.failures[uid] = why


async def chosen(resources: ResourceService, public_ids: Sequence[str]) -> dict[str, Any]:
    """The parameters of a job that sends what identifiers name; ServerError(NOT_FOUND) if one of them names nothing."""
    found = [await resources.identify_any(public_id) for public_id in dict.fromkeys(public_ids)]
    scopes: list[Scope] = []
    keys: set[str] = set()
    for resource in found:
        scopes += await resources.scopes(resource)
        keys |= {instance.key for instance in await resources.instances(resource)}
    return {
        "Scopes": written_scopes(list(dict.fromkeys(scopes))),
        "InstancesCount": len(keys),
        "Exports": written_exports(found),
    }


def written_scopes(scopes: Sequence[Scope]) -> list[list[str | None]]:
    """As the parameters of a job have them."""
    return [[scope.study_uid, scope.series_uid, scope.instance_uid] for scope in scopes]


@dataclass(frozen=True, slots=True)
class Means:
    """What every kind of sending needs."""

    retrieve: RetrieveService
    exports: ExportService
    limits: SendLimits


class Sending:
    """One run of one job that sends. `remote`: the name of whom it goes to."""

    def __init__(self, job: RunningJob, remote: str, means: Means) -> None:
        self._job = job
        self._remote = remote
        self._retrieve = means.retrieve
        self._exports = means.exports
        self._limits = means.limits
        self._scopes = [Scope(*names) for names in job.parameters["Scopes"]]
        self._total = max(job.parameters["InstancesCount"], 1)
        self.progress = Progress.of(job)

    async def run(self, store: Store, content: Callable[[Progress], Mapping[str, Any]]) -> None:
        """Send all that is left; ServerError where that failed, JobRetry where it may succeed later."""
        progress, permissive = self.progress, self._job.parameters["Permissive"]
        async for place, batch in self._batches():
            try:
                sent = await self._without_gone(await _stored(store, batch), batch)
            except PeerAwayError as error:
                await self._job.save(content=content(progress))
                raise later_or_failed(self._job, self._limits.retry_for, error) from error
            except PeerError as error:
                await self._job.save(content=content(progress))
                raise ServerError(Reason.PEER_FAILED, str(error)) from error
            progress.add(sent)
            progress.last = place
            share = (progress.completed + progress.failed) / self._total
            await self._job.save(progress=share, cursor=progress.cursor(), content=content(progress))
            if sent.failed and not permissive:
                raise _refused(len(sent.failed), sent.failed)
        await self._exports.note(self._remote, self._job.parameters.get("Exports", ()))
        if progress.failed and self._job.parameters.get("Thorough", False):
            raise _refused(progress.failed, progress.failures)

    async def _without_gone(self, sent: Sent, batch: Sequence[StoredInstance]) -> Sent:
        """What was deleted before its turn has not failed."""
        failed = dict(sent.failed)
        for instance in [each for each in batch if each.instance_uid in failed]:
            scope = Scope(instance.study_uid, instance.series_uid, instance.instance_uid)
            if not await self._instances(scope):
                del failed[instance.instance_uid]
        return replace(sent, failed=failed)

    async def references(self) -> AsyncIterator[tuple[str, str]]:
        """SOP class and instance UIDs of all that there is to send."""
        for scope in self._scopes:
            for instance in await self._instances(scope):
                yield instance.sop_class_uid, instance.instance_uid

    async def _batches(self) -> AsyncIterator[tuple[tuple[int, str, str], list[StoredInstance]]]:
        """What is left, in batches; with each, where to go on after it."""
        seen: set[str] = set()
        batch: list[StoredInstance] = []
        place, size = self.progress.last, 0
        for position, scope in enumerate(self._scopes):
            for instance in await self._left(position, scope):
                here = (position, instance.series_uid, instance.instance_uid)
                if instance.key in seen:
                    continue
                seen.add(instance.key)
                if batch and (len(batch) >= self._limits.instances or size + instance.size > self._limits.size):
                    yield place, batch
                    batch, size = [], 0
                batch.append(instance)
                place, size = here, size + instance.size
        if batch:
            yield place, batch

    async def _left(self, position: int, scope: Scope) -> Sequence[StoredInstance]:
        """What comes behind the one that was sent last; all where that is gone, since twice does no harm."""
        at, *last = self.progress.last
        if position < at:
            return ()
        found = await self._instances(scope)
        if position > at:
            return found
        places = (n for n, one in enumerate(found, 1) if [one.series_uid, one.instance_uid] == last)
        return found[next(places, 0) :]

    async def _instances(self, scope: Scope) -> list[StoredInstance]:
        """By series number and instance number, as whoever looks at them wants them."""
        try:
            return await self._retrieve.instances(scope)
        except ServerError as error:
            if error.reason is Reason.NOT_FOUND:  # deleted since
                return []
            raise


def _refused(count: int, failures: Mapping[str, str]) -> ServerError:
    """What fails a job: how many instances, and why the first of them; the content of the job has the others."""
    uid, why = next(iter(failures.items()))
    return ServerError(Reason.PEER_FAILED, f"{count} instances were refused, {uid} for this: {why}")


def later_or_failed(job: RunningJob, retry_for: float, error: PeerError) -> Exception:
    """What to raise for a destination that is away: another attempt, ever later, as long as there is hope."""
    left = job.job.created + retry_for - time.time()
    if not job.parameters.get("Asynchronous", False) or left <= 0:
        return ServerError(Reason.PEER_FAILED, str(error))
    wait = min(_FIRST_WAIT * 2 ** min(job.job.attempts, 10), _LONGEST_WAIT, left + 1)
    return JobRetry(wait, Reason.PEER_FAILED, str(error))


async def _stored(store: Store, batch: Sequence[StoredInstance]) -> Sent:
    """Send a batch; where all of it fails, one instance after the other, to find out which is the problem."""
    try:
        return await store(batch)
    except (PeerError, ServerError) as error:
        if not _is_of_one_instance(error):
            raise
        if len(batch) == 1:
            return Sent(0, {batch[0].instance_uid: str(error)})
    completed, size = 0, 0
    failed: dict[str, str] = {}
    for instance in batch:
        sent = await _stored(store, [instance])
        completed, size = completed + sent.completed, size + sent.size
        failed.update(sent.failed)
    return Sent(completed, failed, size)


def _is_of_one_instance(error: PeerError | ServerError) -> bool:
    """Whether one of several instances may be the reason: it is refused, or cannot be read here."""
    if isinstance(error, ServerError):
        return error.reason in (Reason.STORAGE_DAMAGED, Reason.NOT_FOUND)
    return error.status in _OF_ONE_INSTANCE
