"""A small HTTP/1.1 client for measuring: keeps connections open, parses just enough, costs little itself."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


class Connection:
    """One kept connection."""

    def __init__(self, root: str) -> None:
        parts = urlsplit(root)
        self._host, self._port, self._prefix = parts.hostname or "127.0.0.1", parts.port or 80, parts.path
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> Self:
        self._streams = await asyncio.open_connection(self._host, self._port, limit=2**24)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._streams is not None
        self._streams[1].close()

    async def ask(self, method: str, path: str, headers: Iterable[tuple[str, str]] = (), body: bytes = b"") -> bytes:
        """The body of a successful answer."""
        assert self._streams is not None
        reader, writer = self._streams
        lines = [f"{method} {self._prefix}{path} HTTP/1.1", f"Host: {self._host}:{self._port}"]
        lines += [f"{name}: {value}" for name, value in headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        status = int(head[9:12])
        if b"transfer-encoding: chunked" in head:
            answer = b"".join([chunk async for chunk in _chunks(reader)])
        elif b"content-length:" in head:
            answer = await reader.readexactly(int(head.partition(b"content-length:")[2].partition(b"\r\n")[0]))
        else:  # until the server closes: the next request needs another connection
            answer = await reader.read()
            writer.close()
            await self.__aenter__()
        if status not in (200, 202):
            raise RuntimeError(f"{method} {path}: {status} {answer[:300]!r}")
        return answer


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        yield await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)


def multipart(instances: Iterable[bytes]) -> tuple[str, bytes]:
    """Content type and body of a store request."""
    pieces = [b"--edge\r\nContent-Type: application/dicom\r\n\r\n" + instance + b"\r\n" for instance in instances]
    return 'multipart/related; type="application/dicom"; boundary=edge', b"".join([*pieces, b"--edge--\r\n"])


def grouped(instances: list[bytes], size: int) -> Iterator[list[bytes]]:
    """Groups of a size."""
    for start in range(0, len(instances), size):
        yield instances[start : start + size]
