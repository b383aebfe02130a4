"""The whole application in process: what surrounds every answer, and in which order."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from openapi_spec_validator import validate

from dicomweb_server.app import Application, create_app
from dicomweb_server.dicomweb.resources import OPERATIONS
from dicomweb_server.errors import Reason, ServerError, StartError
from dicomweb_server.settings import Settings
from dicomweb_server.settings.passwords import hash_password
from tests.tokens import AUDIENCE, ISSUER, token, write_keys

VIEWER = "https://viewer.example"
PREFLIGHT = {"Origin": VIEWER, "Access-Control-Request-Method": "GET"}
ALICE = ("alice", "secret")
FOREIGN = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site", "Content-Type": "text/plain"}


@asynccontextmanager
async def client(tmp_path: Path, **options: Any) -> AsyncIterator[tuple[httpx.AsyncClient, Application]]:
    app = create_app(Settings(data=tmp_path / "data", dimse=False, sync="off", **options))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://server.example") as asking:
            yield asking, app


@pytest.mark.parametrize("path", ["/", "/ui/", "/healthz", "/metrics", "/docs", "/openapi.json", "/dicom-web/studies",
                                  "/dicom-web/nothing", "/nothing"])  # fmt: skip
async def test_every_answer_is_dressed_for_browsers(tmp_path: Path, path: str) -> None:
    async with client(tmp_path) as (asking, _):
        headers = (await asking.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "frame-ancestors" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-request-id"]


@pytest.mark.parametrize("path", ["/nothing", "/ui/nothing", "/dicom-web/nothing"])
async def test_unknown_path_is_a_problem(tmp_path: Path, path: str) -> None:
    async with client(tmp_path) as (asking, _):
        answer = await asking.get(path)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


async def test_preflight_needs_no_user_but_the_request_does(tmp_path: Path) -> None:
    users = {"alice": hash_password("secret")}
    async with client(tmp_path, users=users, cors_origins=(VIEWER,)) as (asking, _):
        preflight = await asking.options("/dicom-web/studies", headers=PREFLIGHT)
        assert preflight.status_code == 204
        assert preflight.headers["access-control-allow-origin"] == VIEWER
        refused = await asking.get("/dicom-web/studies", headers={"Origin": VIEWER})
        assert refused.status_code == 401
        assert refused.headers["access-control-allow-origin"] == VIEWER
        answer = await asking.get("/dicom-web/studies", headers={"Origin": VIEWER}, auth=ALICE)
        assert answer.json() == []


async def test_tokens_instead_of_passwords(tmp_path: Path) -> None:
    keys = {"token_keys": write_keys(tmp_path), "token_issuer": ISSUER, "token_audience": AUDIENCE}
    async with client(tmp_path, **keys) as (asking, _):
        for authorization, status in ((f"Bearer {token()}", 200), (f"Bearer {token(exp=1)}", 401), ("Basic eDp5", 401)):
            answer = await asking.get("/dicom-web/studies", headers={"Authorization": authorization})
            assert answer.status_code == status
            assert answer.headers.get("www-authenticate", "Bearer").startswith("Bearer")


@pytest.mark.parametrize("keys", [b"", b"no keys"])
def test_keys_of_tokens_that_cannot_be_used(tmp_path: Path, keys: bytes) -> None:
    path = tmp_path / "keys"
    if keys:
        path.write_bytes(keys)
    with pytest.raises(StartError, match="Cannot use token_keys"):
        create_app(Settings(data=tmp_path, token_keys=path, token_issuer=ISSUER, token_audience=AUDIENCE))


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH", "TRACE", "X"])
async def test_no_method_passes_without_a_user(tmp_path: Path, method: str) -> None:
    async with client(tmp_path, users={"alice": hash_password("secret")}) as (asking, _):
        for path in ("/dicom-web/studies", "/dicom-web/studies/1.2", "/metrics", "/ui/static/explorer.js"):
            assert (await asking.request(method, path)).status_code == 401


async def test_no_resource_passes_without_a_user_nor_changes_for_another_site(tmp_path: Path) -> None:
    async with client(tmp_path, users={"alice": hash_password("secret")}) as (asking, _):
        for operation in OPERATIONS:
            path = "/dicom-web" + re.sub(r"\{\w+(:path)?\}", "1.2", operation.path)
            assert (await asking.request(operation.method, path)).status_code == 401, operation.path
            if operation.method not in ("GET", "OPTIONS"):
                elsewhere = await asking.request(operation.method, path, headers=FOREIGN, auth=ALICE)
                assert elsewhere.status_code == 403, operation.path


async def test_page_of_another_site_cannot_store_or_delete(tmp_path: Path) -> None:
    async with client(tmp_path) as (asking, _):
        for method in ("POST", "DELETE"):
            assert (await asking.request(method, "/dicom-web/studies/1.2", headers=FOREIGN)).status_code == 403


async def test_metrics_show_what_is_stored(tmp_path: Path) -> None:
    async with client(tmp_path) as (asking, _):
        text = (await asking.get("/metrics")).text
        assert "dicomweb_stored_instances 0.0" in text
        assert "dicomweb_jobs_failure 0.0" in text
        assert (
            'dicomweb_requests_total{method="GET",route="/metrics",status="200"} 1.0'
            in (await asking.get("/metrics")).text
        )


async def test_health_says_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with client(tmp_path) as (asking, app):
        assert (await asking.get("/healthz")).json() == {"status": "ok", "checks": {"index": "ok", "storage": "ok"}}
        damage = ServerError(Reason.STORAGE_DAMAGED, "a sync failed")
        store = app.holder._store
        assert store is not None
        monkeypatch.setattr(type(store.store), "damage", property(lambda _self: damage))
        answer = await asking.get("/healthz")
        assert answer.status_code == 503
        assert answer.json() == {"status": "unhealthy", "checks": {"index": "ok", "storage": "a sync failed"}}
        assert (await asking.get("/healthz/live")).status_code == 200


async def test_what_is_switched_off_is_gone(tmp_path: Path) -> None:
    async with client(tmp_path, ui=False, docs=False, metrics=False) as (asking, _):
        for path in ("/", "/ui/", "/docs", "/metrics"):
            assert (await asking.get(path)).status_code == 404, path


async def test_request_while_the_store_is_closed_is_told_so(tmp_path: Path) -> None:
    app = create_app(Settings(data=tmp_path / "data", dimse=False))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://a") as asking:
        answer = await asking.get("/dicom-web/studies")
        assert (answer.status_code, answer.json()["reason"]) == (503, "BUSY")
        assert (await asking.get("/healthz")).status_code == 503


async def test_defect_outside_of_dicomweb_is_a_problem_without_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken() -> dict[str, float]:
        raise RuntimeError("SECRET value")

    async with client(tmp_path) as (_, app):
        monkeypatch.setattr(app.holder, "gauges", broken)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://a") as asking:
            answer = await asking.get("/metrics")
        assert (answer.status_code, answer.json()["reason"]) == (500, "INTERNAL")
        assert "SECRET" not in answer.text


async def test_description_is_valid_and_its_page_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    async with client(tmp_path) as (asking, _):
        description = (await asking.get("/openapi.json")).json()
        validate(description)
        page = (await asking.get("/docs")).text
        assert "<script" not in page
        assert not re.findall(r"(?:src|href)=\"(?!openapi\.json)", page)
        for path in description["paths"]:
            assert path.replace("&", "&amp;") in page
