"""CORS: pages of configured origins read answers and may ask in advance; others get no mark that lets them."""

from collections.abc import Sequence

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from dicomweb_server.http.cors import Cors
from dicomweb_server.http.responses import Whole

VIEWER, OTHER = "https://viewer.example", "https://evil.example"


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    await Whole(b"body", b"text/plain", headers=[(b"vary", b"Accept")])(scope, receive, send)


async def ask(origins: Sequence[str], method: str = "GET", **headers: str) -> httpx.Response:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=Cors(application, origins))) as client:
        return await client.request(method, "http://h/dicom-web/studies", headers=fields)


async def test_a_configured_origin_may_read() -> None:
    response = await ask([VIEWER], origin=VIEWER)
    assert response.headers["access-control-allow-origin"] == VIEWER
    assert response.headers["access-control-allow-credentials"] == "true"
    exposed = response.headers["access-control-expose-headers"].lower()
    assert all(name in exposed for name in ("content-location", "warning", "etag", "x-total-count", "content-range"))
    assert "Origin" in response.headers["vary"]
    assert "Accept" in response.headers["vary"]


@pytest.mark.parametrize("origin", [None, OTHER, "null", VIEWER + ".evil.example", VIEWER.upper()])
async def test_others_may_not(origin: str | None) -> None:
    response = await ask([VIEWER], **({"origin": origin} if origin else {}))
    assert response.status_code == 200
    assert not [name for name in response.headers if name.startswith("access-control")]
    assert "Origin" in response.headers["vary"]


async def test_every_origin_may_read_without_credentials() -> None:
    response = await ask(["*"], origin=OTHER)
    assert response.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in response.headers


@pytest.mark.parametrize(
    ("requested", "allowed"),
    [
        ("accept,authorization", "accept,authorization"),
        ("Accept, Content-Type, X-Anything", "Accept, Content-Type, X-Anything"),
        ("accept\x01<script>", "accept, authorization"),
        ("", "accept, authorization"),
    ],
)
async def test_a_preflight(requested: str, allowed: str) -> None:
    response = await ask(
        [VIEWER],
        "OPTIONS",
        origin=VIEWER,
        access_control_request_method="GET",
        access_control_request_headers=requested,
    )
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["access-control-allow-headers"].startswith(allowed)
    assert "POST" in response.headers["access-control-allow-methods"]
    assert int(response.headers["access-control-max-age"]) > 0


async def test_a_preflight_of_another_origin() -> None:
    response = await ask([VIEWER], "OPTIONS", origin=OTHER, access_control_request_method="GET")
    assert response.status_code == 400
    assert "access-control-allow-origin" not in response.headers


async def test_options_that_is_no_preflight_passes() -> None:
    assert (await ask([VIEWER], "OPTIONS", origin=VIEWER)).content == b"body"


async def test_what_is_no_request_passes() -> None:
    seen = []

    async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    await Cors(lifespan, [VIEWER])({"type": "lifespan"}, None, None)  # type: ignore[arg-type]
    assert seen == ["lifespan"]
