"""Storage commitment over HTTP (PS3.18 chapter 13): asked, answered at once or later, the same state as by DIMSE."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom.uid import generate_uid

from conformance.commitment import request
from dicomweb_server.dicom.dicom_xml import from_xml, to_xml
from dicomweb_server.dicom.uid_patterns import UidPatterns
from dicomweb_server.dicomweb import commitment
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.services import Services
from dicomweb_server.services.ingest import IngestPolicy
from dicomweb_server.storage.commitment_requests_sqlite import SqliteCommitmentRequests
from tests.app.dicomweb_harness import JSON, Archive, Instance, open_archive, parts_of
from tests.app.dimse_harness import open_node
from tests.app.dimse_peers import fill, study
from tests.app.test_dimse_commitment import action, ask
from tests.builders import make_instance

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
XML = "application/dicom+xml"
COMMITTED, FAILED = "00081199", "00081198"
STUDIES, FAILED_STUDIES, SERIES = "00081110", "0008119B", "00081115"
BY_CLASS, INSTANCES, CLASS_UID, INSTANCE_UID = "00081112", "0008114A", "00081150", "00081155"
STUDY_UID, SERIES_UID, REASON = "0020000D", "0020000E", "00081197"

Document = dict[str, Any]


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Archive]:
    async with open_archive(tmp_path) as opened:
        yield opened


def uid(tag: str, value: str) -> Document:
    return {tag: {"vr": "UI", "Value": [value]}}


def sequence(tag: str, *items: Document) -> Document:
    return {tag: {"vr": "SQ", "Value": list(items)}}


def wanted(*references: tuple[str, str]) -> Document:
    """A Storage Commitment Request Module of instances."""
    return sequence(COMMITTED, *(uid(CLASS_UID, kind) | uid(INSTANCE_UID, one) for kind, one in references))


def referred(found: Document, tag: str) -> dict[str, int | None]:
    """Instance UIDs of a sequence, with their failure reasons."""
    items = found.get(tag, {}).get("Value", [])
    return {one[INSTANCE_UID]["Value"][0]: one.get(REASON, {}).get("Value", [None])[0] for one in items}


async def asked(archive: Archive, document: Document, transaction: str = "", **headers: str) -> httpx.Response:
    path = f"/commitment-requests/{transaction or generate_uid()}"
    return await archive.post(json.dumps(document).encode(), path, JSON, **headers)


async def answered(archive: Archive, transaction: str) -> Document:
    """The answer that is waited for."""
    async with asyncio.timeout(5):
        while (response := await archive.get(f"/commitment-requests/{transaction}")).status_code == 202:
            assert (response.content, response.headers["retry-after"]) == (b"", "5")
            await asyncio.sleep(0.02)
    assert response.status_code == 200, response.text
    found: Document = response.json()
    return found


async def damage(folder: Path, instance: Instance) -> None:
    """Turn the last bit of a stored instance round."""
    for blob in await asyncio.to_thread(lambda: list((folder / "blobs").rglob("*.dcm"))):
        content = await asyncio.to_thread(blob.read_bytes)
        if instance.uid.encode() in content:
            await asyncio.to_thread(blob.write_bytes, content[:-1] + bytes((content[-1] ^ 1,)))


async def test_what_is_there_not_there_of_another_class_and_damaged(archive: Archive, tmp_path: Path) -> None:
    good, other, damaged = await archive.add(*(make_instance(SOPInstanceUID=generate_uid()) for _ in range(3)))
    await damage(tmp_path, damaged)
    unknown = generate_uid()
    document = wanted((CT, good.uid), (MR, other.uid), (CT, damaged.uid), (CT, unknown))
    response = await asked(archive, document, "2.25.1")
    assert (response.status_code, response.headers["content-type"]) == (200, JSON)
    found = response.json()
    assert set(found) == {COMMITTED, FAILED}
    assert referred(found, COMMITTED) == {good.uid: None}
    assert referred(found, FAILED) == {other.uid: 0x0119, damaged.uid: 0x0110, unknown: 0x0112}
    assert await answered(archive, "2.25.1") == found


async def test_a_class_that_is_not_stored(tmp_path: Path) -> None:
    async with open_archive(tmp_path, IngestPolicy(rejected_sop_classes=UidPatterns([MR]))) as archive:
        found = (await asked(archive, wanted((MR, "1.2.3")))).json()
    assert referred(found, FAILED) == {"1.2.3": 0x0122}


async def test_a_server_without_resources_says_so(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(*_: object) -> None:
        raise ServerError(Reason.BUSY)

    monkeypatch.setattr(archive.services.search, "find", refused)
    found = (await asked(archive, wanted((CT, "1.2.3")))).json()
    assert referred(found, FAILED) == {"1.2.3": 0x0213}


async def test_an_answer_that_cannot_be_kept_is_told_and_asked_for_again(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def refused(*_: object) -> None:
        raise ServerError(Reason.OUT_OF_RESOURCES, "there is no room")

    monkeypatch.setattr(archive.store.commitment_requests, "answer_request", refused)
    response = await asked(archive, wanted((CT, "1.2.3")), "2.25.1")
    assert (response.status_code, response.json()["detail"]) == (503, "there is no room")
    assert "was not answered" in caplog.text
    assert (await archive.get("/commitment-requests/2.25.1")).status_code == 202


async def test_a_study_a_series_and_instances_in_them(archive: Archive) -> None:
    series = [generate_uid() for _ in range(2)]
    files = [
        make_instance(StudyInstanceUID="1.9", SeriesInstanceUID=one, SOPInstanceUID=generate_uid()) for one in series
    ]
    first, second = await archive.add(*files)
    (elsewhere,) = await archive.add(make_instance(StudyInstanceUID="1.8", SOPInstanceUID=generate_uid()))
    whole = (await asked(archive, sequence(STUDIES, uid(STUDY_UID, "1.9")))).json()
    (item,) = whole[STUDIES]["Value"]
    assert set(whole) == {STUDIES}
    assert {one[SERIES_UID]["Value"][0] for one in item[SERIES]["Value"]} == {first.series, second.series}
    ours = [uid(INSTANCE_UID, one.uid) for one in (first, elsewhere)]
    named = sequence(BY_CLASS, uid(CLASS_UID, CT) | sequence(INSTANCES, *ours))
    part = uid(STUDY_UID, "1.9") | sequence(SERIES, uid(SERIES_UID, first.series) | named, uid(SERIES_UID, "1.2.9"))
    found = (await asked(archive, sequence(STUDIES, part, uid(STUDY_UID, "1.2.8")))).json()
    (good,) = found[STUDIES]["Value"]
    (of_class,) = good[SERIES]["Value"][0][BY_CLASS]["Value"]
    assert (of_class[CLASS_UID]["Value"], referred(of_class, INSTANCES)) == ([CT], {first.uid: None})
    no_study, no_series = found[FAILED_STUDIES]["Value"]
    assert (no_study[STUDY_UID]["Value"], no_study[REASON]["Value"]) == (["1.2.8"], [0x0112])
    reasons = {one[SERIES_UID]["Value"][0]: one for one in no_series[SERIES]["Value"]}
    assert reasons["1.2.9"][REASON]["Value"] == [0x0112]
    assert referred(reasons[first.series][BY_CLASS]["Value"][0], INSTANCES) == {elsewhere.uid: 0x0112}


async def test_xml_and_parts(archive: Archive) -> None:
    (stored,) = await archive.add(make_instance())
    document = wanted((CT, stored.uid))
    xml = to_xml(document)
    for number, (body, content_type) in enumerate(
        [
            (xml, XML),
            (
                b"--b\r\nContent-Type: " + XML.encode() + b"\r\n\r\n" + xml + b"\r\n--b--",
                f'multipart/related; type="{XML}"; boundary=b',
            ),
            (
                b"--b\r\n\r\n" + json.dumps([document]).encode() + b"\r\n--b--",
                f'multipart/related; type="{JSON}"; boundary=b',
            ),
        ]
    ):
        response = await archive.post(body, f"/commitment-requests/2.25.{number + 1}", content_type, accept=XML)
        assert (response.status_code, response.headers["content-type"]) == (200, XML), response.text
        assert referred(from_xml(response.content), COMMITTED) == {stored.uid: None}
    for media_type in (XML, JSON):
        response = await archive.get("/commitment-requests/2.25.1", f'multipart/related; type="{media_type}"')
        (part,) = parts_of(response)
        assert part.media_type == media_type
        found = from_xml(part.body) if media_type == XML else json.loads(part.body)
        assert referred(found, COMMITTED) == {stored.uid: None}


async def test_an_answer_that_takes_longer_is_fetched(tmp_path: Path) -> None:
    async with open_archive(tmp_path, commitment_wait=0.0) as archive:
        (stored,) = await archive.add(make_instance())
        response = await asked(archive, wanted((CT, stored.uid)), "2.25.1")
        assert (response.status_code, response.content, response.headers["retry-after"]) == (202, b"", "5")
        assert "content-type" not in response.headers
        assert referred(await answered(archive, "2.25.1"), COMMITTED) == {stored.uid: None}


async def test_what_was_not_answered_is_answered_after_a_restart(tmp_path: Path) -> None:
    async with open_archive(tmp_path, commitment_wait=0.0) as archive:
        (stored,) = await archive.add(make_instance())
        await asked(archive, wanted((CT, stored.uid)), "2.25.1")
        await archive.services.commitment_requests.stop()
        assert (await archive.get("/commitment-requests/2.25.1")).status_code == 202
    async with open_archive(tmp_path) as archive:
        answering = asyncio.create_task(archive.services.commitment_requests.answer_forever())
        assert referred(await answered(archive, "2.25.1"), COMMITTED) == {stored.uid: None}
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)


async def test_a_transaction_uid_is_used_once(archive: Archive) -> None:
    (stored,) = await archive.add(make_instance())
    assert (await asked(archive, wanted((CT, stored.uid)), "2.25.1")).status_code == 200
    again = await asked(archive, wanted((CT, "1.2.3")), "2.25.1")
    assert (again.status_code, again.json()["detail"]) == (409, "the transaction UID is in use")
    assert referred(await answered(archive, "2.25.1"), COMMITTED) == {stored.uid: None}


async def test_old_answers_are_gone(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    table = archive.store.commitment_requests
    assert isinstance(table, SqliteCommitmentRequests)
    monkeypatch.setattr(table, "_most_answers", 2)
    monkeypatch.setattr(table, "_most_uids", 4)
    for number in range(1, 7):
        await asked(archive, wanted((CT, "1.2.3")), f"2.25.{number}")
    statuses = [(await archive.get(f"/commitment-requests/2.25.{number}")).status_code for number in range(1, 7)]
    assert statuses == [404, 404, 410, 410, 200, 200]
    assert (await asked(archive, wanted((CT, "1.2.3")), "2.25.3")).status_code == 409


async def test_large_answers_are_forgotten_sooner(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicomweb_server.storage.commitment_requests_sqlite.MOST_BYTES", 1000)
    large = wanted(*((CT, f"1.2.3.{number}") for number in range(20)))
    for number, document in enumerate((large, wanted((CT, "1.2.3")), wanted((CT, "1.2.3"))), start=1):
        await asked(archive, document, f"2.25.{number}")
    statuses = [(await archive.get(f"/commitment-requests/2.25.{number}")).status_code for number in (1, 2, 3)]
    assert statuses == [410, 200, 200]


BAD: list[tuple[Any, str]] = [
    ([1], "expected an array of DICOM JSON objects"),
    ([], "expected an array"),
    ([{}, {}], "there are 2"),
    ({}, "expected items in ReferencedSOPSequence (0008,1199)"),
    (sequence(COMMITTED), "expected items in ReferencedSOPSequence"),
    ({COMMITTED: [1]}, "ReferencedSOPSequence: expected an object with vr"),
    ({COMMITTED: {"vr": "SQ", "Value": "x"}}, "ReferencedSOPSequence: expected an object"),
    ({COMMITTED: {"vr": "SQ", "Value": ["x"]}}, "ReferencedSOPSequence: expected items"),
    (wanted((CT, "1.2"), (CT, "x")), "ReferencedSOPSequence[2].ReferencedSOPInstanceUID: expected a UID"),
    (sequence(COMMITTED, uid(INSTANCE_UID, "1.2")), "[1].ReferencedSOPClassUID: expected a UID"),
    (sequence(STUDIES, {}), "ReferencedStudySequence[1].StudyInstanceUID"),
    (
        sequence(STUDIES, uid(STUDY_UID, "1.2") | sequence(SERIES, {})),
        "ReferencedStudySequence[1].ReferencedSeriesSequence[1].SeriesInstanceUID",
    ),
    (wanted((CT, "1.2")) | uid("00081195", "1.2.3"), "TransactionUID is another"),
]
PARTS = f'multipart/related; type="{JSON}"; boundary=b'
BAD_BODIES = [
    (b"{", JSON, 400, "not JSON"),
    (b"<a/>", XML, 400, ""),
    (b"x", "text/plain", 415, "text/plain"),
    (b"x", "nonsense", 400, "Content-Type"),
    (b"--b\r\n\r\n{}\r\n--b\r\n\r\n{}\r\n--b--", PARTS, 413, "parts"),
    (b"--b--", PARTS, 400, "no parts"),
    (b"--b\r\n\r\n{}", PARTS, 400, ""),
    (b"--b\r\n\r\n{}\r\n--b--", "multipart/related; boundary=b", 415, ""),
    *((json.dumps(document).encode(), JSON, 400, said) for document, said in BAD),
]


@pytest.mark.parametrize(("body", "content_type", "status", "said"), BAD_BODIES)
async def test_what_is_no_request(archive: Archive, body: bytes, content_type: str, status: int, said: str) -> None:
    response = await archive.post(body, "/commitment-requests/2.25.1", content_type)
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json"), (
        response.text
    )
    assert said in response.json()["detail"]
    assert (await archive.get("/commitment-requests/2.25.1")).status_code == 404


async def test_limits_types_and_methods(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    document = wanted((CT, "1.2.3"))
    assert (await asked(archive, document, accept="image/png")).status_code == 406
    assert (await asked(archive, document, "1..2")).status_code == 400
    assert (await archive.get("/commitment-requests/" + "1" * 65)).status_code == 400
    assert (await archive.get("/commitment-requests/2.25.9")).status_code == 404
    assert (await archive.get("/commitment-requests/2.25.9", "image/png")).status_code == 406
    refused = await archive.send("DELETE", "/commitment-requests/2.25.9")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS, POST")
    monkeypatch.setattr(commitment, "LARGEST_REQUEST", 100)
    assert (await asked(archive, document)).status_code == 413
    monkeypatch.setattr("dicomweb_server.services.commitment_requests._MOST_WAITING", 0)
    monkeypatch.setattr(commitment, "LARGEST_REQUEST", 1000)
    busy = await asked(archive, document)
    assert (busy.status_code, busy.headers["retry-after"]) == (503, "5")


async def test_a_transaction_of_dimse_is_known_and_its_uid_in_use(tmp_path: Path) -> None:
    async with open_node(tmp_path) as node:
        (stored,) = await fill(node, *study(1))
        status, told = await asyncio.to_thread(ask, node.port, action("2.25.4", [stored]))
        assert status == 0x0000
        assert told is not None
        judged = await _judged(node.services, "2.25.4")
        assert judged == {stored.SOPInstanceUID: 0}
        with pytest.raises(Exception, match="in use"):
            await node.services.commitment_requests.take("2.25.4", [])


async def test_one_that_is_owed_is_not_answered_yet_and_its_uid_in_use(archive: Archive) -> None:
    await archive.store.commitments.add_owed("2.25.4", "ASKER", [])
    assert (await archive.get("/commitment-requests/2.25.4")).status_code == 202
    assert (await asked(archive, wanted((CT, "1.2.3")), "2.25.4")).status_code == 409


async def test_a_transaction_of_http_does_not_change_for_dimse(tmp_path: Path) -> None:
    async with open_node(tmp_path) as node:
        (stored,) = await fill(node, *study(1))
        await node.services.commitment_requests.note("2.25.4", [])
        dataset = request("2.25.4", [(stored.SOPClassUID, stored.SOPInstanceUID)])
        status, told = await asyncio.to_thread(ask, node.port, dataset)
        assert status == 0x0000
        assert told is not None
        assert await _judged(node.services, "2.25.4") == {}


async def _judged(services: Services, transaction: str) -> dict[str, int]:
    judged = await services.commitment_requests.answer(transaction)
    assert judged is not None
    return {each.wanted.reference.instance_uid: each.failure for each in judged if each.wanted.reference}
