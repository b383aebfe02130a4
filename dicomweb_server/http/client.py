"""Requests to other web servers: credentials, deadlines, bounded answers, errors without what was sent or answered."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from dicomweb_server.certificates import checking_context
from dicomweb_server.later import Later
from dicomweb_server.services.peers import PeerAwayError, PeerError, WebAddress

if TYPE_CHECKING:
    import httpx
else:
    httpx = Later("httpx")

# These log every request with its query, and that may name a patient.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)

MOST_REDIRECTS = 5
SMALL_ANSWER = 64 << 20
_LATER = frozenset({408, 425, 429, 500, 502, 503, 504})
_TRIES = 2
# After the time of grace, what comes slower than this many bytes per second is not worth waiting for.
_LEAST_RATE = 256

Body = bytes | Callable[[], AsyncIterator[bytes]]
"""What is sent: bytes, or what gives them in pieces, as often as it is asked."""


@dataclass(frozen=True, slots=True)
class WebClientOptions:
    """For all requests. `ca`: who may have signed the certificates of servers, None for the system's."""

    timeout: float = 60.0
    verify: bool = True
    ca: Path | None = None
    proxy: str = ""


@dataclass(frozen=True, slots=True)
class WebAnswer:
    """A whole answer. Its header fields have lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class WebAnswerStream:
    """An answer whose body is still to come."""

    def __init__(self, response: httpx.Response, where: str, timeout: float) -> None:
        self.status = response.status_code
        self.headers = {name.lower(): value for name, value in response.headers.items()}
        self._response = response
        self._where = where
        self._timeout = timeout

    async def pieces(self, limit: int) -> AsyncGenerator[bytes, None]:
        """The body, `limit` bytes of it at most; PeerError if it has more, is compressed, or does not come."""
        coding = self.headers.get("content-encoding", "identity").strip().lower()
        if coding != "identity":
            raise PeerError(f"{self._where} answered with Content-Encoding {coding[:40]!r}, which was not asked for")
        clock, size = asyncio.get_running_loop().time, 0
        started = clock()
        try:
            async for piece in self._response.aiter_raw():
                size += len(piece)
                if size > limit:
                    raise PeerError(f"{self._where} answered with more than {limit} bytes")
                beyond = clock() - started - self._timeout
                if beyond > 0 and size < beyond * _LEAST_RATE:
                    raise PeerAwayError(f"{self._where}: the answer comes too slowly")
                yield piece
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise _failure(self._where, error) from error

    async def whole(self, limit: int) -> WebAnswer:
        """The answer with its body."""
        return WebAnswer(self.status, self.headers, b"".join([piece async for piece in self.pieces(limit)]))


class WebClient:
    """One remote; connections stay open between its requests. Use as an asynchronous context manager."""

    def __init__(self, address: WebAddress, options: WebClientOptions) -> None:
        self._address = address
        self._options = options
        self._timeout = address.timeout or options.timeout
        self._client: httpx.AsyncClient | None = None

    async def __aenter__(self) -> WebClient:
        address, options = self._address, self._options
        verify = await asyncio.to_thread(_tls, address, options) if address.url.startswith("https:") else False
        try:
            self._client = httpx.AsyncClient(
                auth=(address.username, address.password) if address.username else None,
                headers={"accept-encoding": "identity"} | dict(address.headers),
                verify=verify,
                timeout=self._timeout,
                proxy=options.proxy or None,
                trust_env=False,
                follow_redirects=False,
            )
        except (ValueError, httpx.InvalidURL) as error:
            raise PeerError(f"the configuration of {address.url} cannot be used: {type(error).__name__}") from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._client is not None
        await self._client.aclose()

    async def ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Body = b"",
        limit: int = SMALL_ANSWER,
    ) -> WebAnswer:
        """A request with a small answer; PeerError unless the answer is a success."""
        async with self.answer(method, path, headers=headers, body=body) as answer:
            return await answer.whole(limit)

    @asynccontextmanager
    async def answer(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: Body = b""
    ) -> AsyncGenerator[WebAnswerStream, None]:
        """A request; PeerError unless the answer is a success. `path`: below the address, with its query."""
        async with self.any_answer(method, path, headers=headers, body=body) as answer:
            if not 200 <= answer.status < 300:
                raise refusal(f"{method} {_where(self._address.url)}", answer.status)
            yield answer

    @asynccontextmanager
    async def any_answer(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: Body = b""
    ) -> AsyncGenerator[WebAnswerStream, None]:
        """A request; whatever its answer. Redirects are followed on the same server only, and not for ever."""
        assert self._client is not None
        where = f"{method} {_where(self._address.url)}"
        try:
            url = httpx.URL(below(self._address.url, path))
            response = await self._sent_twice(method, url, headers or {}, body, where)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, ssl.SSLError, OSError, ValueError) as error:
            raise _failure(where, error) from error
        try:
            yield WebAnswerStream(response, where, self._timeout)
        finally:
            await response.aclose()

    async def _sent_twice(
        self, method: str, url: httpx.URL, headers: Mapping[str, str], body: Body, where: str
    ) -> httpx.Response:
        """A connection that was kept may be gone: what comes to the same end when it is repeated is sent again."""
        tries = 1 if method == "DELETE" else _TRIES
        while True:
            try:
                return await self._sent(method, url, headers, body, where)
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                tries -= 1
                if not tries:
                    raise

    async def _sent(
        self, method: str, url: httpx.URL, headers: Mapping[str, str], body: Body, where: str
    ) -> httpx.Response:
        assert self._client is not None
        for _ in range(MOST_REDIRECTS + 1):
            content = body() if callable(body) else body
            request = self._client.build_request(method, url, headers=dict(headers), content=content or None)
            response = await self._client.send(request, stream=True)
            target = _redirected(response, method)
            if target is None:
                return response
            await response.aclose()
            if (target.host, target.port, target.scheme) != (url.host, url.port, url.scheme):
                raise PeerError(f"{where} answered with a redirection to another server, which is not followed")
            url = target
        raise PeerError(f"{where} answered with more than {MOST_REDIRECTS} redirections")


def below(root: str, path: str) -> str:
    """The URL of what is below a root; PeerError for a path that leads out of it."""
    if not is_below(path):
        raise PeerError("a path below the server's address is expected, without '..' and without a server")
    return root.rstrip("/") + "/" + path.lstrip("/") if path.strip("/") else root


def is_below(path: str) -> bool:
    """Whether a path, which may have a query, stays below the root that it is put to."""
    bare = path.split("?", 1)[0].replace("%2e", ".").replace("%2E", ".")
    return "://" not in bare and "\\" not in bare and not any(part in (".", "..") for part in bare.split("/"))


def with_arguments(path: str, arguments: Mapping[str, str]) -> str:
    """A path with query parameters."""
    if not arguments:
        return path
    return f"{path}{'&' if '?' in path else '?'}{urlencode(arguments, quote_via=quote)}"


def refusal(what: str, status: int) -> PeerError:
    """The error that an HTTP status stands for."""
    kind = PeerAwayError if status in _LATER else PeerError
    return kind(f"{what} was answered with status {status}", status)


def _redirected(response: httpx.Response, method: str) -> httpx.URL | None:
    """Where to ask instead. What is sent is sent again only where the status says that the method stays."""
    again = (301, 302, 303, 307, 308) if method in ("GET", "HEAD") else (307, 308)
    location = response.headers.get("location")
    return response.url.join(location) if response.status_code in again and location else None


def _tls(address: WebAddress, options: WebClientOptions) -> ssl.SSLContext:
    try:
        context = checking_context(ssl.Purpose.SERVER_AUTH, options.ca)
        if not options.verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if address.certificate:
            context.load_cert_chain(address.certificate, address.key or None, address.key_password)
    except (OSError, ssl.SSLError) as error:
        raise PeerError(f"{_where(address.url)}: a certificate or key cannot be read: {type(error).__name__}") from None
    return context


def _where(url: str) -> str:
    """The server and the root of its service, without user, password and query."""
    parsed = httpx.URL(url)
    return f"{parsed.scheme}://{parsed.netloc.decode('ascii', 'replace')}{parsed.path}"


def _failure(where: str, error: Exception) -> PeerError:
    if isinstance(error, httpx.TimeoutException):
        return PeerAwayError(f"{where}: no answer in time")
    if isinstance(error, httpx.ConnectError):
        cause = error.__cause__
        while cause is not None and not isinstance(cause, ssl.SSLError | OSError):
            cause = cause.__cause__ or cause.__context__
        if isinstance(cause, ssl.SSLCertVerificationError):
            return PeerError(f"{where}: the certificate of the server is not trusted: {cause.verify_message}")
        detail = getattr(cause, "strerror", None) or "no connection"
        return PeerAwayError(f"{where}: {detail}")
    if isinstance(error, httpx.UnsupportedProtocol | httpx.LocalProtocolError | httpx.InvalidURL | ValueError):
        return PeerError(f"{where}: the address or a header field cannot be used")
    return PeerAwayError(f"{where}: {type(error).__name__}")
