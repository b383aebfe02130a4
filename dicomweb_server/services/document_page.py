"""A page of what a search finds that yields DICOM JSON in batches."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from dicomweb_server.errors import Reason, ServerError


@dataclass(frozen=True, slots=True)
class DocumentPage:
    """Some of the documents that match. `is_more`: there are others after these."""

    documents: Sequence[Mapping[str, Any]]
    is_more: bool


async def document_page(
    batches: AsyncGenerator[list[Mapping[str, Any]], None], offset: int, limit: int
) -> DocumentPage:
    """At most `limit` of what is found, after `offset` others; ServerError(TOO_LARGE) says that the search was cut."""
    found: list[Mapping[str, Any]] = []
    try:
        async with aclosing(batches):
            async for batch in batches:
                found += batch[offset:]
                offset = max(0, offset - len(batch))
                if len(found) > limit:
                    break
    except ServerError as error:
        if error.reason is not Reason.TOO_LARGE:
            raise
        return DocumentPage(found[:limit], is_more=True)
    return DocumentPage(found[:limit], len(found) > limit)
