"""Requests that a browser sends for another site."""

from typing import Any

import pytest

from dicomweb_server.server.cross_site import CrossSiteGuard


async def status(method: str, site: str | None, origin: str | None, allowed: list[str]) -> int:
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"sec-fetch-site", site.encode())] if site else []
    headers += [(b"origin", origin.encode())] if origin else []
    scope = {"type": "http", "method": method, "headers": headers}
    await CrossSiteGuard(app, allowed)(scope, None, send)  # type: ignore[arg-type]
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
