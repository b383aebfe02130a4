"""The search service: its limits, on an index that only notes what it is asked."""

from collections.abc import AsyncIterator, Sequence
from typing import cast

import pytest

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.query import Query
from dicomweb_server.dicom.search_parameters import search_request
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.index import Index, Page
from dicomweb_server.services.search import SearchLimits, SearchService


class NotingIndex:
    """Answers nothing, and knows the last query."""

    asked: Query | None = None

    async def find(self, query: Query) -> Page:
        self.asked = query
        return Page([], 0, 42 if query.count_total else None)

    async def matches(self, query: Query) -> AsyncIterator[Sequence[bytes]]:
        self.asked = query
        there = 5 if query.limit is None else min(5, query.limit)
        for start in range(0, there, 2):
            yield [b"{}"] * min(2, there - start)


def search(index: NotingIndex, limits: SearchLimits | None = None) -> SearchService:
    return SearchService(cast(Index, index), limits)


@pytest.mark.parametrize(
    ("own", "most", "wanted", "limit"),
    [(None, None, None, None), (5, None, None, 5), (5, 3, 4, 3), (None, 3, None, 3), (5, 7, 2, 2), (5, None, 0, 0)],
)
async def test_the_smallest_limit_holds(
    own: int | None, most: int | None, wanted: int | None, limit: int | None
) -> None:
    index = NotingIndex()
    await search(index, SearchLimits(own)).find(Query(Level.STUDY, limit=wanted), most=most)
    assert index.asked is not None
    assert index.asked.limit == limit


@pytest.mark.parametrize(("most", "sizes"), [(None, [2, 2, 1]), (5, [2, 2, 1]), (4, [2, 2, 0]), (3, [2, 1])])
async def test_matches_end_with_an_error_where_they_are_cut(most: int | None, sizes: list[int]) -> None:
    matches = search(NotingIndex(), SearchLimits(most)).matches(Query(Level.STUDY))
    assert [len(await anext(matches)) for _ in sizes] == sizes
    if sum(sizes) == 5:
        assert [batch async for batch in matches] == []
    else:
        with pytest.raises(ServerError, match=f"cut after {most} matches") as caught:
            await anext(matches)
        assert caught.value.reason is Reason.TOO_LARGE


async def test_count() -> None:
    index = NotingIndex()
    assert await search(index).count(Query(Level.STUDY, offset=7)) == 42
    assert index.asked == Query(Level.STUDY, limit=0, count_total=True)


@pytest.mark.parametrize(
    ("key", "value", "refused"), [("PatientID", "", True), ("PatientID", "*", True), ("PatientID", "P*", False)]
)
async def test_searches_for_everything_may_be_refused(key: str, value: str, refused: bool) -> None:
    query = search_request(Level.STUDY, [(key, value)]).query
    service = search(NotingIndex(), SearchLimits(refuse_unfiltered=True))
    if refused:
        with pytest.raises(ServerError, match="add a key") as caught:
            await service.find(query)
        assert caught.value.reason is Reason.TOO_LARGE
    else:
        await service.find(query)
    await service.find(Query(Level.SERIES, study_uid="1.2"))
