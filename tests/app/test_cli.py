"""The command as a user meets it: a process, its exit code, what it says."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from conformance.patience import wait_until
from conformance.server import free_port
from dicomweb_server import __version__
from tests.builders import make_instance

_FREE_PORTS = {"DICOMWEB_SERVER_HTTP_PORT": "0", "DICOMWEB_SERVER_DIMSE_PORT": "0"}
COMMAND = [sys.executable, "-m", "dicomweb_server"]


def run(*words: str | Path, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, words)],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=200,
        env={**_clean_environment(), **_FREE_PORTS, **environment},
        check=False,
    )


def _clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("DICOMWEB_SERVER_")}


class Serving:
    """A server process."""

    def __init__(self, data: Path, *words: str, environment: Mapping[str, str] | None = None) -> None:
        self.http, self.dimse = free_port(), free_port()
        ports = ["--http-port", str(self.http), "--dimse-port", str(self.dimse)]
        self.process = subprocess.Popen(
            [*COMMAND, "serve", "--data", str(data), *ports, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**_clean_environment(), **(environment or {})},
        )
        self.said = ""

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def wait(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                self.get("/healthz/live")
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError(f"no answer: {self.stop()}")

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        if not self.said:
            self.said = "".join(self.process.communicate(timeout=90))
        return self.process.returncode


@contextmanager
def serving(data: Path, *words: str, environment: Mapping[str, str] | None = None) -> Iterator[Serving]:
    server = Serving(data, *words, environment=environment)
    try:
        server.wait()
        yield server
    finally:
        server.stop()


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


def samples(folder: Path) -> None:
    """Three instances, of which one is in a ZIP and one is there twice, and two files that are not DICOM."""
    first, second, third = (make_instance(number=number) for number in (1, 2, 3))
    (folder / "deep/er").mkdir(parents=True)
    (folder / "one.dcm").write_bytes(first)
    (folder / "deep/er/copy").write_bytes(first)
    (folder / "deep/two").write_bytes(second)
    (folder / "README.txt").write_text("not DICOM")
    with zipfile.ZipFile(folder / "more.zip", "w") as archive:
        archive.writestr("../three", third)
        archive.writestr("picture.png", b"\x89PNG")


def test_import_stores_skips_and_says_so(tmp_path: Path) -> None:
    samples(tmp_path / "in")
    data = tmp_path / "data"
    answer = run("import", "--data", data, tmp_path / "in")
    assert answer.stdout == "3 stored, 1 stored already, 2 skipped (not DICOM), 0 failed\n", answer.stderr
    assert (answer.returncode, answer.stderr) == (0, "")
    again = run("import", "--data", data, tmp_path / "in")
    assert again.stdout == "0 stored, 4 stored already, 2 skipped (not DICOM), 0 failed\n"
    with serving(data) as server:
        assert len(json.loads(server.get("/dicom-web/instances")[1])) == 3


def test_import_names_what_failed_and_why(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    whole = make_instance()
    (tmp_path / "in/cut.dcm").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "in/whole.dcm").write_bytes(whole)
    answer = run("import", "--data", tmp_path / "data", tmp_path / "in")
    assert answer.returncode == 1
    assert answer.stdout == "1 stored, 0 stored already, 0 skipped (not DICOM), 1 failed\n"
    assert answer.stderr.startswith(f"{tmp_path}/in/cut.dcm: ")


def blobs_of(data: Path) -> list[Path]:
    return sorted((data / "blobs").rglob("*.dcm"))


def test_check_finds_and_repairs(tmp_path: Path) -> None:
    samples(tmp_path / "in")
    data = tmp_path / "data"
    run("import", "--data", data, tmp_path / "in")
    sound = run("check", "--data", data, "--digests")
    assert sound.returncode == 0, sound.stderr
    assert sound.stdout == f"3 instances in the index, 3 files in {data}/blobs\neverything agrees\n"
    first, second, _ = blobs_of(data)
    first.unlink()
    second.write_bytes(second.read_bytes()[:-1] + b"!")
    found = run("check", "--data", data, "--digests")
    assert found.returncode == 1
    assert f"1 instances without a file:\n  {first.stem}\n1 files that are damaged:\n  {second.stem}" in found.stdout
    repaired = run("check", "--data", data, "--repair")
    assert (repaired.returncode, repaired.stderr) == (0, "")
    assert run("check", "--data", data).stdout.endswith("everything agrees\n")


def test_reindex_makes_the_index_anew(tmp_path: Path) -> None:
    samples(tmp_path / "in")
    data = tmp_path / "data"
    run("import", "--data", data, tmp_path / "in")
    (data / "index.db").write_bytes(b"no database at all")
    refused = run("check", "--data", data)
    assert refused.returncode == 3
    assert "Traceback" not in refused.stderr
    made = run("reindex", "--data", data)
    assert (made.returncode, made.stdout) == (0, "3 files: 3 instances, 0 attachments, 0 duplicates\n"), made.stderr
    (aside,) = data.glob("index.db.*Z")
    assert aside.read_bytes() == b"no database at all"
    assert run("check", "--data", data).returncode == 0
    with serving(data) as server:
        assert len(json.loads(server.get("/dicom-web/instances")[1])) == 3


def test_reindex_goes_on_after_an_interruption(tmp_path: Path) -> None:
    samples(tmp_path / "in")
    data = tmp_path / "data"
    run("import", "--data", data, tmp_path / "in")
    (data / "rebuilding").touch()
    refused = run("serve", "--data", data)
    assert refused.returncode == 3
    assert "run `reindex` again" in refused.stderr
    made = run("reindex", "--data", data)
    assert made.stdout == "3 files: 3 instances, 0 attachments, 0 duplicates\n"
    assert not list(data.glob("index.db.*Z"))
    assert run("check", "--data", data).returncode == 0


def test_killed_server_starts_again_and_leaves_nothing(tmp_path: Path) -> None:
    samples(tmp_path / "in")
    data = tmp_path / "data"
    run("import", "--data", data, tmp_path / "in")
    with serving(data) as server:
        server.stop(signal.SIGKILL)
    known = blobs_of(data)[0]
    stray = known.with_name(known.stem[:-6] + "000000.dcm")
    stray.write_bytes(b"half an instance")
    with serving(data) as server:
        assert len(json.loads(server.get("/dicom-web/instances")[1])) == 3
        wait_until(lambda: not stray.exists())
    assert run("check", "--data", data).returncode == 0


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
