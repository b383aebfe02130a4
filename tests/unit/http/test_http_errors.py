"""Every reason has a status, and every error a problem body without a traceback."""

from collections.abc import AsyncIterator
from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI, HTTPException, Query

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.errors import STATUS, problem
from dicomweb_server.http.framework_errors import install


def test_the_table_is_total() -> None:
    assert set(STATUS) == set(Reason)
    assert all(400 <= status < 600 for status in STATUS.values())


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    install(app)

    @app.get("/server-error/{name}")
    async def server_error(name: str) -> None:
        raise ServerError(Reason[name], "what was wrong")

    @app.get("/http-error/{status}")
    async def http_error(status: int) -> None:
        raise HTTPException(status, "what was wrong", headers={"X-More": "yes"})

    @app.get("/defect")
    async def defect() -> None:
        raise RuntimeError("Doe^Jane")

    @app.get("/number")
    async def number(n: Annotated[int, Query(le=10)]) -> int:
        return n

    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://h") as opened:
        yield opened


def check(response: httpx.Response, status: int, reason: Reason) -> str:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert (body["status"], body["reason"], body["type"]) == (status, reason.name, "about:blank")
    assert body["title"]
    return str(body["detail"])


@pytest.mark.parametrize("reason", list(Reason))
async def test_a_server_error_has_its_status(client: httpx.AsyncClient, reason: Reason) -> None:
    response = await client.get(f"/server-error/{reason.name}")
    assert check(response, STATUS[reason], reason) == "what was wrong"
    assert ("retry-after" in response.headers) == (response.status_code == 503)


@pytest.mark.parametrize(
    ("status", "reason"),
    [(404, Reason.NOT_FOUND), (413, Reason.TOO_LARGE), (418, Reason.BAD_REQUEST), (400, Reason.BAD_REQUEST),
     (503, Reason.BUSY), (500, Reason.INTERNAL), (502, Reason.PEER_FAILED), (504, Reason.INTERNAL)],
)  # fmt: skip
async def test_errors_of_the_framework(client: httpx.AsyncClient, status: int, reason: Reason) -> None:
    response = await client.get(f"/http-error/{status}")
    check(response, status, reason)
    assert response.headers["x-more"] == "yes"


async def test_an_error_that_has_no_body(client: httpx.AsyncClient) -> None:
    response = await client.get("/http-error/304")
    assert (response.status_code, response.content) == (304, b"")


async def test_errors_of_the_router(client: httpx.AsyncClient) -> None:
    check(await client.get("/nowhere"), 404, Reason.NOT_FOUND)
    response = await client.post("/number")
    check(response, 405, Reason.METHOD_NOT_ALLOWED)
    assert response.headers["allow"] == "GET"


async def test_invalid_parameters_are_named_but_not_repeated(client: httpx.AsyncClient) -> None:
    detail = check(await client.get("/number?n=Doe^Jane"), 400, Reason.BAD_REQUEST)
    assert "query.n" in detail
    assert "Doe" not in detail


async def test_a_defect_says_nothing(client: httpx.AsyncClient) -> None:
    response = await client.get("/defect")
    assert check(response, 500, Reason.INTERNAL) == Reason.INTERNAL.value
    assert "Doe" not in response.text


def test_a_problem_without_detail_says_the_reason() -> None:
    assert Reason.NOT_FOUND.value.encode() in problem(Reason.NOT_FOUND).body
