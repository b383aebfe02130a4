"""CreationService: stores new instances made of tags, images and documents, below a resource or by themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.content import EMPTY, content_of
from dicomweb_server.dicom.creation import Document, Wish, inherited, instance, new_identity, own_document
from dicomweb_server.dicom.instance import stored_document
from dicomweb_server.dicom.origin import Origin
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.services.ingest import IngestOutcome, IngestService
from dicomweb_server.services.resources import Resource, ResourceService
from dicomweb_server.services.retrieve import RetrieveService
from dicomweb_server.services.workers import Workers

__all__ = ["Creation", "CreationService", "Part", "Wish"]

_MOST_PARTS = 10_000


@dataclass(frozen=True, slots=True)
class Part:
    """One of several contents, with the tags that only its instance has."""

    uri: str
    tags: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Creation:
    """What is to be made: an instance for each part, or one of the tags only. `encapsulate`: JPEGs stay compressed."""

    wish: Wish
    parts: Sequence[Part] = ()
    parent: Resource | None = None
    encapsulate: bool = False


class CreationService:
    """Makes instances and stores them through the one way in."""

    def __init__(
        self, ingest: IngestService, retrieve: RetrieveService, resources: ResourceService, workers: Workers
    ) -> None:
        self._ingest = ingest
        self._retrieve = retrieve
        self._resources = resources
        self._workers = workers

    async def create(self, creation: Creation, origin: Origin) -> list[IngestOutcome]:
        """One outcome for each instance, all successes; ServerError if one cannot be made or stored."""
        if len(creation.parts) > _MOST_PARTS:
            raise ServerError(Reason.TOO_LARGE, f"a series of at most {_MOST_PARTS} instances can be created at once")
        parents = await self._inherited(creation.parent)
        own = own_document(creation.wish, parents)
        identity = new_identity(parents)
        parts: Sequence[Part | None] = creation.parts or [None]
        outcomes = []
        for number, part in enumerate(parts, 1):
            file = await self._workers.run(
                lambda part=part, number=number: _made(creation, part, (number, len(parts)), (parents, identity, own))  # type: ignore[misc]
            )
            outcomes.append(await self._store(file, origin))
        return outcomes

    async def _inherited(self, parent: Resource | None) -> Document:
        if parent is None:
            return {}
        if parent.level is Level.INSTANCE:
            raise ServerError(Reason.BAD_REQUEST, "Parent must be a patient, study or series, not an instance")
        for scope in await self._resources.scopes(parent):
            async for batch in self._retrieve.metadata(scope):
                for metadata in filter(None, batch):
                    return inherited(stored_document(metadata), parent.level)
        raise ServerError(Reason.NOT_FOUND, "the parent has no instance left")

    async def _store(self, file: bytes, origin: Origin) -> IngestOutcome:
        staging = self._ingest.stage()
        try:
            await staging.write(file)
            outcome = await self._ingest.ingest(await staging.finish(), origin)
        finally:
            await staging.discard()
        if not outcome.is_success:
            raise ServerError(outcome.reason or Reason.INTERNAL, outcome.detail)
        return outcome


def _made(
    creation: Creation, part: Part | None, number: tuple[int, int], documents: tuple[Document, Document, Document]
) -> bytes:
    parents, identity, own = documents
    if part is None:
        return instance(identity, EMPTY, [own], number)
    wish = creation.wish
    more = Wish(tags=part.tags, creator=wish.creator, force=wish.force, interpret=wish.interpret)
    content = content_of(part.uri, encapsulate=creation.encapsulate)
    return instance(identity, content, [own, own_document(more, parents)], number)
