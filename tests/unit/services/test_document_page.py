"""Pages of what a search finds: bounded by number and by bytes, and told apart from the end."""

from collections.abc import AsyncGenerator, Mapping
from typing import Any

import pytest

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.services import document_page as pages
from dicomweb_server.services.document_page import DocumentPage, document_page

ONE, TWO, THREE = ({"00100020": {"vr": "LO", "Value": [name]}} for name in ("1", "2", "3"))


async def found(*batches: list[Mapping[str, Any]], cut: bool = False) -> AsyncGenerator[list[Mapping[str, Any]], None]:
    for batch in batches:
        yield batch
    if cut:
        raise ServerError(Reason.TOO_LARGE, "cut")


@pytest.mark.parametrize(
    ("offset", "limit", "documents", "is_more"),
    [
        (0, 3, [ONE, TWO, THREE], False),
        (0, 2, [ONE, TWO], True),
        (1, 2, [TWO, THREE], False),
        (1, 1, [TWO], True),
        (2, 5, [THREE], False),
        (3, 5, [], False),
    ],
)
async def test_offset_and_limit(offset: int, limit: int, documents: list[Mapping[str, Any]], is_more: bool) -> None:
    assert await document_page(found([ONE, TWO], [], [THREE]), offset, limit) == DocumentPage(documents, is_more)


@pytest.mark.parametrize(("largest", "documents"), [(90, [ONE, TWO]), (44, [ONE]), (1, [ONE])])
async def test_a_page_has_no_more_bytes_than_it_may(
    monkeypatch: pytest.MonkeyPatch, largest: int, documents: list[Mapping[str, Any]]
) -> None:
    monkeypatch.setattr(pages, "LARGEST_PAGE", largest)
    assert await document_page(found([ONE, TWO, THREE]), 0, 10) == DocumentPage(documents, is_more=True)


async def test_a_search_that_was_cut_has_more() -> None:
    assert await document_page(found([ONE], cut=True), 0, 10) == DocumentPage([ONE], is_more=True)


async def test_another_failure_is_one() -> None:
    async def failing() -> AsyncGenerator[list[Mapping[str, Any]], None]:
        yield [ONE]
        raise ServerError(Reason.OUT_OF_RESOURCES, "no room")

    with pytest.raises(ServerError, match="no room"):
        await document_page(failing(), 0, 10)
