"""Debian's Orthanc as the neighbour of this server: modality, peer, DICOMweb server and client, in both directions."""

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
from pydicom.uid import generate_uid

from conformance.server import ORTHANC, ORTHANC_PLUGIN, Server
from tests.builders import make_instance

pytestmark = pytest.mark.skipif(
    shutil.which("Orthanc") is None or not Path(ORTHANC_PLUGIN).exists(), reason="Orthanc is not installed"
)


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two, and the name by which it knows the other."""

    client: httpx.Client
    other: str

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        content = {"content": body} if body is None or isinstance(body, bytes) else {"json": body}
        response = self.client.request(method, path, **content)
        assert response.status_code == 200, f"{method} {path}: {response.status_code} {response.text[:500]}"
        return response.json() if "json" in response.headers.get("content-type", "") else response.content

    def found(self, study: str) -> list[str]:
        """The instances of a study."""
        query = {"Level": "Instance", "Query": {"StudyInstanceUID": study}, "Expand": False}
        return list(self("POST", "/tools/find", query))

    def study(self, study: str) -> str:
        """Its identifier."""
        [identifier] = self("POST", "/tools/find", {"Level": "Study", "Query": {"StudyInstanceUID": study}})
        return str(identifier)

    def add(self, number: int = 3) -> str:
        """Store a new study; its UID."""
        study, series = generate_uid(), generate_uid()
        for _ in range(number):
            self(
                "POST",
                "/instances",
                make_instance(StudyInstanceUID=study, SeriesInstanceUID=series, PatientID=study[-9:]),
            )
        return str(study)


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Side]]:
    ours, theirs = Server(tmp_path_factory.mktemp("ours")), Server(tmp_path_factory.mktemp("theirs"), ORTHANC)
    clients = {name: server.client() for name, server in (("here", ours), ("there", theirs))}
    here, there = Side(clients["here"], "there"), Side(clients["there"], "here")
    for side, name, title, server in ((here, "there", "ORTHANC", theirs), (there, "here", "DICOMWEB", ours)):
        url = server.root.removesuffix("dicom-web")
        side("PUT", f"/modalities/{name}", {"AET": title, "Host": "127.0.0.1", "Port": server.dimse_port})
        side("PUT", f"/peers/{name}", {"Url": url})
        side("PUT", f"/dicom-web/servers/{name}", {"Url": url + "dicom-web/"})
    yield {"here": here, "there": there}
    for client in clients.values():
        client.close()
    ours.stop()
    theirs.stop()


@pytest.fixture(params=["from here", "from there"])
def pair(request: pytest.FixtureRequest, sides: dict[str, Side]) -> tuple[Side, Side]:
    """Who acts, and on whom."""
    here, there = sides["here"], sides["there"]
    return (here, there) if request.param == "from here" else (there, here)


def _until(condition: Callable[[], bool]) -> bool:
    for _ in range(1200):
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_echo(pair: tuple[Side, Side]) -> None:
    actor, _ = pair
    actor("POST", f"/modalities/{actor.other}/echo", {})


@pytest.mark.parametrize(
    ("door", "more"),
    [
        ("/modalities/{}/store", {}),
        ("/peers/{}/store", {}),
        ("/peers/{}/store", {"Compress": True}),
        ("/dicom-web/servers/{}/stow", {}),
    ],
)
def test_a_study_is_sent(pair: tuple[Side, Side], door: str, more: dict[str, Any]) -> None:
    actor, other = pair
    study = actor.add()
    content = actor("POST", door.format(actor.other), {"Resources": [actor.study(study)], "Synchronous": True, **more})
    assert int(content["InstancesCount"]) == 3
    assert _until(lambda: len(other.found(study)) == 3)
    [sent, *_], [arrived, *_] = sorted(actor.found(study)), sorted(other.found(study))
    assert sent == arrived
    files = [side("GET", f"/instances/{sent}/file") for side in (actor, other)]
    assert pydicom.dcmread(BytesIO(files[0])) == pydicom.dcmread(BytesIO(files[1]))
    if "modalities" not in door:  # by DIMSE, the receiver writes the file meta information
        assert files[0] == files[1]


def test_a_study_is_sent_to_a_peer_in_another_encoding(pair: tuple[Side, Side]) -> None:
    actor, other = pair
    study = actor.add(1)
    wanted = "1.2.840.10008.1.2"
    actor("POST", f"/peers/{actor.other}/store", {"Resources": [actor.study(study)], "Transcode": wanted})
    file = other("GET", f"/instances/{other.found(study)[0]}/file")
    assert pydicom.dcmread(BytesIO(file)).file_meta.TransferSyntaxUID == wanted


def test_a_study_is_queried_and_retrieved(pair: tuple[Side, Side]) -> None:
    actor, other = pair
    study = other.add()
    query = {"Level": "Study", "Query": {"StudyInstanceUID": study, "PatientName": "", "ModalitiesInStudy": ""}}
    path = actor("POST", f"/modalities/{actor.other}/query", query)["Path"]
    [answer] = actor("GET", f"{path}/answers?expand&simplify")
    assert (answer["StudyInstanceUID"], answer["PatientName"], answer["ModalitiesInStudy"]) == (study, "Doe^Jane", "CT")
    series = actor("POST", f"{path}/answers/0/query-series", {"Query": {"Modality": ""}})["Path"]
    assert actor("GET", f"{series}/answers/0/content?simplify")["Modality"] == "CT"
    actor("POST", f"{series}/answers/0/retrieve", {"Synchronous": True})
    assert _until(lambda: len(actor.found(study)) == 3)


def test_a_study_is_retrieved_by_get(sides: dict[str, Side]) -> None:
    here, there = sides["here"], sides["there"]
    study = there.add()
    resources = [{"StudyInstanceUID": study}]
    content = here("POST", "/modalities/there/get", {"Level": "Study", "Resources": resources})
    assert (content["InstancesCount"], content["FailedInstancesCount"]) == (3, 0)
    assert len(here.found(study)) == 3


def test_a_move_to_who_is_unknown_there_is_a_failure(sides: dict[str, Side]) -> None:
    here, there = sides["here"], sides["there"]
    body = {"Level": "Study", "Resources": [{"StudyInstanceUID": there.add(1)}], "TargetAet": "NOBODY"}
    response = here.client.post("/modalities/there/move", json=body)
    assert (response.status_code, response.json()["OrthancStatus"]) == (500, 9)


def test_a_study_is_found_and_fetched_over_dicomweb(pair: tuple[Side, Side]) -> None:
    actor, other = pair
    study = other.add()
    door = f"/dicom-web/servers/{actor.other}"
    [match] = actor("POST", f"{door}/qido", {"Uri": "/studies", "Arguments": {"StudyInstanceUID": study}})
    assert match["0020000D"]["Value"] == study
    metadata = actor.client.post(f"{door}/get", json={"Uri": f"/studies/{study}/metadata"})
    assert len(metadata.json()) == 3
    content = actor("POST", f"{door}/retrieve", {"Resources": [{"Study": study}], "Synchronous": True})
    assert int(content["ReceivedInstancesCount"]) == 3
    assert len(actor.found(study)) == 3


def test_storage_commitment(pair: tuple[Side, Side]) -> None:
    actor, other = pair
    study = actor.add()
    resources = [actor.study(study)]
    actor("POST", f"/modalities/{actor.other}/store", {"Resources": resources, "Synchronous": True})
    path = actor("POST", f"/modalities/{actor.other}/storage-commitment", {"Resources": resources})["Path"]
    assert _until(lambda: actor("GET", path)["Status"] != "Pending")
    report = actor("GET", path)
    assert (report["Status"], len(report["Success"]), report["Failures"]) == ("Success", 3, [])
    actor("POST", path + "/remove")
    assert (len(actor.found(study)), len(other.found(study))) == (0, 3)


def test_storage_commitment_that_is_refused(sides: dict[str, Side]) -> None:
    here = sides["here"]
    pairs = [["1.2.840.10008.5.1.4.1.1.2", str(generate_uid())]]
    path = here("POST", "/modalities/there/storage-commitment", {"DicomInstances": pairs})["Path"]
    assert _until(lambda: bool(here("GET", path)["Status"] == "Failure"))
    assert here("GET", path)["Failures"][0]["FailureReason"] == 0x0112


def test_who_it_is_is_told(pair: tuple[Side, Side]) -> None:
    actor, other = pair
    assert actor("GET", f"/peers/{actor.other}/system")["DicomAet"] == other("GET", "/system")["DicomAet"]
