"""Requests that a browser sends for another site."""

from typing import Any

import pytest

from dicomweb_server.http.service_url import ServiceUrl
from dicomweb_server.server.cross_site import CrossSiteGuard


async def status(method: str, site: str | None, origin: str | None, allowed: list[str], **headers_: str) -> int:
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"sec-fetch-site", site.encode())] if site else []
    headers += [(b"origin", origin.encode())] if origin else []
    headers += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers_.items()]
    kind = "websocket" if headers_ else "http"
    scope = {"type": kind, "method": method, "headers": headers, "scheme": "ws", "client": ("127.0.0.1", 1)}
    await CrossSiteGuard(app, allowed, ServiceUrl("/dicom-web"))(scope, None, send)  # type: ignore[arg-type]
    return int(sent[0]["status"])


@pytest.mark.parametrize(
    ("method", "site", "origin", "allowed", "expected"),
    [
        ("POST", None, None, [], 200),  # no browser
        ("POST", None, "https://evil.example", [], 200),  # an old one: its preflight was refused
        ("POST", "same-origin", "http://localhost:8042", [], 200),
        ("POST", "none", None, [], 200),
        ("POST", "cross-site", "https://evil.example", [], 403),
        ("DELETE", "cross-site", "https://evil.example", ["https://viewer.example"], 403),
        ("POST", "same-site", "http://other.localhost", [], 403),
        ("POST", "cross-site", "https://viewer.example", ["https://viewer.example"], 200),
        ("POST", "cross-site", "https://any.example", ["*"], 200),
        ("GET", "cross-site", "https://evil.example", [], 200),
        ("OPTIONS", "cross-site", "https://evil.example", [], 200),
    ],
)
async def test_foreign_changes_are_refused(
    method: str, site: str | None, origin: str | None, allowed: list[str], expected: int
) -> None:
    assert await status(method, site, origin, allowed) == expected


@pytest.mark.parametrize(
    ("origin", "allowed", "forwarded", "expected"),
    [
        (None, [], "", 200),  # no browser
        ("http://archive.example:8042", [], "", 200),
        ("https://pacs.example", [], "pacs.example", 200),
        ("https://pacs.example", [], "", 403),
        ("http://archive.example", [], "", 403),
        ("null", [], "", 403),
        ("https://viewer.example", ["https://viewer.example"], "", 200),
        ("https://any.example", ["*"], "", 200),
    ],
)
async def test_web_sockets_are_for_pages_of_this_server(
    origin: str | None, allowed: list[str], forwarded: str, expected: int
) -> None:
    more = {"x_forwarded_host": forwarded} if forwarded else {}
    assert await status("GET", None, origin, allowed, host="archive.example:8042", **more) == expected
