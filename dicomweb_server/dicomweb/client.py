"""Implements `ports.remotes.DicomWebPeer`: stores at, searches, fetches from and deletes at another DICOMweb server."""

import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager

from dicomweb_server.dicom.origin import Origin
from dicomweb_server.dicomweb.store_answer import read_store_answer
from dicomweb_server.errors import ServerError
from dicomweb_server.http.client import WebAnswerStream, WebClient, WebClientOptions, refusal
from dicomweb_server.http.intake import Intake
from dicomweb_server.services.contents import Buffer, Content, ContentReader
from dicomweb_server.services.ingest import IngestOutcome, IngestService
from dicomweb_server.services.peers import DicomWebServer, PeerError, Received, Sent
from dicomweb_server.services.retrieve import RetrieveService, StoredInstance
from dicomweb_server.wire import multipart
from dicomweb_server.wire.media_types import DICOM, DICOM_JSON, RELATED, MediaType, parse_media_type

_LARGEST_STORE_ANSWER = 64 << 20
# What may come before the first part, and in all.
_MOST_PREAMBLE = 1 << 20
_MOST_FETCHED = 1 << 44
_PART_FIELDS = ((b"Content-Type", DICOM.encode()),)
# The statuses of PS3.18 table 10.5.3-1 that come with a Store Instances Response.
_STORED = frozenset({200, 202, 409})


class DicomWebClient:
    """One other server, for the time of a connection: see `connected`."""

    def __init__(
        self,
        server: DicomWebServer,
        web: WebClient,
        retrieve: RetrieveService,
        ingest: IngestService,
        max_instance_size: int,
    ) -> None:
        self._server = server
        self._web = web
        self._retrieve = retrieve
        self._ingest = ingest
        self._max_instance_size = max_instance_size

    async def store(self, instances: Sequence[StoredInstance]) -> Sent:
        """STOW-RS, as they are stored, in one request."""
        contents = [self._retrieve.file(instance) for instance in instances]
        boundary = secrets.token_hex(16).encode()
        head = multipart.part_head(boundary, _PART_FIELDS)
        size = multipart.content_length(boundary, [head] * len(contents), [content.size for content in contents])
        headers = {
            "content-type": f'{RELATED}; type="{DICOM}"; boundary={boundary.decode()}',
            "content-length": str(size),
            "accept": DICOM_JSON,
        }

        def body() -> AsyncIterator[bytes]:
            return _multipart(self._retrieve.contents, head, contents, boundary)

        async with self._web.any_answer("POST", "/studies", headers=headers, body=body) as answer:
            if answer.status not in _STORED:
                raise refusal("STOW-RS", answer.status)
            whole = await answer.whole(_LARGEST_STORE_ANSWER)
        return read_store_answer(whole.status, whole.body, instances, size)

    def answer(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> AbstractAsyncContextManager[WebAnswerStream]:
        """Any request, below the server's root."""
        return self._web.answer(method, path, headers=headers, body=body)

    async def delete(self, path: str) -> None:
        """DELETE (PS3.18 allows it to those who offer it)."""
        await self._web.ask("DELETE", path)

    async def retrieve(self, path: str, headers: Mapping[str, str], told: Callable[[Received], None]) -> Received:
        """WADO-RS: what comes is stored here while the rest arrives."""
        accept = f'{RELATED}; type="{DICOM}"' + ("; transfer-syntax=*" if self._server.any_syntax else "")
        origin = Origin("job")
        intake = Intake(self._ingest, origin, None, max_instance_size=self._max_instance_size)
        try:
            async with self._web.answer("GET", path, headers={"accept": accept, **headers}) as answer:
                media_type = _media_type(answer)
                async with aclosing(answer.pieces(_MOST_FETCHED)) as pieces:
                    size = await self._take(pieces, media_type, intake, told)
            return _received(await intake.finish(), size)
        except PeerError:
            await intake.finish()  # what came whole is kept
            raise
        except ServerError as error:
            await intake.finish()
            raise PeerError(f"the answer of the server cannot be read: {error.detail}") from error
        finally:
            await intake.close()

    async def _take(
        self,
        pieces: AsyncIterator[bytes],
        media_type: MediaType,
        intake: Intake,
        told: Callable[[Received], None],
    ) -> int:
        """Hand over the parts of a body as they come; how many bytes it had."""
        size = parts = 0
        reader = multipart.Reader(media_type.parameters.get("boundary", "")) if media_type.name == RELATED else None
        if reader is None:
            intake.begin()
        async for piece in pieces:
            size += len(piece)
            for event in reader.feed(piece) if reader else (multipart.PartData(memoryview(piece)),):
                if isinstance(event, multipart.PartData):
                    await intake.write(event.data)
                elif isinstance(event, multipart.PartBegin):
                    intake.begin()
                elif isinstance(event, multipart.PartEnd):
                    await intake.end()
                    parts += 1
                    told(Received(parts, 0, size))
            if reader and not parts and not intake.is_receiving and size > _MOST_PREAMBLE:
                raise PeerError("the answer of the server begins with what is no part of it")
        if reader is None:
            await intake.end()
        else:
            reader.finish()
        return size


@asynccontextmanager
async def connected(
    server: DicomWebServer,
    options: WebClientOptions,
    retrieve: RetrieveService,
    ingest: IngestService,
    max_instance_size: int,
) -> AsyncGenerator[DicomWebClient, None]:
    """A server that can be asked; its connections are closed at the end."""
    async with WebClient(server.address, options) as web:
        yield DicomWebClient(server, web, retrieve, ingest, max_instance_size)


async def _multipart(
    reader: ContentReader, head: bytes, contents: Sequence[Content], boundary: bytes
) -> AsyncIterator[bytes]:
    items: list[bytes | Content] = []
    for position, content in enumerate(contents):
        items += [(multipart.PART_TAIL if position else b"") + head, content]
    items.append(multipart.PART_TAIL + multipart.closing(boundary))
    async for piece in reader.stream_all(items):
        yield _bytes(piece)


def _bytes(piece: Buffer) -> bytes:
    return piece if isinstance(piece, bytes) else bytes(piece)


def _media_type(answer: WebAnswerStream) -> MediaType:
    """Of an answer with instances; PeerError for any other."""
    text = answer.headers.get("content-type", "")
    media_type = parse_media_type(text) if text else MediaType("")
    part_type = media_type.parameters.get("type", DICOM).lower() if media_type.name == RELATED else media_type.name
    if part_type != DICOM:
        raise PeerError(f"the server answered with {part_type[:60] or 'no Content-Type'}, not with {DICOM}")
    return media_type


def _received(outcomes: Sequence[IngestOutcome], size: int) -> Received:
    stored = sum(outcome.is_success for outcome in outcomes)
    return Received(stored, len(outcomes) - stored, size)
