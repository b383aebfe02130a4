"""WorkitemFinder: which workitems match a query (PS3.4 §CC.2.8), by their start and a few at a time."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.matching import matches
from dicomweb_server.dicom.query import Match, MatchKind, Query
from dicomweb_server.dicom.workitem import KEYS, START, Document
from dicomweb_server.ports.workitems import Workitem, WorkitemFilter, Workitems
from dicomweb_server.services.document_page import LARGEST_PAGE, DocumentPage

_BATCH = 200  # workitems that are looked at in one go
_LARGEST_BATCH = 8 << 20  # bytes of their JSON


@dataclass(frozen=True, slots=True)
class WorkitemSearch:
    """A query of the workitems; `fuzzy`, `combined_datetime`, `timezone` as of `dicom.query.Query`."""

    matches: tuple[Match, ...] = ()
    fuzzy: bool = False
    combined_datetime: bool = False
    timezone: int | None = None


class WorkitemFinder:
    """Reads no more of them at once than it may."""

    def __init__(self, workitems: Workitems) -> None:
        self._workitems = workitems

    async def page(self, search: WorkitemSearch, offset: int, limit: int) -> DocumentPage:
        """At most `limit` of what `search` finds, and not too many bytes, after `offset` others."""
        found, size = list[Document](), 0
        async with aclosing(self.found(search)) as batches:
            async for batch in batches:
                for each in batch[offset:]:
                    size += each.size
                    if len(found) == limit or (found and size > LARGEST_PAGE):
                        return DocumentPage(found, is_more=True)
                    found.append(each.document)
                offset = max(0, offset - len(batch))
        return DocumentPage(found, is_more=False)

    async def found(self, search: WorkitemSearch) -> AsyncGenerator[list[Workitem], None]:
        """Those that match, in batches; some of these may be empty."""
        query = Query(
            Level.STUDY,
            matches=search.matches,
            fuzzy=search.fuzzy,
            combined_datetime=search.combined_datetime,
            timezone=search.timezone,
        )
        uids = await self._workitems.workitem_uids(_filter(search.matches))
        async for batch in self.batches(uids):
            yield await asyncio.to_thread(_matching, batch, query)

    async def batches(self, uids: Sequence[str]) -> AsyncGenerator[Sequence[Workitem], None]:
        """Those that are not gone, in this order."""
        at = 0
        while at < len(uids):
            wanted = uids[at : at + _BATCH]
            batch = await self._workitems.workitems(wanted, _LARGEST_BATCH)
            at += wanted.index(batch[-1].uid) + 1 if batch else len(wanted)
            yield batch


def _matching(workitems: Iterable[Workitem], query: Query) -> list[Workitem]:
    return [each for each in workitems if matches(each.document, query)]


def _filter(keys: Iterable[Match]) -> WorkitemFilter:
    """What the keys surely want."""
    starts, equal = ("", ""), dict[str, str]()
    names = {(tag,): name for name, (tag, _) in KEYS.items()}
    for match in keys:
        if match.path == (int(START, 16),) and match.kind is MatchKind.RANGE:
            starts = match.values[0], match.values[-1]
        elif match.path in names and match.kind is MatchKind.SINGLE:
            equal[names[match.path]] = match.values[0]
    return WorkitemFilter(*starts, equal)
