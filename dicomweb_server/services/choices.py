"""Choices: which instance was chosen of a large study or series, remembered as long as nothing below it changes."""

from collections.abc import Awaitable, Callable, Sequence

from dicomweb_server.ports.index import Scope, StoredInstance
from dicomweb_server.services.retrieve import RetrieveService

_LARGE = 8  # instances, of which reading all takes longer than asking whether something changed
_MOST = 4096  # that are remembered

Choose = Callable[[Sequence[StoredInstance]], Awaitable[StoredInstance]]


class Choices:
    """Of one way to choose. What is asked for once is not remembered, which would cost a question more."""

    def __init__(self, retrieve: RetrieveService, choose: Choose) -> None:
        self._retrieve = retrieve
        self._choose = choose
        self._known: dict[Scope, tuple[str, StoredInstance] | None] = {}

    async def chosen(self, scope: Scope) -> StoredInstance:
        """One of all instances below a scope; ServerError(NOT_FOUND) if there are none."""
        if scope not in self._known:
            instances = await self._retrieve.instances(scope)
            if len(instances) >= _LARGE:
                self._remember(scope, None)
            return await self._choose(instances)
        revision = await self._retrieve.revision(scope)  # before the instances, so that it is never too new for them
        known = self._known.get(scope)
        if known is not None and known[0] == revision:
            return known[1]
        chosen = await self._choose(await self._retrieve.instances(scope))
        self._remember(scope, (revision, chosen))
        return chosen

    def _remember(self, scope: Scope, known: tuple[str, StoredInstance] | None) -> None:
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[scope] = known
