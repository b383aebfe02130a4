"""A server with users: nothing but the health checks is told to strangers, whatever way they ask."""

import base64
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from conformance.raw_http import exchange
from conformance.requirement import requires
from conformance.samples import make, sample
from conformance.server import Server

PASSWORD = "correct horse: bättery"
OPENAPI = Path(__file__).resolve().parents[2] / "openapi" / "openapi.json"
PUBLIC = ("/healthz", "/healthz/live")
STUDY = sample(make(PatientName="Secret^Name"))


def operations() -> list[tuple[str, str]]:
    """(method, path) of everything that is described, with something in place of variables."""
    paths = json.loads(OPENAPI.read_text(encoding="utf-8"))["paths"]
    known = {
        "study": STUDY.study,
        "series": STUDY.series,
        "instance": STUDY.instance,
        "frames": "1",
        "path": "00100010",
    }
    return [
        (method.upper(), re.sub(r"\{(\w+)\}", lambda found: known.get(found[1], "1"), path))
        for path, methods in paths.items()
        for method in methods
        if path not in PUBLIC
    ]


def start(request: pytest.FixtureRequest, folder: Path) -> Server:
    if request.config.getoption("--root") or request.config.getoption("--orthanc"):
        pytest.skip("only a server of our own can be given users")
    command = [sys.executable, "-m", "dicomweb_server", "hash-password"]
    hashed = subprocess.run(command, input=PASSWORD + "\n", capture_output=True, text=True, check=True).stdout.strip()
    return Server(folder, environment={"DICOMWEB_SERVER_USERS": f"anna:{hashed}"})


@pytest.fixture(scope="module")
def guarded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of the guarded server, with a study in it."""
    own = start(request, tmp_path_factory.mktemp("guarded"))
    address = own.root.removesuffix("/dicom-web")
    headers = {"Authorization": authorization("anna", PASSWORD), "Content-Type": "application/dicom"}
    stored = httpx.post(f"{own.root}/studies", content=STUDY.data, headers=headers, trust_env=False, timeout=60)
    assert stored.status_code == 200
    yield address
    own.stop()


def authorization(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def ask(address: str, method: str, path: str, **headers: str) -> httpx.Response:
    return httpx.request(method, address + path, headers=headers, trust_env=False, timeout=60)


@requires("Hostile input: access", "B")
@pytest.mark.parametrize(("method", "path"), operations(), ids=lambda text: re.sub(r"[0-9.]{20,}", "uid", text))
def test_strangers_are_told_nothing(guarded: str, method: str, path: str) -> None:
    response = ask(guarded, method, path)
    assert (response.status_code, "basic" in response.headers.get("www-authenticate", "").lower()) == (401, True)


@requires("Hostile input: access", "B")
@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PATCH", "TRACE", "PROPFIND", "X"])
def test_other_methods_are_no_way_in(guarded: str, method: str) -> None:
    assert ask(guarded, method, "/dicom-web/studies").status_code in (400, 401, 405, 501)


@requires("Hostile input: access", "B")
@pytest.mark.parametrize("path", ["/", "/ui/", "/docs", "/openapi.json", "/metrics", "/no-such-path", "/dicom-web"])
def test_other_pages_are_no_way_in(guarded: str, path: str) -> None:
    assert ask(guarded, "GET", path).status_code in (401, 404)


TRICKS = [
    "//dicom-web/studies",
    "/dicom-web//studies",
    "/dicom-web/./studies",
    "/healthz/../dicom-web/studies",
    "/healthz/live/../../dicom-web/studies",
    "/healthz/%2e%2e/dicom-web/studies",
    "/healthz%2f..%2fdicom-web/studies",
    "/dicom-web/%73tudies",
    "/DICOM-WEB/studies",
    "/healthz;/../dicom-web/studies",
    "/healthz?/dicom-web/studies",
    "/healthz#/dicom-web/studies",
    "http://x/healthz/../dicom-web/studies",
]


@requires("Hostile input: access", "B")
@pytest.mark.parametrize("target", TRICKS)
@pytest.mark.parametrize("host", ["127.0.0.1", "x/healthz", "x/healthz?"])
def test_odd_targets_and_hosts_are_no_way_in(guarded: str, target: str, host: str) -> None:
    text = f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    answer = exchange(guarded, [text.encode()])
    public = target.startswith(("/healthz?", "/healthz#")) and answer.status == 200
    assert answer.status in (0, 400, 401, 404) or public


@requires("Hostile input: access", "B")
def test_a_public_page_tells_nothing_of_patients(guarded: str) -> None:
    assert "Secret" not in ask(guarded, "GET", "/healthz").text


@requires("Hostile input: access", "B")
def test_the_right_password_is_let_in(guarded: str) -> None:
    headers = {"Authorization": authorization("anna", PASSWORD)}
    assert ask(guarded, "GET", "/dicom-web/studies", **headers).status_code == 200


BROKEN = {
    "another user": authorization("bert", PASSWORD),
    "another password": authorization("anna", "wrong"),
    "no password": authorization("anna", ""),
    "no colon": "Basic " + base64.b64encode(b"anna").decode(),
    "nothing": "Basic",
    "no base64": "Basic !!!",
    "no text": "Basic " + base64.b64encode(b"\xff\xfe:\x00").decode(),
    "another scheme": "Bearer " + "x" * 200,
    "very long": "Basic " + "QUFB" * 2000,
    "a user that is empty": authorization("", ""),
}


@requires("Hostile input: access", "B")
@pytest.mark.parametrize("name", list(BROKEN))
def test_wrong_credentials_are_refused(guarded: str, name: str) -> None:
    assert ask(guarded, "GET", "/dicom-web/studies", Authorization=BROKEN[name]).status_code in (401, 429)


@requires("Hostile input: access", "B")
def test_guessing_is_slowed_down(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    own = start(request, tmp_path)
    try:
        statuses = [
            ask(own.root, "GET", "/studies", Authorization=authorization("anna", str(guess))).status_code
            for guess in range(40)
        ]
    finally:
        own.stop()
    assert set(statuses) == {401, 429}


@requires("Hostile input: access", "B")
def test_no_password_reaches_the_log(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    own = start(request, tmp_path)
    try:
        secret = authorization("anna", "Zzyzxsecret")
        ask(own.root, "GET", "/studies", Authorization=secret)
    finally:
        own.stop()
    assert "Zzyzxsecret" not in own.output()
    assert secret.split()[1] not in own.output()


@requires("Hostile input: access", "B")
def test_a_server_without_users_refuses_to_serve_others(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--root") or request.config.getoption("--orthanc"):
        pytest.skip("only our own command is started so")
    command = [sys.executable, "-m", "dicomweb_server", "serve", "--data", str(tmp_path), "--host", "0.0.0.0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert (done.returncode != 0, "Traceback" in done.stderr) == (True, False)


@requires("Hostile input: access", "B")
@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("content_type", ["text/plain", "multipart/form-data; boundary=b", "application/dicom"])
def test_a_page_of_another_site_cannot_store(guarded: str, site: str, content_type: str) -> None:
    headers = {"Sec-Fetch-Site": site, "Origin": "http://evil.example", "Content-Type": content_type}
    headers["Authorization"] = authorization("anna", PASSWORD)
    response = httpx.post(
        f"{guarded}/dicom-web/studies", content=STUDY.data, headers=headers, trust_env=False, timeout=60
    )
    assert response.status_code == 403
