"""Two servers with the same files: Debian's Orthanc, and ours."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom.data import get_testdata_file

from conformance.orthanc.comparison import differences
from conformance.samples import make, part10
from conformance.server import ORTHANC, Server

# Made by others, and of our making: several studies of one patient, nested sequences, names in Japanese.
REAL = ("CT_small.dcm", "MR_small.dcm", "rtplan.dcm", "JPEG2000.dcm")
LONG = 3600  # seconds: nothing becomes stable between the same request to the one and the other


@dataclass(frozen=True, slots=True)
class Pair:
    """Both servers, and the identifiers of the first file's resources."""

    theirs: httpx.Client
    ours: httpx.Client
    names: Mapping[str, str]

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[httpx.Response, httpx.Response]:
        """The same request to both. {patient}, {study}, {series}, {instance} stand for identifiers."""
        content = {"content": body} if body is None or isinstance(body, bytes | str) else {"json": body}
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        filled = path.format(**self.names)
        first, second = (
            client.request(method, filled, headers=fields, **content) for client in (self.theirs, self.ours)
        )
        return first, second

    def same(self, method: str, path: str, body: Any = None, **headers: str) -> None:
        """Both answer the same, in status and JSON."""
        theirs, ours = self.send(method, path, body, **headers)
        assert ours.status_code == theirs.status_code, (theirs.text[:500], ours.text[:500])
        found = list(differences(shown(theirs), shown(ours)))
        assert not found, "\n".join(found[:20])


def shown(response: httpx.Response) -> Any:
    """The body as far as it can be compared."""
    kind = response.headers.get("content-type", "").partition(";")[0]
    if kind == "application/json" and response.content:
        return response.json()
    return response.content.rstrip(b"\r\n")


@pytest.fixture(scope="session")
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    if request.config.getoption("--root") or request.config.getoption("--orthanc"):
        pytest.skip("two servers are compared that the suite starts itself")
    if shutil.which("Orthanc") is None:
        pytest.skip("Debian's Orthanc is not installed")
    theirs = Server(tmp_path_factory.mktemp("theirs"), ORTHANC, more={"StableAge": LONG})
    ours = Server(tmp_path_factory.mktemp("ours"), environment={"DICOMWEB_SERVER_STABLE_AGE": str(LONG)})
    try:
        with theirs.client() as first, ours.client() as second:
            yield Pair(first, second, _store(first, second))
    finally:
        theirs.stop()
        ours.stop()


def files() -> list[bytes]:
    """What both servers store."""
    return [
        *(Path(str(get_testdata_file(name, download=False))).read_bytes() for name in REAL),
        *(part10(one) for one in _made()),
    ]


def _made() -> Iterator[Any]:
    root = "1.2.826.0.1.3680043.8.498.77"
    for study in (1, 2):
        for number in (1, 2, 3):
            yield make(
                PatientID="DIFF 1",
                PatientName="Yamada^Tarou=山田^太郎=やまだ^たろう",
                SpecificCharacterSet="ISO_IR 192",
                StudyInstanceUID=f"{root}.{study}",
                SeriesInstanceUID=f"{root}.{study}.1",
                SOPInstanceUID=f"{root}.{study}.1.{number}",
                StudyDate=f"202{study}0601",
                AccessionNumber=f"ACC{study}",
                InstanceNumber=number,
                ImageComments="c" * 300,
            )


def _store(theirs: httpx.Client, ours: httpx.Client) -> dict[str, str]:
    answers = []
    for data in files():
        first, second = (client.post("/instances", content=data) for client in (theirs, ours))
        assert (first.status_code, second.status_code) == (200, 200), (first.text, second.text)
        assert not list(differences(first.json(), second.json()))
        answers.append(second.json())
    return {
        "instance": answers[0]["ID"],
        "series": answers[0]["ParentSeries"],
        "study": answers[0]["ParentStudy"],
        "patient": answers[0]["ParentPatient"],
        "made": answers[-1]["ID"],
        "made_series": answers[-1]["ParentSeries"],
        "made_study": answers[-1]["ParentStudy"],
        "made_patient": answers[-1]["ParentPatient"],
        "plan": answers[2]["ID"],
        "lossy": answers[3]["ID"],
        "unknown": "00000000-00000000-00000000-00000000-00000000",
    }
