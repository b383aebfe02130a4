"""kill -9 in the middle of an anonymization: it goes on at the next start, and nothing is there twice or lost."""

import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from conformance.server import COMMAND, Server
from tests.app.dicomweb_harness import DICOM_TYPE, multipart_body
from tests.builders import make_instance
from tests.stored import violations

COUNT = 400
SERIES = [f"1.2.826.0.1.3680043.8.498.55.{number}" for number in range(4)]


def stored(client: httpx.Client) -> str:
    """Orthanc's identifier of a study with many instances."""
    files = [
        make_instance(
            StudyInstanceUID="1.2.826.0.1.3680043.8.498.55",
            SeriesInstanceUID=SERIES[number % 4],
            SOPInstanceUID=f"1.2.826.0.1.3680043.8.498.55.9.{number}",
            InstanceNumber=number,
        )
        for number in range(COUNT)
    ]
    for start in range(0, COUNT, 100):
        body = multipart_body(*files[start : start + 100])
        assert client.post("/dicom-web/studies", content=body, headers={"content-type": DICOM_TYPE}).status_code == 200
    [study] = client.get("/studies").json()
    return str(study)


def job(client: httpx.Client, path: str) -> Any:
    return client.get(path).json()


@pytest.mark.parametrize("is_in_place", [False, True])
def test_an_anonymization_survives_a_kill(tmp_path: Path, is_in_place: bool) -> None:
    body: dict[str, Any] = {"Asynchronous": True, "KeepSource": False}
    if is_in_place:
        body |= {"Keep": ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"], "Force": True}
    server = Server(tmp_path / "first")
    with httpx.Client(base_url=server.root.removesuffix("/dicom-web"), trust_env=False, timeout=60) as client:
        study = stored(client)
        path = client.post(f"/studies/{study}/anonymize", json=body).json()["Path"]
        while job(client, path)["Progress"] < 20:
            time.sleep(0.002)
        server.process.kill()
        server.process.wait()
    again = Server(tmp_path / "second", COMMAND.replace("{data}", str(server.data)))
    try:
        with httpx.Client(base_url=again.root.removesuffix("/dicom-web"), trust_env=False, timeout=60) as client:
            deadline = time.monotonic() + 150
            while job(client, path)["State"] not in ("Success", "Failure") and time.monotonic() < deadline:
                time.sleep(0.05)
            told = job(client, path)
            assert told["State"] == "Success", told
            instances = client.get("/instances?expand&requested-tags=PatientID").json()
            assert told["Content"]["InstancesCount"] == len(instances) == COUNT
            assert len({one["RequestedTags"]["PatientID"] for one in instances}) == 1
            assert client.get("/studies").json() == [told["Content"]["ID"]]
            assert len(client.get("/patients").json()) == 1
    finally:
        again.stop()
    assert violations(server.data) == []
