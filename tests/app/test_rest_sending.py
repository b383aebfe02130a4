"""Sending by REST: to modalities, peers and DICOMweb servers, that take all, some, or are away."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from dicomweb_server.services.peers import PeerAwayError, PeerError
from dicomweb_server.services.sending_kinds import MODALITY_STORE, PEER_STORE, STOW
from tests.app.fake_remotes import FakeRemote, open_with_remote
from tests.app.rest_harness import Rest
from tests.builders import make_instance

DOORS = ["/modalities/pacs/store", "/peers/peer/store", "/dicom-web/servers/web/stow"]
STUDY, SERIES = "1.2.3", "1.2.3.4"

Opened = tuple[Rest, FakeRemote]


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Opened]:
    async with open_with_remote(tmp_path) as both:
        yield both


def uid(number: int) -> str:
    return f"1.2.3.4.{number}"


async def load(rest: Rest, number: int = 3) -> str:
    """Store instances of a study; its identifier."""
    await rest.store_by_dicomweb(
        *(
            make_instance(StudyInstanceUID=STUDY, SeriesInstanceUID=SERIES, SOPInstanceUID=uid(n), PatientID="P")
            for n in range(number)
        )
    )
    [study] = await rest.json("/studies")
    return str(study)


async def ended(rest: Rest, path: str, *states: str) -> dict[str, Any]:
    for _ in range(3000):
        job: dict[str, Any] = await rest.json(path)
        if job["State"] in (states or ("Success", "Failure")):
            return job
        await asyncio.sleep(0.01)
    raise AssertionError(job)


@pytest.mark.parametrize("door", DOORS)
async def test_a_study_is_sent_and_the_answer_is_the_content_of_the_job(opened: Opened, door: str) -> None:
    rest, remote = opened
    study = await load(rest)
    response = await rest.post(door, {"Resources": [study, study]})
    assert response.status_code == 200, response.text
    content = response.json()
    assert int(content["InstancesCount"]) == 3
    assert (content["FailedInstancesCount"], content["ParentResources"]) == (0, [study, study])
    assert remote.batches == [[uid(0), uid(1), uid(2)]]


async def test_the_content_is_in_orthancs_shape(opened: Opened) -> None:
    rest, _ = opened
    study = await load(rest)
    common = {"Description": "REST API", "FailedInstancesCount": 0, "ParentResources": [study]}
    assert (await rest.post(DOORS[0], study)).json() == common | {
        "InstancesCount": 3, "LocalAet": "DICOMWEB", "RemoteAet": "PACS",
    }  # fmt: skip
    assert (await rest.post(DOORS[1], [study])).json() == common | {
        "InstancesCount": 3, "Compress": False, "Peer": ["http://peer.example/"], "Size": "3000000", "SizeMB": 2,
    }  # fmt: skip
    assert (await rest.post(DOORS[2], f'"{study}"')).json() == common | {"InstancesCount": "3", "NetworkSizeMB": "2"}


async def test_resources_of_all_levels_are_sent_once(opened: Opened) -> None:
    rest, remote = opened
    await load(rest, 2)
    ids = [
        identifier
        for level in ("patients", "studies", "series", "instances")
        for identifier in await rest.json(f"/{level}")
    ]
    for resources in (ids, ids[::-1]):
        assert (await rest.post(DOORS[0], {"Resources": resources})).json()["InstancesCount"] == 2
    assert [sorted(batch) for batch in remote.batches] == [[uid(0), uid(1)]] * 2


@pytest.mark.parametrize("door", DOORS)
async def test_what_is_refused_fails_the_job_unless_it_is_permissive(opened: Opened, door: str) -> None:
    rest, remote = opened
    study = await load(rest)
    remote.refused = {uid(1)}
    response = await rest.post(door, {"Resources": [study]})
    assert response.status_code == 500
    assert response.json()["Details"] == f"1 instances were refused, {uid(1)} for this: refused"
    assert response.json()["OrthancStatus"] == 9
    content = (await rest.post(door, {"Resources": [study], "Permissive": True})).json()
    assert content["FailedInstancesCount"] == 1
    assert content["FailedInstances"] == {uid(1): "refused"}
    failed, succeeded = (await rest.json("/jobs?expand"))[-2:]
    assert (failed["State"], succeeded["State"]) == ("Failure", "Success")
    assert failed["Content"]["FailedInstances"] == content["FailedInstances"]


async def test_what_a_modality_refuses_is_tried_once_more(opened: Opened) -> None:
    rest, remote = opened
    remote.refused = {uid(1)}
    await rest.post(DOORS[0], {"Resources": [await load(rest)], "Permissive": True})
    assert remote.batches == [[uid(0), uid(1), uid(2)], [uid(1)]]


@pytest.mark.parametrize("door", DOORS)
async def test_a_destination_that_is_away_fails_at_once_if_somebody_waits(opened: Opened, door: str) -> None:
    rest, remote = opened
    study = await load(rest)
    remote.away = PeerAwayError("pacs.example: Connection refused")
    response = await rest.post(door, {"Resources": [study]})
    assert response.status_code == 500
    assert response.json()["Details"] == "pacs.example: Connection refused"
    assert (await rest.json("/jobs?expand"))[-1]["State"] == "Failure"


@pytest.mark.parametrize("door", DOORS)
async def test_a_destination_that_is_away_is_tried_later_if_nobody_waits(opened: Opened, door: str) -> None:
    rest, remote = opened
    study = await load(rest)
    remote.away = PeerAwayError("pacs.example: Connection refused")
    path = (await rest.post(door, {"Resources": [study], "Asynchronous": True, "UserData": 5})).json()["Path"]
    job = await ended(rest, path, "Retry")
    assert (job["ErrorDetails"], job["UserData"]) == ("pacs.example: Connection refused", 5)
    remote.away = None
    await rest.post(path + "/pause")
    await rest.post(path + "/resume")
    assert (await ended(rest, path))["State"] == "Success"
    assert remote.batches == [[uid(0), uid(1), uid(2)]]


@pytest.mark.parametrize("door", DOORS[1:])
async def test_a_refusal_of_the_whole_is_final(opened: Opened, door: str) -> None:
    rest, remote = opened
    study = await load(rest)
    remote.refusal = PeerError("web.example was answered with status 401", 401)
    job = await ended(rest, (await rest.post(door, {"Resources": [study], "Asynchronous": True})).json()["Path"])
    assert (job["State"], job["ErrorDetails"]) == ("Failure", "web.example was answered with status 401")


async def test_where_all_is_refused_for_what_it_is_the_instances_go_one_by_one(opened: Opened) -> None:
    rest, remote = opened
    study = await load(rest)
    remote.refusal = PeerError("too large", 413)
    content = (await rest.post(DOORS[2], {"Resources": [study], "Permissive": True})).json()
    assert content["FailedInstances"] == dict.fromkeys([uid(0), uid(1), uid(2)], "too large")
    assert [each[1] for each in remote.asked if each[0] == "web store"] == [3, 1, 1, 1]


async def test_one_request_may_want_it_otherwise(opened: Opened) -> None:
    rest, remote = opened
    wanted = {
        "LocalAet": "ME", "CalledAet": "YOU", "Host": "other", "Port": 11112, "Timeout": 7,
        "MoveOriginatorAet": "HIM", "MoveOriginatorID": 9,
    }  # fmt: skip
    content = (await rest.post(DOORS[0], {"Resources": [await load(rest)], **wanted})).json()
    assert (content["LocalAet"], content["RemoteAet"]) == ("ME", "YOU")
    modality = remote.modality
    assert modality is not None
    assert (modality.ae_title, modality.local_ae_title, modality.host, modality.port, modality.timeout) == (
        "YOU", "ME", "other", 11112, 7,
    )  # fmt: skip
    [(_, originator)] = [each for each in remote.asked if each[0] == "store"]
    assert (originator.ae_title, originator.message_id) == ("HIM", 9)
    assert (await rest.json("/modalities/pacs/configuration"))["AET"] == "PACS"


async def test_a_peer_gets_it_as_it_is_wanted(opened: Opened) -> None:
    rest, remote = opened
    body = {"Resources": [await load(rest)], "Compress": True, "Transcode": "1.2.840.10008.1.2"}
    assert (await rest.post(DOORS[1], body)).json()["Compress"] is True
    [(_, url, transfer)] = [each for each in remote.asked if each[0] == "peer"]
    assert (url, transfer.compress, transfer.transfer_syntax_uid) == ("http://peer.example/", True, "1.2.840.10008.1.2")


async def test_a_dicomweb_server_gets_header_fields_of_one_request(opened: Opened) -> None:
    rest, remote = opened
    await rest.post(DOORS[2], {"Resources": [await load(rest)], "HttpHeaders": {"Token": "t"}})
    assert remote.headers == {"token": "t"}
    response = await rest.post(DOORS[2], {"Resources": ["x"], "HttpHeaders": {"Token": 5.5, "Host": "elsewhere"}})
    assert response.status_code == 400


async def test_jobs_that_no_request_made_need_no_more_than_what_and_where(opened: Opened) -> None:
    rest, remote = opened
    await load(rest)
    for type_, name in ((MODALITY_STORE, "Modality"), (PEER_STORE, "Peer"), (STOW, "Server")):
        remote_name = {"Modality": "pacs", "Peer": "peer", "Server": "web"}[name]
        parameters = {"Scopes": [[STUDY, None, None]], "InstancesCount": 3, "Permissive": True, name: remote_name}
        await rest.services.jobs.run(type_, parameters)
    assert len(remote.batches) == 3


async def test_storage_commitment_is_asked_for_after_sending(opened: Opened) -> None:
    rest, remote = opened
    study = await load(rest)
    content = (await rest.post(DOORS[0], {"Resources": [study], "StorageCommitment": True})).json()
    transaction = content["StorageCommitmentTransactionUID"]
    [(_, references, asked)] = [each for each in remote.asked if each[0] == "commit"]
    assert asked == transaction
    assert [each.instance_uid for each in references] == [uid(0), uid(1), uid(2)]
    report = await rest.json(f"/storage-commitment/{transaction}")
    assert report == {"Failures": [], "RemoteAET": "PACS", "Status": "Pending", "Success": []}


BAD: list[tuple[Any, int]] = [
    ("", 400), ("{", 400), ("[5]", 400), ("{}", 400), ({"Resources": "x"}, 400), ({"Resources": [5]}, 400),
    ({"Resources": []}, 400), ({"Resources": ["unknown"]}, 404), ("unknown", 404), (b"\xff\xfe", 400),
    ({"Resources": ["11111111-11111111-11111111-11111111-11111111"]}, 404),
    ({"Resources": ["x"], "Priority": "high"}, 400), ({"Resources": ["x"], "Asynchronous": "yes"}, 400),
]  # fmt: skip


@pytest.mark.parametrize("door", DOORS)
async def test_bad_requests_send_nothing(opened: Opened, door: str) -> None:
    rest, remote = opened
    for body, status in BAD:
        response = await rest.post(door, body)
        assert response.status_code == status, (body, response.text)
        assert response.json()["HttpStatus"] == status
    assert not remote.batches
    assert await rest.json("/jobs") == []


async def test_wishes_that_cannot_be_are_refused(opened: Opened) -> None:
    rest, remote = opened
    study = await load(rest)
    for wanted in (
        {"LocalAet": "x" * 17}, {"CalledAet": "a\\b"}, {"Port": 70_000}, {"Port": "104"}, {"Timeout": -1}, {"Host": 5},
        {"MoveOriginatorID": 65_536}, {"MoveOriginatorAet": "ä"},
    ):  # fmt: skip
        response = await rest.post(DOORS[0], {"Resources": [study], **wanted})
        assert response.status_code == 400
        assert next(iter(wanted)) in response.json()["Details"]
    assert not remote.batches


@pytest.mark.parametrize("door", ["/modalities/nobody/store", "/peers/nobody/store", "/dicom-web/servers/nobody/stow"])
async def test_an_unknown_destination_is_not_found(opened: Opened, door: str) -> None:
    rest, _ = opened
    response = await rest.post(door, {"Resources": [await load(rest)]})
    assert response.status_code == 404
    assert response.json()["OrthancStatus"] == 17


async def test_files_that_are_not_stored_here_are_passed_on(opened: Opened) -> None:
    rest, remote = opened
    response = await rest.post("/modalities/pacs/store-straight", b"some bytes")
    assert response.json() == {"SOPClassUID": "1.2", "SOPInstanceUID": "1.3"}
    remote.answer_body = b'{"ID": "x"}'
    assert (await rest.post("/peers/peer/store-straight", b"some bytes")).json() == {"ID": "x"}
    assert remote.asked[-1] == ("POST", "/instances", {"content-type": "application/dicom"}, b"some bytes")
    remote.answer_body = b"<html>"
    for path in ("/peers/peer/store-straight", "/peers/peer/system"):
        response = await rest.send("GET" if path.endswith("system") else "POST", path, None)
        assert (response.status_code, response.json()["Details"]) == (500, "the peer answered with what is no JSON")
