"""Implements `ports.remotes.WebPeer` over Orthanc's REST API: instances are posted to `/instances`, some at a time."""

import asyncio
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import orjson

from dicomweb_server.errors import ServerError
from dicomweb_server.http.client import Body, WebAnswerStream, WebClient, WebClientOptions
from dicomweb_server.services.contents import Content
from dicomweb_server.services.outgoing import file_in
from dicomweb_server.services.peers import OrthancPeer, PeerAwayError, PeerError, PeerTransfer, Sent
from dicomweb_server.services.retrieve import RetrieveService, StoredInstance
from dicomweb_server.services.transcoding import TranscodingService

_AT_ONCE = 4
_LARGEST_ANSWER = 1 << 20
# What is larger is sent as it is: a compressed body is made in memory, for its length must be known.
_MOST_COMPRESSED = 64 << 20
_STORED = frozenset({"Success", "AlreadyStored", "FilteredOut"})


class OrthancClient:
    """One peer, for the time of a connection: see `connected`."""

    def __init__(
        self, web: WebClient, retrieve: RetrieveService, transcoding: TranscodingService, transfer: PeerTransfer
    ) -> None:
        self._web = web
        self._retrieve = retrieve
        self._transcoding = transcoding
        self._transfer = transfer

    async def store(self, instances: Sequence[StoredInstance]) -> Sent:
        """Post each; what the peer refuses is told, and that it is away is raised."""
        slots = asyncio.Semaphore(_AT_ONCE)

        async def posted(instance: StoredInstance) -> str:
            async with slots:
                return await self._posted(instance)

        tasks = [asyncio.create_task(posted(instance)) for instance in instances]
        try:
            problems = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        failed = {one.instance_uid: problem for one, problem in zip(instances, problems, strict=True) if problem}
        return Sent(problems.count(""), failed, sum(instance.size for instance in instances))

    def answer(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> AbstractAsyncContextManager[WebAnswerStream]:
        """Any request, below the peer's root."""
        return self._web.answer(method, path, headers=headers, body=body)

    async def _posted(self, instance: StoredInstance) -> str:
        """Send one; why it was not stored, "" if it was."""
        try:
            content = await self._retrieve.contents.settled(
                file_in(self._transcoding, instance, self._transfer.transfer_syntax_uid)
            )
            body, headers = await self._body(content)
            answer = await self._web.ask("POST", "/instances", headers=headers, body=body, limit=_LARGEST_ANSWER)
        except PeerAwayError:
            raise
        except (PeerError, ServerError) as error:
            return str(error)
        status = _status(answer.body)
        return "" if status in _STORED else f"the peer did not store it, but answered {status[:64] or 'nothing'}"

    async def _body(self, content: Content) -> tuple[Body, dict[str, str]]:
        headers = {"content-type": "application/dicom"}
        if self._transfer.compress and content.size <= _MOST_COMPRESSED:
            compressed = await asyncio.to_thread(_gzip, await self._retrieve.contents.read(content))
            return compressed, headers | {"content-encoding": "gzip"}

        async def pieces() -> AsyncIterator[bytes]:
            async for piece in self._retrieve.contents.stream(content):
                yield piece if isinstance(piece, bytes) else bytes(piece)

        return pieces, headers | {"content-length": str(content.size)}


@asynccontextmanager
async def connected(
    peer: OrthancPeer,
    options: WebClientOptions,
    retrieve: RetrieveService,
    transcoding: TranscodingService,
    transfer: PeerTransfer,
) -> AsyncGenerator[OrthancClient, None]:
    """A peer that can be asked; its connections are closed at the end."""
    async with WebClient(peer.address, options) as web:
        yield OrthancClient(web, retrieve, transcoding, transfer)


def _status(body: bytes) -> str:
    """What the peer says of the instance; older ones answer with a list."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    if isinstance(answer, list):
        answer = answer[0] if answer else {}
    status = answer.get("Status") if isinstance(answer, dict) else None
    return status if isinstance(status, str) else ""


def _gzip(data: bytes) -> bytes:
    return zlib.compress(data, 1, wbits=31)
