"""A server that is killed in the middle of a job goes on with it at the next start, and does nothing twice."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import httpx

from conformance.server import free_port
from tests.builders import make_dataset, write_part10

_COUNT = 300


@contextmanager
def serving(folder: Path) -> Iterator[tuple[httpx.Client, "subprocess.Popen[bytes]"]]:
    port = free_port()
    options = [
        "--data",
        str(folder),
        "--http-port",
        str(port),
        "--dimse",
        "false",
        "--sync",
        "off",
        "--concurrent-jobs",
        "1",
    ]
    command = [sys.executable, "-m", "dicomweb_server", "serve", *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as client:
            for _ in range(1500):
                try:
                    if client.get("/healthz").status_code == 200:
                        break
                except httpx.TransportError:
                    time.sleep(0.05)
            yield client, process
    finally:
        process.kill()
        process.wait()


def archive() -> bytes:
    stream = BytesIO()
    with ZipFile(stream, "w") as zipped:
        for number in range(_COUNT):
            uids = {"StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.2.3", "SOPInstanceUID": f"1.2.3.{number}"}
            zipped.writestr(f"{number}.dcm", write_part10(make_dataset(InstanceNumber=number, **uids)))
    return stream.getvalue()


def test_a_killed_job_goes_on(tmp_path: Path) -> None:
    with serving(tmp_path) as (client, process):
        assert len(client.post("/instances", content=archive()).json()) == _COUNT
        [study] = client.get("/studies").json()
        jobs = [
            client.post(f"/studies/{study}/anonymize", json={"Asynchronous": True}).raise_for_status().json()["ID"]
            for _ in range(3)
        ]
        seen = []
        for _ in range(2000):
            seen = [client.get(f"/jobs/{job}").json() for job in jobs]
            if any(5 < one["Progress"] < 95 for one in seen):
                break
        process.kill()
        process.wait()
    assert any(one["State"] != "Success" for one in seen)
    with serving(tmp_path) as (client, _):
        for _ in range(3000):
            ended = [client.get(f"/jobs/{job}").json() for job in jobs]
            if all(one["State"] in ("Success", "Failure") for one in ended):
                break
            time.sleep(0.05)
        assert [one["State"] for one in ended] == ["Success"] * 3, ended
        studies = client.get("/studies").json()
        assert len(studies) == 4
        for one in studies:
            assert client.get(f"/studies/{one}/statistics").json()["CountInstances"] == _COUNT
