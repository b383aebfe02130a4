"""Search: a Query → a page of matches, within the limits of this server."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, replace

from dicomweb_server.dicom.query import MatchKind, Query
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.index import Index, Page

__all__ = ["Page", "SearchLimits", "SearchService"]


@dataclass(frozen=True, slots=True)
class SearchLimits:
    """`most`: matches in one page, whatever the query asks for; None for no such limit.

    `refuse_unfiltered`: a search without any key or parent, which would page through everything, is refused.
    """

    most: int | None = None
    refuse_unfiltered: bool = False


class SearchService:
    """Finds patients, studies, series and instances."""

    def __init__(self, index: Index, limits: SearchLimits | None = None) -> None:
        self._index = index
        self._limits = limits or SearchLimits()

    async def find(self, query: Query, *, most: int | None = None) -> Page:
        """A page of matches, cut to the query's limit, to `most`, and to the server's own limit."""
        self._require_filter(query)
        bounds = [bound for bound in (query.limit, most, self._limits.most) if bound is not None]
        limit = min(bounds, default=None)
        return await self._index.find(query if limit == query.limit else replace(query, limit=limit))

    async def matches(self, query: Query) -> AsyncGenerator[Sequence[bytes], None]:
        """All matches in batches, or as many as one page may have, and ServerError(TOO_LARGE) after these."""
        self._require_filter(query)
        most, found = self._limits.most, 0
        async for batch in self._index.matches(query if most is None else replace(query, limit=most + 1)):
            found += len(batch)
            if most is not None and found > most:
                yield batch[: most - found]
                raise ServerError(Reason.TOO_LARGE, f"cut after {most} matches, a limit of this server")
            yield batch

    async def counts(self) -> Mapping[str, int]:
        """How much is stored: patients, studies, series, instances, bytes."""
        return await self._index.counts()

    async def count(self, query: Query) -> int:
        """How many match."""
        page = await self.find(replace(query, limit=0, offset=0, count_total=True))
        return page.total or 0

    def _require_filter(self, query: Query) -> None:
        if self._limits.refuse_unfiltered and _is_unfiltered(query):
            raise ServerError(
                Reason.TOO_LARGE,
                "this server refuses searches for everything: add a key such as PatientID or StudyDate",
            )


def _is_unfiltered(query: Query) -> bool:
    is_key = any(match.kind is not MatchKind.UNIVERSAL for match in query.matches)
    return not is_key and query.study_uid is None and query.series_uid is None
