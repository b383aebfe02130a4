"""RoutingLog: how far routing has read the change log, moved together with the jobs that come of it."""

from collections.abc import Sequence
from typing import Protocol

from dicomweb_server.ports.index import Scope
from dicomweb_server.ports.jobs import Job


class RoutingLog(Protocol):
    """The cursor of routing. Durable."""

    async def routed(self) -> int | None:
        """The number of the last change that was looked at; None if routing never ran."""

    async def route(self, until: int | None, jobs: Sequence[Job] = ()) -> None:
        """Note in one transaction that all changes up to this one are looked at, and what is to be done for them."""

    async def senders(self, scopes: Sequence[Scope]) -> Sequence[str]:
        """The AE title that sent what came last of each scope; "" if no AE did, or it is gone."""
