"""C-FIND: the same search as QIDO-RS, asked and answered in identifiers (PS3.4 §C.4.1)."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Protocol

from dicomweb_server.dimse.contexts import QUERY_LEVELS
from dicomweb_server.dimse.elsewhere import Elsewhere
from dicomweb_server.dimse.fallback import other_archive
from dicomweb_server.dimse.find_request import FindRequest, find_request
from dicomweb_server.dimse.identifiers import LARGEST_IDENTIFIER, Identifier, agreed_rules, read_identifier
from dicomweb_server.dimse.message import encode_response
from dicomweb_server.dimse.session import Operation
from dicomweb_server.dimse.status import CANCELLED, PENDING, PENDING_WITH_WARNING, SUCCESS, Status

_MATCHES_AT_ONCE = 100


async def find_resources(operation: Operation) -> Status:
    """C-FIND: the identifier becomes the same query as a search by QIDO-RS (PS3.4 §C.4.1)."""
    return await _answer_all(operation, await _find_request(operation))


async def requested_identifier(operation: Operation) -> Identifier:
    """The identifier of a C-FIND, C-MOVE or C-GET; ServerError if it is none."""
    data = await operation.whole_dataset(LARGEST_IDENTIFIER, "identifier")
    return read_identifier(data, operation.context.transfer_syntax)


async def _find_request(operation: Operation) -> FindRequest:
    context, options = operation.context, operation.terms.options
    identifier = await requested_identifier(operation)
    rules = agreed_rules(operation.terms.extended.get(context.abstract_syntax, b""))
    levels = QUERY_LEVELS[context.abstract_syntax]
    return find_request(identifier, levels, rules, options.ae_title, options.web_root, options.view)


async def _answer_all(operation: Operation, request: FindRequest) -> Status:
    """Send what matches, and say how it ended."""
    pending, syntax = PENDING if request.all_supported else PENDING_WITH_WARNING, operation.context.transfer_syntax
    encoder, search = request.encoder(syntax), operation.terms.services.search
    archive = other_archive(operation) if operation.terms.options.find_elsewhere else None
    async with aclosing(search.matches(request.query)) as matches:
        if archive is None:
            return await send_matches(operation, pending, encoder, matches)
        elsewhere = Elsewhere(operation, request, archive)
        status = await send_matches(operation, pending, encoder, elsewhere.noted(matches))
    if status is not SUCCESS:
        return status
    async with aclosing(elsewhere.matches()) as others:
        return await send_matches(operation, pending, request.encoder(syntax, "NEARLINE"), others)


class Encoder(Protocol):
    """Writes answers."""

    def encode(self, match: bytes) -> bytes:
        """The identifier that answers with one match."""


async def send_matches(
    operation: Operation, pending: Status, encoder: Encoder, batches: AsyncIterator[Sequence[bytes]]
) -> Status:
    """Send pending responses; the final status."""
    command = encode_response(operation.request, pending.code, has_dataset=True)
    async for matches in batches:
        if not await _send_batch(operation, command, encoder, matches):
            return CANCELLED
    return CANCELLED if operation.cancelled else SUCCESS


async def _send_batch(operation: Operation, command: bytes, encoder: Encoder, matches: Sequence[bytes]) -> bool:
    context, session = operation.context, operation.session
    for start in range(0, len(matches), _MATCHES_AT_ONCE):
        if operation.cancelled:
            return False
        session.exchange.send_all(
            context.context_id, command, [encoder.encode(each) for each in matches[start : start + _MATCHES_AT_ONCE]]
        )
        await session.connection.drain()
        await asyncio.sleep(0)  # others have their turn between two batches, and C-CANCEL can come in
    return not operation.cancelled
