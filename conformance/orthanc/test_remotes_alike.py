"""Other servers: what is known of them, what they answer, what is sent to them; both are asked about a third one."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from conformance.orthanc.comparison import differences
from conformance.orthanc.conftest import Pair, files, shown
from conformance.requirement import requires
from conformance.server import Server

STUDY = "1.2.826.0.1.3680043.8.498.77.1"


@pytest.fixture(scope="module")
def third(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A third server, which both know as a modality, a peer and a DICOMweb server."""
    allowed = {"DICOMWEB_SERVER_UNKNOWN_ALLOW": "echo,store,find,get,move", "DICOMWEB_SERVER_AE_TITLE": "THIRD"}
    server = Server(tmp_path_factory.mktemp("third"), environment=allowed)
    with server.client() as client:
        for data in files():
            assert client.post("/instances", content=data).status_code == 200
    url = server.root.removesuffix("dicom-web")
    for path, body in (
        ("/modalities/third", {"AET": "THIRD", "Host": "127.0.0.1", "Port": server.dimse_port}),
        ("/modalities/listed", ["THIRD", "127.0.0.1", server.dimse_port]),
        ("/modalities/dead", {"AET": "DEAD", "Host": "127.0.0.1", "Port": 1, "AllowMove": False, "Timeout": 3}),
        ("/peers/third", {"Url": url, "Username": "", "HttpHeaders": {"Token": "secret"}, "Color": "blue"}),
        ("/peers/plain", [url]),
        ("/peers/dead", ["http://127.0.0.1:1/", "user", "secret"]),
        ("/dicom-web/servers/third", {"Url": url + "dicom-web/"}),
    ):
        for answer in pair.send("PUT", path, body):
            assert answer.status_code == 200, answer.text
    pair.theirs.delete("/modalities/conformance")  # it is in the configuration that the suites give to Orthanc
    yield server
    server.stop()


def missing(theirs: httpx.Response, ours: httpx.Response) -> list[str]:
    """What Orthanc says and we do not; but the names of the servers differ, and file meta is no answer to a query."""
    found = [one for one in differences(shown(theirs), shown(ours)) if not one.endswith(": only here")]
    return [one for one in found if not any(word in one for word in ("LocalAet", "0002,0003", "MediaStorage"))]


def says_at_least(pair: Pair, method: str, path: str, body: Any = None) -> Any:
    """Ours says all that theirs does, and with the same status; what ours says."""
    theirs, ours = pair.send(method, path, body)
    assert ours.status_code == theirs.status_code, (theirs.text[:500], ours.text[:500])
    if ours.status_code == 200:
        assert not missing(theirs, ours)
    return shown(ours)


@pytest.mark.parametrize(
    "path",
    [
        "/modalities", "/modalities?expand", "/modalities/dead/configuration", "/peers", "/peers?expand",
        "/peers/third", "/peers/third/configuration", "/dicom-web/servers", "/dicom-web/servers?expand",
        "/modalities/nobody", "/peers/nobody", "/dicom-web/servers/nobody", "/queries/nobody",
        "/storage-commitment/1.2",
    ],
)  # fmt: skip
@requires("Orthanc: other servers", "B")
def test_what_is_known_is_shown_alike(pair: Pair, third: Server, path: str) -> None:
    shown_here = says_at_least(pair, "GET", path)
    assert "secret" not in str(shown_here)


@requires("Orthanc: other servers", "B")
def test_what_can_be_asked_is_listed_alike(pair: Pair, third: Server) -> None:
    for path in ("/modalities/third", "/dicom-web/servers/third"):
        theirs, ours = (set(answer.json()) for answer in pair.send("GET", path))
        assert theirs <= ours
        assert ours - theirs <= {"get"}  # since a later release


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/modalities/new", ["A", "b"]), ("/modalities/new", {"AET": "A"}), ("/modalities/new", b"garbage"),
        ("/modalities/a.b", ["A", "b", 104]), ("/modalities/new", ["A", "b", 104, "Acme"]),
        ("/peers/new", {"U": "x"}), ("/peers/a.b", ["http://127.0.0.1/"]),
    ],
)  # fmt: skip
@requires("Orthanc: other servers", "B")
def test_what_cannot_be_is_refused_alike(pair: Pair, third: Server, path: str, body: Any) -> None:
    says_at_least(pair, "PUT", path, body)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/modalities/third/echo", {}), ("/modalities/third/echo", ""), ("/modalities/dead/echo", {}),
        ("/modalities/nobody/echo", {}), ("/modalities/third/echo", b"foo"), ("/tools/dicom-echo", {"AET": "X"}),
        ("/modalities/dead/query", {"Level": "Study"}), ("/modalities/third/query", {"Level": "Foo", "Query": {}}),
        ("/modalities/third/query", []), ("/modalities/third/move", {}),
        ("/modalities/third/store", {"Resources": "x"}),
        ("/modalities/dead/store", {"Resources": ["{made}"]}), ("/modalities/nobody/store", {"Resources": ["{made}"]}),
        ("/peers/dead/store", {"Resources": ["{made}"]}), ("/modalities/third/store-straight", b"x"),
        ("/modalities/third/find-series", {"PatientID": ""}), ("/dicom-web/servers/third/get", {}),
        ("/dicom-web/servers/nobody/qido", {"Uri": "/studies"}), ("/modalities/dead/storage-commitment", {}),
        ("/dicom-web/servers/third/get", {"Uri": "/studies/1.2/metadata"}),
        ("/dicom-web/servers/third/retrieve", {"Resources": [{"Series": "1"}]}),
    ],
)  # fmt: skip
@requires("Orthanc: other servers", "B")
def test_failures_have_the_same_status(pair: Pair, third: Server, path: str, body: Any) -> None:
    if isinstance(body, dict) and "Resources" in body and body["Resources"] == ["{made}"]:
        body = {"Resources": [pair.names["made"]]}
    says_at_least(pair, "POST", path, body)


@pytest.mark.parametrize(
    ("level", "query"),
    [
        ("Patient", {"PatientID": "DIFF*", "PatientSex": ""}),
        ("Study", {"PatientID": "DIFF 1", "ModalitiesInStudy": "", "StudyDate": "20210101-"}),
        ("Study", {"0020,000D": STUDY, "StudyDescription": "", "SeriesDescription": "x"}),
        ("Series", {"StudyInstanceUID": STUDY, "Modality": "", "SeriesNumber": "", "0008,103e": ""}),
        ("Instance", {"StudyInstanceUID": STUDY, "SeriesInstanceUID": STUDY + ".1", "InstanceNumber": "2"}),
        ("Study", {"PatientID": "nobody"}),
    ],
)  # fmt: skip
@requires("Orthanc: other servers", "B")
def test_queries_are_answered_alike(pair: Pair, third: Server, level: str, query: dict[str, str]) -> None:
    paths = [
        one.json()["Path"] for one in pair.send("POST", "/modalities/third/query", {"Level": level, "Query": query})
    ]
    for below in (
        "", "/level", "/modality", "/query", "/query?simplify", "/query?short", "/answers", "/answers?expand",
        "/answers?expand&simplify", "/answers?expand&short", "/answers/0/content", "/answers/77/content",
        "/answers/x/content",
    ):  # fmt: skip
        theirs, ours = pair.theirs.get(paths[0] + below), pair.ours.get(paths[1] + below)
        assert ours.status_code == theirs.status_code, below
        if ours.status_code == 200:
            assert not missing(theirs, ours), below


@requires("Orthanc: other servers", "B")
def test_finds_of_former_times_are_answered_alike(pair: Pair, third: Server) -> None:
    for door, body in (
        ("find-patient", {"PatientID": "4MR1"}),
        ("find-study", {"PatientID": "DIFF 1"}),
        ("find-series", {"PatientID": "DIFF 1", "StudyInstanceUID": STUDY}),
        ("find-instance", {"PatientID": "DIFF 1", "StudyInstanceUID": STUDY, "SeriesInstanceUID": STUDY + ".1"}),
    ):
        says_at_least(pair, "POST", f"/modalities/third/{door}", body)


@requires("Orthanc: other servers", "B")
def test_what_is_sent_is_told_alike(pair: Pair, third: Server) -> None:
    study = pair.names["made_study"]
    for path, body in (
        ("/modalities/third/store", {"Resources": [study]}),
        ("/modalities/third/store", study),
        ("/modalities/third/store", [study, pair.names["instance"]]),
        ("/peers/plain/store", {"Resources": [study], "Synchronous": True}),
        ("/dicom-web/servers/third/stow", {"Resources": [study]}),
        ("/dicom-web/servers/third/retrieve", {"Resources": [{"Study": STUDY}]}),
        ("/dicom-web/servers/third/qido", {"Uri": "/series", "Arguments": {"StudyInstanceUID": STUDY}}),
    ):
        says_at_least(pair, "POST", path, body)
    body = {"Resources": [study], "Asynchronous": True}
    for answer in pair.send("POST", "/modalities/third/store", body):
        assert sorted(answer.json()) == ["ID", "Path"]
