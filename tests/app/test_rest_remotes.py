"""Modalities, peers and DICOMweb servers as resources; what DICOMweb servers are asked."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from dicomweb_server.services.peers import PeerAwayError, PeerError, Received
from tests.app.fake_remotes import FakeRemote, open_with_remote
from tests.app.rest_harness import Rest
from tests.app.test_rest_sending import ended

Opened = tuple[Rest, FakeRemote]
NODE = {"AET": "X", "Host": "x.example", "Port": 104}
WEB = {"Url": "http://x.example/"}
ROOTS = [("/modalities", NODE), ("/peers", WEB), ("/dicom-web/servers", WEB)]


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Opened]:
    async with open_with_remote(tmp_path) as both:
        yield both


@pytest.mark.parametrize(("root", "remote"), ROOTS)
async def test_a_remote_comes_and_goes(opened: Opened, root: str, remote: dict[str, Any]) -> None:
    rest, _ = opened
    [name] = await rest.json(root)
    assert (await rest.send("PUT", f"{root}/new-one_2", remote)).status_code == 200
    assert await rest.json(root) == sorted([name, "new-one_2"])
    expanded = await rest.json(root + "?expand")
    assert expanded.keys() == {name, "new-one_2"}
    assert remote.items() <= expanded["new-one_2"].items()
    assert "hush" not in str(expanded)
    assert "store" in str(await rest.json(f"{root}/new-one_2")) or "stow" in str(await rest.json(f"{root}/new-one_2"))
    for status in (200, 404):
        assert (await rest.send("DELETE", f"{root}/new-one_2")).status_code == status
    assert (await rest.get(f"{root}/new-one_2")).status_code == 404


@pytest.mark.parametrize(("root", "remote"), ROOTS)
async def test_names_and_documents_that_cannot_be(opened: Opened, root: str, remote: dict[str, Any]) -> None:
    rest, _ = opened
    before = await rest.json(root)
    for name in ("a%2Fb", "a/b", "..", "a%0Ab", "%2e%2e", "x" * 200):
        assert (await rest.send("PUT", f"{root}/{name}", remote)).status_code in (400, 404, 405), name
    bodies: list[Any] = ["", "{", "null", [], {}, 5, "x", {"Url": 5, "AET": 5}, [[]]]
    for body in bodies:
        response = await rest.send("PUT", f"{root}/new", body)
        assert response.status_code == 400, body
        assert response.json()["Details"]
    assert await rest.json(root) == before


async def test_configurations_are_shown(opened: Opened) -> None:
    rest, _ = opened
    assert (await rest.json("/modalities/pacs/configuration"))["Host"] == "pacs.example"
    assert await rest.json("/peers/peer/configuration") == {
        "Url": "http://peer.example/", "Username": "u", "Password": None, "HttpHeaders": [], "Pkcs11": False,
        "Timeout": 0,
    }  # fmt: skip
    assert await rest.json("/dicom-web/servers/web") == ["get", "retrieve", "stow", "wado", "qido", "delete"]
    for path in ("/modalities/nobody/configuration", "/peers/nobody/configuration", "/peers/nobody/system"):
        assert (await rest.get(path)).status_code == 404


async def test_a_peer_tells_who_it_is(opened: Opened) -> None:
    rest, remote = opened
    remote.answer_body = b'{"Name": "other"}'
    assert await rest.json("/peers/peer/system") == {"Name": "other"}
    remote.away = PeerAwayError("GET http://peer.example/: Connection refused")
    response = await rest.get("/peers/peer/system")
    assert (response.status_code, response.json()["OrthancStatus"]) == (500, 9)


async def test_a_dicomweb_server_is_asked(opened: Opened) -> None:
    rest, remote = opened
    remote.answer_body = b'[{"0020000D": {"vr": "UI", "Value": ["1.2"]}}]'
    body = {"Uri": "/studies", "Arguments": {"PatientID": "A B", "limit": 5}, "HttpHeaders": {"X-Token": "t"}}
    response = await rest.post("/dicom-web/servers/web/get", body)
    assert (response.content, response.headers["content-type"]) == (remote.answer_body, "application/json")
    assert remote.asked[-1] == ("GET", "/studies?PatientID=A%20B&limit=5", {"x-token": "t"}, b"")
    found = (await rest.post("/dicom-web/servers/web/qido", body)).json()
    assert found == [{"0020000D": {"Element": 13, "Group": 32, "Name": "StudyInstanceUID", "Value": "1.2", "vr": "UI"}}]
    assert remote.asked[-1][2] == {"accept": "application/dicom+json", "x-token": "t"}


async def test_matches_are_shown_with_names_and_texts(opened: Opened) -> None:
    rest, remote = opened
    match = {
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "A", "Phonetic": "C"}]},
        "00201208": {"vr": "IS", "Value": [3]},
        "00080061": {"vr": "CS", "Value": ["CT", None]},
        "00081110": {"vr": "SQ", "Value": [{"00081150": {"vr": "UI"}}, 5]},
        "00080005": 5,
        "x": {},
        "00080050": {"vr": "SH"},
    }
    remote.answer_body = json.dumps([match]).encode()
    [found] = (await rest.post("/dicom-web/servers/web/qido", {"Uri": "/studies"})).json()
    assert {tag: element.get("Value") for tag, element in found.items()} == {
        "00080050": None, "00080061": "CT\\", "00100010": "A", "00201208": "3",
        "00081110": [{"00081150": {"Element": 0x1150, "Group": 8, "Name": "ReferencedSOPClassUID", "vr": "UI"}}],
    }  # fmt: skip


async def test_answers_that_are_none(opened: Opened) -> None:
    rest, remote = opened
    for body in (b"<html>", b"{}", b"[5]", b"null"):
        remote.answer_body = body
        response = await rest.post("/dicom-web/servers/web/qido", {"Uri": "/studies"})
        assert (response.status_code, response.json()["OrthancStatus"]) == (500, 9), body
    remote.answer_body = b""
    assert (await rest.post("/dicom-web/servers/web/qido", {"Uri": "/studies"})).json() == []
    for error, status in ((PeerError("none", 404), 404), (PeerError("no", 403), 500), (PeerAwayError("away"), 500)):
        remote.refusal = error
        for door in ("get", "qido"):
            assert (await rest.post(f"/dicom-web/servers/web/{door}", {"Uri": "/x"})).status_code == status


async def test_what_is_fetched_is_a_job(opened: Opened) -> None:
    rest, remote = opened
    resources = [
        {"Study": "1.2"},
        {"Study": "1.2", "Series": "1.3"},
        {"Study": "1", "Series": "2", "Instance": "3/../4"},
    ]
    body = {"Resources": resources, "HttpHeaders": {"Token": "t"}}
    assert (await rest.post("/dicom-web/servers/web/retrieve", body)).json() == {
        "Description": "REST API", "NetworkUsageMB": "14", "ReceivedInstancesCount": "6", "FailedInstancesCount": 0,
    }  # fmt: skip
    assert [each[1] for each in remote.asked] == [
        "/studies/1.2", "/studies/1.2/series/1.3", "/studies/1/series/2/instances/3%2F..%2F4",
    ]  # fmt: skip
    assert remote.asked[0][2] == {"token": "t"}
    job = await ended(rest, (await rest.post("/dicom-web/servers/web/wado", {"Uri": "/studies/9"})).json()["Path"])
    assert (job["Type"], job["State"]) == ("DicomWebWadoRetrieveClient", "Success")
    assert remote.asked[-1][1] == "/studies/9"


async def test_a_fetch_that_fails(opened: Opened) -> None:
    rest, remote = opened
    body = {"Resources": [{"Study": "1.2"}, {"Study": "1.3"}]}
    remote.received = Received(1, 1, 0)
    response = await rest.post("/dicom-web/servers/web/retrieve", body)
    assert (response.status_code, response.json()["Details"]) == (500, "1 instances failed")
    content = (await rest.post("/dicom-web/servers/web/retrieve", body | {"Permissive": True})).json()
    assert (content["ReceivedInstancesCount"], content["FailedInstancesCount"]) == ("2", 2)
    remote.away = PeerAwayError("away")
    job = (await rest.post("/dicom-web/servers/web/retrieve", body | {"Asynchronous": True})).json()["Path"]
    assert (await ended(rest, job, "Retry"))["ErrorDetails"] == "away"
    remote.away, remote.refusal = None, PeerError("refused", 403)
    response = await rest.post("/dicom-web/servers/web/retrieve", body)
    assert (response.status_code, response.json()["Details"]) == (500, "refused")


async def test_a_server_deletes_if_it_is_known_to(opened: Opened) -> None:
    rest, remote = opened
    body = {"Level": "Series", "StudyInstanceUID": "1", "SeriesInstanceUID": "2"}
    assert (await rest.post("/dicom-web/servers/web/delete", body)).status_code == 200
    assert remote.asked == [("delete", "/studies/1/series/2")]
    for wrong in ({}, {"Level": "Patient"}, {"Level": "Study"}, {"Level": "Instance"} | body):
        assert (await rest.post("/dicom-web/servers/web/delete", wrong)).status_code in (200, 400)
    remote.refusal = PeerError("none", 404)
    assert (await rest.post("/dicom-web/servers/web/delete", body)).status_code == 404
    await rest.send("PUT", "/dicom-web/servers/web", WEB)
    assert (await rest.post("/dicom-web/servers/web/delete", body)).status_code == 400


async def test_bad_requests_about_dicomweb_servers(opened: Opened) -> None:
    rest, remote = opened
    bad: list[Any] = [
        "", "{", [], {}, {"Uri": 5}, {"Uri": "http://elsewhere/"}, {"Uri": "/../x"}, {"Uri": "/%2E%2e/x"},
        {"Uri": "/x", "Arguments": []}, {"Uri": "/x", "Arguments": {"a": {}}},
        {"Uri": "/x", "HttpHeaders": {"a": None}}, {"Uri": "/x", "HttpHeaders": {"Host": "elsewhere"}},
    ]  # fmt: skip
    for body in bad:
        for door in ("get", "qido", "wado"):
            assert (await rest.post(f"/dicom-web/servers/web/{door}", body)).status_code == 400, (door, body)
    retrievals: list[Any] = [
        {"Resources": 5},
        {"Resources": [{}]},
        {"Resources": [{"Series": "1"}]},
        {"Resources": [5]},
    ]
    for body in retrievals:
        assert (await rest.post("/dicom-web/servers/web/retrieve", body)).status_code == 400, body
    for door in ("get", "qido", "wado", "retrieve", "delete"):
        body = {"Uri": "/x", "Resources": [{"Study": "1"}], "Level": "Study"}
        assert (await rest.post(f"/dicom-web/servers/nobody/{door}", body)).status_code == 404
    assert not remote.asked
