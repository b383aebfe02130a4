"""The command as a user meets it: a process, its exit code, what it says."""

import json
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from conformance.server import free_port
from dicomweb_server import __version__
from tests.app.command import Serving, run, serving


def test_version_and_help() -> None:
    assert run("version").stdout == f"{__version__}\n"
    assert run("--version").stdout == f"dicomweb-server {__version__}\n"
    answer = run("serve", "--help")
    assert answer.returncode == 0
    for flag in ("--data", "--host", "--http-port", "--dimse-port", "--aet", "--config", "--ephemeral"):
        assert flag in answer.stdout
    assert "--users" not in answer.stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["serve", "--http-port", "eighty"], 2, "http_port = 'eighty' from --http-port is not allowed"),
        (["serve", "--host", "0.0.0.0"], 2, "can be reached from other machines"),
        (["serve", "--config", "none.toml"], 2, "none.toml cannot be read"),
        (["serve", "--extra-attributes", "study:PixelData"], 2, "extra_attributes = 'study:PixelData' is not allowed"),
        (["serve", "--extra-attributes", "study:NoSuchThing"], 2, "an attribute of the standard"),
        (["serve", "--data", "/proc/nowhere"], 3, "/proc/nowhere"),
        (["serve", "--tls-certificate", "/nowhere.pem"], 3, "tls_certificate"),
        (["import", "/nowhere/at/all"], 1, "/nowhere/at/all does not exist"),
        (["dance"], 2, "invalid choice"),
    ],
)
def test_what_is_wrong_is_said_in_words(tmp_path: Path, words: list[str], code: int, said: str) -> None:
    data = [] if "--data" in words or words == ["dance"] else ["--data", str(tmp_path / "data")]
    answer = run(*words, *data)
    assert answer.returncode == code, answer.stderr
    assert said in answer.stderr
    assert "Traceback" not in answer.stderr


def test_serve_answers_and_ends_in_order(tmp_path: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        with serving(tmp_path / "data") as server:
            assert server.get("/healthz") == (200, b'{"status":"ok","checks":{"index":"ok","storage":"ok"}}')
            assert server.get("/dicom-web/studies") == (200, b"[]")
            socket.create_connection(("127.0.0.1", server.dimse), 5).close()
            assert server.stop(number) == 0
            assert "Traceback" not in server.said
            assert "ERROR" not in server.said


def test_second_server_on_the_same_folder_or_port_is_refused(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server:
        other = run("serve", "--data", tmp_path / "data", "--http-port", str(free_port()), "--dimse", "false")
        assert other.returncode == 3
        assert "is in use by another server" in other.stderr
        for port in (["--http-port", str(server.http)], ["--http-port", "0", "--dimse-port", str(server.dimse)]):
            other = run("serve", "--data", tmp_path / "other", *port)
            assert other.returncode == 3
            assert "Cannot listen" in other.stderr
            assert "Traceback" not in other.stderr


def test_health_command(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server:
        answer = run("health", "--http-port", str(server.http))
        assert (answer.returncode, answer.stdout) == (0, "index: ok\nstorage: ok\n")
    answer = run("health", "--http-port", str(server.http))
    assert answer.returncode == 1
    assert "no answer" in answer.stderr


def test_ephemeral_store_is_gone_afterwards(tmp_path: Path) -> None:
    with serving(tmp_path / "data", "--ephemeral", environment={"TMPDIR": str(tmp_path)}) as server:
        assert list(tmp_path.glob("dicomweb-server-*"))
        server.stop()
    assert not list(tmp_path.iterdir())


def test_users_are_asked_for_everywhere_but_at_the_health_check(tmp_path: Path) -> None:
    hashed = run("hash-password", stdin="secret\n").stdout.strip()
    config = tmp_path / "server.toml"
    config.write_text(f'[users]\nalice = "{hashed}"\n')
    with serving(tmp_path / "data", "--config", str(config)) as server:
        for path in ("/", "/ui/", "/dicom-web/studies", "/metrics", "/docs", "/openapi.json", "/nothing"):
            assert server.get(path)[0] == 401, path
        assert server.get("/healthz")[0] == 200
        assert server.get("/healthz/live")[0] == 200
        assert server.get("/dicom-web/studies", Authorization="Basic YWxpY2U6c2VjcmV0")[0] == 200
        assert server.get("/dicom-web/studies", Authorization="Basic YWxpY2U6d3Jvbmc=")[0] == 401


def test_orthanc_configuration_is_obeyed(tmp_path: Path) -> None:
    config = tmp_path / "orthanc.json"
    config.write_text('{ // as it is\n "DicomAet": "SITE", "LuaHeartBeatPeriod": 5, "DicomWeb": {"Root": "/web/"},\n}')
    with serving(tmp_path / "data", "--config", str(config)) as server:
        assert server.get("/web/studies")[0] == 200
        server.stop()
    assert "ae_title=SITE" in server.said
    assert server.said.count("LuaHeartBeatPeriod") == 1


def test_logs_and_metrics_have_no_identifiers(tmp_path: Path) -> None:
    with serving(tmp_path / "data", "--log-format", "json") as server:
        server.get("/dicom-web/studies?PatientName=SECRETNAME")
        server.get("/dicom-web/studies/1.2.SECRET/series/SECRET/metadata")
        server.get("/dicom-web/studies/1.2.999.999.42/metadata")
        metrics = server.get("/metrics")[1].decode()
        server.stop()
    lines = [json.loads(line) for line in server.said.splitlines()]
    requests = [line for line in lines if line["event"] == "request"]
    assert {line["route"] for line in requests} >= {"/dicom-web/studies", "/healthz/live"}
    for text in (server.said, metrics):
        assert "SECRET" not in text
        assert "999.999.42" not in text  # two points: no figure of the metrics can look like it


def test_openapi_and_conformance_are_of_the_configuration() -> None:
    description = json.loads(run("openapi", "--dicomweb-root", "/web").stdout)
    assert "/web/studies" in description["paths"]
    statement = run("conformance", "--ae-title", "SITE", "--dimse-port", "104").stdout
    assert "`SITE`" in statement
    assert "| Port without TLS | 104 |" in statement
    assert "Switched off" in run("conformance", "--dimse", "false").stdout


def test_hash_password_refuses_an_empty_one() -> None:
    answer = run("hash-password", stdin="\n")
    assert answer.returncode == 2
    assert "empty" in answer.stderr


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_https(tmp_path: Path) -> None:
    pem = tmp_path / "server.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(pem), "-out", str(pem) + ".crt",
         "-days", "2", "-subj", "/CN=localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    pem.write_text(pem.read_text() + Path(f"{pem}.crt").read_text())
    words = ["--tls-certificate", str(pem)]
    server = Serving(tmp_path / "data", *words)
    try:
        for _ in range(100):
            answer = run("health", "--http-port", str(server.http), *words)
            if answer.returncode == 0:
                break
        assert answer.stdout == "index: ok\nstorage: ok\n", answer.stderr
    finally:
        assert server.stop() == 0
    assert f"https://127.0.0.1:{server.http}" in server.said
