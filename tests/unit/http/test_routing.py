"""A service finds its resources, and answers for itself what it has not."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Router

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.body import DisconnectedError
from dicomweb_server.http.description import Description
from dicomweb_server.http.responses import Pieces, Whole
from dicomweb_server.http.routing import Operation, Service

DESCRIPTION = Description("name", "summary", "tag", {200: "well"})


def endpoint(name: str) -> Callable[[Request, str], Awaitable[Response]]:
    async def answer(request: Request, context: str) -> Response:
        named = ",".join(f"{key}={value}" for key, value in sorted(request.path_params.items()))
        return Whole(f"{name}({named}) {context} {request.scope['route'].path}".encode(), b"text/plain")

    return answer


async def refusing(request: Request, context: str) -> Response:
    raise ServerError(Reason.NOT_ACCEPTABLE, "not so")


async def failing(request: Request, context: str) -> Response:
    name = "Doe^Jane"
    raise RuntimeError(name)


async def gone(request: Request, context: str) -> Response:
    raise DisconnectedError


async def breaking(request: Request, context: str) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"half"
        raise RuntimeError("broken")

    return Pieces(pieces(), b"text/plain")


SERVICE = Service(
    "/root/",
    [
        Operation(method, path, function, DESCRIPTION)
        for method, path, function in (
            ("GET", "/things", endpoint("list")),
            ("POST", "/things", endpoint("make")),
            ("GET", "/things/{thing}", endpoint("get")),
            ("GET", "/things/{thing}/parts", endpoint("parts")),
            ("GET", "/things/{thing}/parts/{path:path}", endpoint("part")),
            ("GET", "/things/special", endpoint("special")),
            ("OPTIONS", "/", endpoint("describe")),
            ("GET", "/refusing", refusing),
            ("GET", "/failing", failing),
            ("GET", "/gone", gone),
            ("GET", "/breaking", breaking),
        )
    ],
    lambda: "context",
)


async def ask(method: str, path: str, app: object = SERVICE) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app)) as client:  # type: ignore[arg-type]
        return await client.request(method, "http://h" + path)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/root/things", "list() context /root/things"),
        ("GET", "/root/things/", "list() context /root/things"),
        ("POST", "/root/things", "make() context /root/things"),
        ("GET", "/root/things/7", "get(thing=7) context /root/things/{thing}"),
        ("GET", "/root/things/a%20b", "get(thing=a b) context /root/things/{thing}"),
        ("GET", "/root/things/special", "special() context /root/things/special"),
        ("GET", "/root/things/7/parts", "parts(thing=7) context /root/things/{thing}/parts"),
        (
            "GET",
            "/root/things/7/parts/a/1/b",
            "part(path=a/1/b,thing=7) context /root/things/{thing}/parts/{path:path}",
        ),
        ("OPTIONS", "/root/", "describe() context /root/"),
        ("OPTIONS", "/root", "describe() context /root/"),
    ],
)
async def test_finds_resources(method: str, path: str, expected: str) -> None:
    assert (await ask(method, path)).text == expected


@pytest.mark.parametrize(
    "path",
    [
        "/root/",
        "/root/other",
        "/root/things//parts",
        "/root/things/7/other",
        "/root/things/7/parts//x",
        "/rootthings",
        "/",
    ],
)
async def test_knows_no_others(path: str) -> None:
    response = await ask("GET", path)
    assert response.status_code in (404, 405)
    assert response.headers["content-type"] == "application/problem+json"


async def test_head_is_get_without_a_body() -> None:
    response = await ask("HEAD", "/root/things")
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-length"] == str(len("list() context /root/things"))


async def test_other_methods_are_told_what_is_allowed() -> None:
    response = await ask("PUT", "/root/things")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD, OPTIONS, POST")
    assert response.json()["reason"] == "METHOD_NOT_ALLOWED"
    options = await ask("OPTIONS", "/root/things/7")
    assert (options.status_code, options.headers["allow"]) == (204, "GET, HEAD, OPTIONS")


async def test_errors_are_answered(caplog: pytest.LogCaptureFixture) -> None:
    refused = await ask("GET", "/root/refusing")
    assert (refused.status_code, refused.json()["detail"]) == (406, "not so")
    assert caplog.records == []
    failed = await ask("GET", "/root/failing")
    assert (failed.status_code, failed.json()["reason"]) == (500, "INTERNAL")
    assert "Doe" not in failed.text
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "Doe" not in caplog.text
    assert "failing" in caplog.text


async def test_a_client_that_went_away_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    sent: list[object] = []

    async def send(message: object) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/root/gone", "headers": [], "query_string": b""}
    await SERVICE(scope, None, send)  # type: ignore[arg-type]
    assert sent == []
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


async def test_an_answer_that_breaks_off_stays_incomplete(caplog: pytest.LogCaptureFixture) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        await asyncio.sleep(60)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/root/breaking", "headers": [], "query_string": b""}
    await SERVICE(scope, receive, send)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert sent[-1]["more_body"]
    assert len(caplog.records) == 1


async def test_is_a_route_of_an_application() -> None:
    router = Router([SERVICE])
    assert (await ask("GET", "/root/things", router)).text.startswith("list()")
    assert (await ask("GET", "/elsewhere", router)).status_code == 404
    mounted = Router([Mount("/below", routes=[SERVICE])])
    assert (await ask("GET", "/below/root/things", mounted)).text.startswith("list()")
