"""Keeps the associations on which instances were sent open for a while, one per destination, for what comes next."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from dicomweb_server.dimse.items import MOST_CONTEXTS
from dicomweb_server.dimse.options import Modality
from dicomweb_server.dimse.scu import RequestedAssociation, ServiceUser

Proposal = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class _Idle:
    association: RequestedAssociation
    proposals: tuple[Proposal, ...]
    end: asyncio.TimerHandle


class AssociationPool:
    """Whoever takes an association gives it back, or aborts it."""

    def __init__(self, user: ServiceUser) -> None:
        self._user = user
        self._keep = user.options.keep_associations
        self._idle: dict[tuple[object, ...], _Idle] = {}
        self._lingering: dict[RequestedAssociation, asyncio.TimerHandle] = {}
        self._releasing: set[asyncio.Task[None]] = set()

    async def take(self, modality: Modality, proposals: Sequence[Proposal]) -> RequestedAssociation:
        """One on which all of this was proposed: the one that is kept, or a new one; AssociationRefusedError."""
        wanted = dict.fromkeys(proposals)
        idle = self._idle.pop(_key(modality), None)
        if idle is not None:
            idle.end.cancel()
            if idle.association.is_open and wanted.keys() <= set(idle.proposals):
                idle.association.is_reused = True
                return idle.association
            if modality.max_associations:  # there must not be two of them meanwhile
                await idle.association.release()
            else:
                self._release(idle.association)
            # What was sent a moment ago will be sent again: have contexts for both.
            both = dict.fromkeys(idle.proposals) | wanted
            wanted = both if len(both) <= MOST_CONTEXTS else wanted
        return await self._user.associate(modality, tuple(wanted))

    async def give_back(self, association: RequestedAssociation) -> None:
        """It is not needed any more; it is kept if there is no other, else released."""
        key = _key(association.modality)
        if self._keep <= 0 or key in self._idle or not association.is_open:
            await association.release()
            return
        end = asyncio.get_running_loop().call_later(self._keep, self._expire, key)
        self._idle[key] = _Idle(association, tuple(association.proposals), end)

    def linger(self, association: RequestedAssociation) -> None:
        """It is not needed any more, but the peer may still have something to say on it."""
        loop = asyncio.get_running_loop()
        self._lingering[association] = loop.call_later(self._keep, self._let_go, association)

    async def close(self) -> None:
        """Release all."""
        for association, end in list(self._lingering.items()):
            end.cancel()
            self._let_go(association)
        for key in list(self._idle):
            self._idle[key].end.cancel()
            self._expire(key)
        await asyncio.gather(*self._releasing, return_exceptions=True)

    def _let_go(self, association: RequestedAssociation) -> None:
        del self._lingering[association]
        self._release(association)

    def _expire(self, key: tuple[object, ...]) -> None:
        self._release(self._idle.pop(key).association)

    def _release(self, association: RequestedAssociation) -> None:
        task = asyncio.create_task(association.release())
        self._releasing.add(task)
        task.add_done_callback(self._releasing.discard)


def _key(modality: Modality) -> tuple[object, ...]:
    return (modality.ae_title, modality.host, modality.port, modality.tls, modality.local_ae_title)
