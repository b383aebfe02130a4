"""RoutingLog: how far routing has read the change log, moved together with the jobs that come of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Protocol

from dicomweb_server.ports.index import Scope
from dicomweb_server.ports.jobs import Job, JobState

_MOST_SCOPES = 10_000


class Via(Enum):
    """By which protocol a destination is reached; the value is the member of a job's parameters that names it."""

    MODALITY = "Modality"
    PEER = "Peer"
    DICOMWEB = "Server"
    NOTICE = "Notified"  # a modality that is only told what can be had here
    PRIORS = "Archive"  # a modality from which earlier studies of the patient are fetched
    WORKITEM = "Template"  # none: a workitem is scheduled here


@dataclass(frozen=True, slots=True)
class RoutedJob:
    """A job that is to be, and the id of an earlier one for the same study and rule that it may become a part of."""

    job: Job
    earlier: str | None = None

    def joined_to(self, earlier: Job) -> Job | None:
        """The earlier job with what this one has to send; None if it has begun, or is large enough."""
        scopes = [*earlier.parameters["Scopes"], *self.job.parameters["Scopes"]]
        if earlier.state not in (JobState.PENDING, JobState.RETRY) or earlier.cursor is not None:
            return None
        if len(scopes) > _MOST_SCOPES:
            return None
        count = {"InstancesCount": earlier.parameters["InstancesCount"] + self.job.parameters["InstancesCount"]}
        return replace(
            earlier,
            parameters={**earlier.parameters, "Scopes": scopes, **count},
            content={**earlier.content, **count},
        )


class RoutingLog(Protocol):
    """The cursor of routing. Durable."""

    async def routed(self) -> int | None:
        """The number of the last change that was looked at; None if routing never ran."""

    async def route(self, until: int | None, jobs: Sequence[RoutedJob] = ()) -> Sequence[str]:
        """Note in one transaction that all changes up to this one are looked at, and what is to be done for them.

        The ids of the jobs that do it: their own, or of those that they became a part of.
        """

    async def senders(self, scopes: Sequence[Scope]) -> Sequence[str]:
        """The AE title that sent what came last of each scope; "" if no AE did, or it is gone."""
