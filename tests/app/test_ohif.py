"""A build of OHIF beside our own services: what is its, what is ours, and what its pages may do."""

import json
import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest

from dicomweb_server.errors import StartError
from dicomweb_server.settings.passwords import hash_password
from tests.app.test_app_layers import ALICE, client

INLINE = 'window.PUBLIC_URL="/"'
PAGE = f'<!doctype html><script>{INLINE}</script><script src="/app.bundle.0123456789abcdef.js"></script>'
HTML = {"Accept": "text/html,*/*"}


@pytest.fixture
def build(tmp_path: Path) -> Path:
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text(PAGE)
    (folder / "app.bundle.0123456789abcdef.js").write_text("run();")
    (folder / "app-config.js").write_text("window.config = null;")
    (folder / "assets" / "icon.png").write_bytes(b"picture")
    (tmp_path / "secret.txt").write_text("secret")
    return folder


@pytest.mark.parametrize("path", ["/viewer?StudyInstanceUIDs=1.2.3", "/viewer/", "/segmentation"])
async def test_what_the_viewer_shows_is_one_page(tmp_path: Path, build: Path, path: str) -> None:
    async with client(tmp_path, ohif=build) as (asking, _):
        answer = await asking.get(path, headers=HTML)
        assert (answer.status_code, answer.text, answer.headers["cache-control"]) == (200, PAGE, "no-cache")
        assert answer.headers["content-type"].startswith("text/html")
        policy = answer.headers["content-security-policy"]
        assert f"'sha256-{b64encode(sha256(INLINE.encode()).digest()).decode()}'" in policy
        assert "frame-ancestors 'self'" in policy
        assert "script-src 'self' 'wasm-unsafe-eval' 'unsafe-eval' blob: 'sha256-" in policy


async def test_its_files_and_what_is_not_one(tmp_path: Path, build: Path) -> None:
    async with client(tmp_path, ohif=build) as (asking, _):
        bundle = await asking.get("/app.bundle.0123456789abcdef.js")
        assert (bundle.text, "immutable" in bundle.headers["cache-control"]) == ("run();", True)
        icon = await asking.get("/assets/icon.png")
        assert (icon.content, icon.headers["cache-control"]) == (b"picture", "no-cache")
        for path in ("/nothing.js", "/..%2Fsecret.txt", "/%2e%2e/secret.txt", "/a%00.js"):
            assert (await asking.get(path, headers=HTML)).status_code == 404
        assert (await asking.get("/nothing", headers={"Accept": "application/json"})).status_code == 404
        assert (await asking.post("/viewer", headers=HTML)).status_code == 405


async def test_it_is_configured_for_this_server(tmp_path: Path, build: Path) -> None:
    async with client(tmp_path, ohif=build, dicomweb_root="/pacs/web", wado_uri_root="/wado") as (asking, _):
        answer = await asking.get("/app-config.js")
        assert answer.headers["content-type"].startswith("text/javascript")
        match = re.fullmatch(r"window\.config = (.*);\n", answer.text, re.DOTALL)
        assert match is not None
        config = json.loads(match[1])
        source = config["dataSources"][0]
        assert source["sourceName"] == config["defaultDataSourceName"]
        assert [source["configuration"][name] for name in ("qidoRoot", "wadoRoot", "wadoUriRoot")] == [
            "/pacs/web",
            "/pacs/web",
            "/wado",
        ]


async def test_our_own_routes_come_first(tmp_path: Path, build: Path) -> None:
    for name in ("system", "studies", "healthz"):
        (build / name).write_text("not ours")
    async with client(tmp_path, ohif=build) as (asking, _):
        for path in ("/system", "/studies", "/healthz"):
            assert "not ours" not in (await asking.get(path)).text
        assert (await asking.get("/", headers=HTML)).headers["location"] == "ui/"
        assert "../viewer?StudyInstanceUIDs={study}" in (await asking.get("/ui/")).text
    async with client(tmp_path, ohif=build, ui=False) as (asking, _):
        assert (await asking.get("/", headers=HTML)).text == PAGE


async def test_users_are_asked_for_it_too(tmp_path: Path, build: Path) -> None:
    async with client(tmp_path, ohif=build, users={"alice": hash_password("secret")}) as (asking, _):
        assert (await asking.get("/viewer", headers=HTML)).status_code == 401
        assert (await asking.get("/viewer", headers=HTML, auth=ALICE)).text == PAGE


async def test_without_a_build(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"no index\.html"):
        async with client(tmp_path, ohif=tmp_path):
            pass
    async with client(tmp_path) as (asking, _):
        assert (await asking.get("/viewer", headers=HTML)).status_code == 404
        assert '<meta name="viewers" content="{}">' in (await asking.get("/ui/")).text
