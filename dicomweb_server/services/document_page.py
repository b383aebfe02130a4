"""A page of what a search finds that yields DICOM JSON in batches."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import orjson

from dicomweb_server.errors import Reason, ServerError

LARGEST_PAGE = 16 << 20  # bytes of JSON


@dataclass(frozen=True, slots=True)
class DocumentPage:
    """Some of the documents that match. `is_more`: there are others after these."""

    documents: Sequence[Mapping[str, Any]]
    is_more: bool


async def document_page(
    batches: AsyncGenerator[list[Mapping[str, Any]], None], offset: int, limit: int
) -> DocumentPage:
    """At most `limit` of what is found, and not too many bytes, after `offset` others.

    ServerError(TOO_LARGE) of the search says that it was cut.
    """
    found, size = list[Mapping[str, Any]](), 0
    try:
        async with aclosing(batches):
            async for batch in batches:
                for document in batch[offset:]:
                    size += len(orjson.dumps(document))
                    if len(found) == limit or (found and size > LARGEST_PAGE):
                        return DocumentPage(found, is_more=True)
                    found.append(document)
                offset = max(0, offset - len(batch))
    except ServerError as error:
        if error.reason is not Reason.TOO_LARGE:
            raise
        return DocumentPage(found, is_more=True)
    return DocumentPage(found, is_more=False)
