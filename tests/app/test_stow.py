"""STOW-RS of DICOM files over a real store: what is answered is what is stored."""

import gzip
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom.uid import generate_uid

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.index import OnDuplicate
from dicomweb_server.services.ingest import IngestPolicy
from dicomweb_server.services.retrieve import Scope
from tests.app.dicomweb_harness import (
    DICOM_TYPE,
    JSON,
    ROOT,
    Archive,
    instance,
    items,
    multipart_body,
    open_archive,
    split_parts,
    values,
)
from tests.builders import bare_dataset, make_dataset, make_instance, write_part10

REFERENCED, FAILED, OTHER = "00081199", "00081198", "0008119A"
CLASS_UID, INSTANCE_UID, URL, WARNING, REASON = "00081150", "00081155", "00081190", "00081196", "00081197"
CT = "1.2.840.10008.5.1.4.1.1.2"


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Archive]:
    async with open_archive(tmp_path) as opened:
        yield opened


def counts(response: httpx.Response) -> tuple[int, int, int, int]:
    """Status, and how many are referenced, failed, and failed without a name."""
    return response.status_code, *(len(items(response, tag)) for tag in (REFERENCED, FAILED, OTHER))  # type: ignore[return-value]


async def is_stored(archive: Archive, data: bytes) -> bool:
    response = await archive.get(instance(data).path, 'multipart/related; type="application/dicom"; transfer-syntax=*')
    return response.status_code == 200 and split_parts(response)[0].body == data


async def test_stored_instances_are_referenced(archive: Archive) -> None:
    first, second = make_instance(), make_instance()
    response = await archive.post(multipart_body(first, second))
    assert counts(response) == (200, 2, 0, 0)
    assert response.headers["content-type"] == JSON
    assert set(response.json()) == {REFERENCED}
    for data, item in zip((first, second), items(response, REFERENCED), strict=True):
        one = instance(data)
        assert item == {
            CLASS_UID: {"vr": "UI", "Value": [CT]},
            INSTANCE_UID: {"vr": "UI", "Value": [one.uid]},
            URL: {"vr": "UR", "Value": [ROOT + one.path]},
        }
        assert await is_stored(archive, data)


async def test_the_url_of_the_study_is_told_if_there_is_one(archive: Archive) -> None:
    data = make_instance()
    one = instance(data)
    for path in ("/studies", one.study_path):
        response = await archive.post(multipart_body(data), path)
        assert response.json()[URL] == {"vr": "UR", "Value": [ROOT + one.study_path]}


async def test_instances_of_another_study_are_refused(archive: Archive) -> None:
    data, stray = make_instance(), make_instance()
    response = await archive.post(multipart_body(data, stray), instance(data).study_path)
    assert counts(response) == (202, 1, 1, 0)
    (failed,) = items(response, FAILED)
    assert (failed[INSTANCE_UID]["Value"], failed[REASON]["Value"]) == ([instance(stray).uid], [0xA900])
    assert instance(stray).study in response.headers["warning"]
    assert not await is_stored(archive, stray)
    assert counts(await archive.post(multipart_body(stray), instance(data).study_path)) == (409, 0, 1, 0)


NOT_DICOM = b"This is not DICOM. " * 20
GOOD = make_instance()
BAD_PARTS: list[tuple[str, bytes, int]] = [
    ("not DICOM", NOT_DICOM, 0xC001),
    ("empty", b"", 0xC001),
    ("bare data set", bare_dataset(GOOD), 0xC001),
    ("preamble alone", b"\0" * 128 + b"DICM", 0xC000),
    ("truncated", GOOD[:-3], 0xC000),
    ("no instance UID", write_part10(make_dataset(SOPInstanceUID=None)), 0xC002),
    ("no study UID", write_part10(make_dataset(StudyInstanceUID="")), 0xC002),
    ("DICOMDIR", write_part10(make_dataset(SOPClassUID="1.2.840.10008.1.3.10")), 0x0122),
    ("unknown transfer syntax", make_instance().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.9\0"), 0xC122),
]


@pytest.mark.parametrize(("data", "reason"), [row[1:] for row in BAD_PARTS], ids=[row[0] for row in BAD_PARTS])
async def test_a_bad_part_fails_alone(archive: Archive, data: bytes, reason: int) -> None:
    good = make_instance()
    response = await archive.post(multipart_body(data, good))
    assert response.status_code == 202
    assert values(items(response, REFERENCED), INSTANCE_UID) == [instance(good).uid]
    failed = items(response, FAILED) + items(response, OTHER)
    assert values(failed, REASON) == [reason]
    assert await is_stored(archive, good)
    alone = await archive.post(multipart_body(data))
    assert alone.status_code == (400 if reason in (0xC000, 0xC001) else 409)
    assert values(items(alone, FAILED) + items(alone, OTHER), REASON) == [reason]


async def test_every_part_has_its_item(archive: Archive) -> None:
    good = make_instance()
    parts = [good, NOT_DICOM, make_instance(), good, b"", make_instance()]
    response = await archive.post(multipart_body(*parts), instance(good).study_path)
    assert counts(response) == (202, 2, 2, 2)
    mixed = await archive.post(multipart_body(NOT_DICOM, make_instance()), f"/studies/{generate_uid()}")
    assert counts(mixed) == (409, 0, 1, 1)


async def test_the_same_again_is_a_success(archive: Archive) -> None:
    data = make_instance()
    for _ in range(3):
        assert counts(await archive.post(multipart_body(data))) == (200, 1, 0, 0)
    assert counts(await archive.post(multipart_body(data, data))) == (200, 2, 0, 0)
    assert len(await archive.services.retrieve.instances(Scope(instance(data).study))) == 1


@pytest.mark.parametrize(
    ("policy", "status", "codes", "kept"),
    [
        (OnDuplicate.KEEP, 202, ([0xB001], []), "first"),
        (OnDuplicate.REPLACE, 202, ([0xB002], []), "second"),
        (OnDuplicate.REJECT, 409, ([], [0x0111]), "first"),
    ],
)
async def test_other_bytes_under_the_same_uids(
    tmp_path: Path, policy: OnDuplicate, status: int, codes: tuple[list[int], list[int]], kept: str
) -> None:
    uids: dict[str, Any] = {
        name: generate_uid() for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    }
    files = {"first": make_instance(**uids), "second": make_instance(**uids, StudyDescription="other")}
    async with open_archive(tmp_path, IngestPolicy(on_duplicate=policy)) as archive:
        await archive.add(files["first"])
        response = await archive.post(multipart_body(files["second"]))
        assert response.status_code == status
        assert (values(items(response, REFERENCED), WARNING), values(items(response, FAILED), REASON)) == codes
        assert await is_stored(archive, files[kept])


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("*/*", JSON),
        ("application/json", JSON),
        ("application/dicom+xml", "application/dicom+xml"),
        ('multipart/related; type="application/dicom+xml"', "multipart/related"),
        ("application/dicom+json;q=0.1, application/dicom+xml", "application/dicom+xml"),
    ],
)
async def test_the_answer_comes_as_asked(archive: Archive, accept: str, content_type: str) -> None:
    response = await archive.post(multipart_body(make_instance()), accept=accept)
    assert response.headers["content-type"].partition(";")[0] == content_type
    assert int(response.headers["content-length"]) == len(response.content)
    if content_type != JSON:
        assert b'keyword="ReferencedSOPSequence"' in response.content


async def test_nothing_is_stored_if_no_answer_can_be_made(archive: Archive) -> None:
    data = make_instance()
    response = await archive.post(multipart_body(data), accept="image/png")
    assert (response.status_code, response.json()["reason"]) == (406, "NOT_ACCEPTABLE")
    assert not await is_stored(archive, data)


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "multipart/form-data; boundary=b", 'multipart/related; type="image/jpeg"; boundary=b', "image/jpeg"],
)
async def test_other_bodies_answer_415(archive: Archive, content_type: str) -> None:
    response = await archive.post(multipart_body(GOOD), content_type=content_type)
    assert (response.status_code, response.json()["reason"]) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert "application/zip" in response.json()["detail"]


async def test_no_content_type_answers_415(archive: Archive) -> None:
    response = await archive.client.post(ROOT + "/studies", content=GOOD)
    assert response.status_code == 415


@pytest.mark.parametrize(
    ("body", "content_type", "words"),
    [
        (b"--frontier--\r\n", DICOM_TYPE, "no parts"),
        (b"", DICOM_TYPE, "no line with the boundary"),
        (b"hello", DICOM_TYPE, "no line with the boundary"),
        (multipart_body(GOOD, boundary="other"), DICOM_TYPE, "no line with the boundary"),
        (multipart_body(GOOD).replace(b"\r\n", b"\n"), DICOM_TYPE, "LF alone"),
        (multipart_body(GOOD)[:-30], DICOM_TYPE, "ended inside part 1"),
        (b"--frontier\r\nnonsense\r\n\r\nx\r\n--frontier--", DICOM_TYPE, "no field"),
        (multipart_body(GOOD), 'multipart/related; type="application/dicom"', "boundary"),
        (multipart_body(GOOD), 'multipart/related; type="application/dicom"; boundary=""', "boundary"),
        (multipart_body(GOOD), 'multipart/related; type="application/dicom"; boundary=' + "x" * 201, "boundary"),
        (multipart_body(GOOD), 'multipart/related; type="application/dicom', "Content-Type"),
        (b"", "application/dicom", "no parts"),
        (b"", "application/zip", "not a ZIP"),
    ],
)
async def test_bad_syntax_answers_400(archive: Archive, body: bytes, content_type: str, words: str) -> None:
    response = await archive.post(body, content_type=content_type)
    assert (response.status_code, response.headers["content-type"]) == (400, "application/problem+json")
    assert words in response.json()["detail"]
    assert counts(await archive.post(multipart_body(make_instance())))[0] == 200


async def test_what_came_whole_before_the_end_is_stored_and_told(archive: Archive) -> None:
    first, second = make_instance(), make_instance()
    response = await archive.post(multipart_body(first, second)[:-300])
    assert counts(response) == (202, 1, 0, 1)
    assert await is_stored(archive, first)
    assert not await is_stored(archive, second)
    assert "ended inside part 2" in response.headers["warning"]
    broken = await archive.post(multipart_body(NOT_DICOM, second)[:-300])
    assert counts(broken) == (400, 0, 0, 2)


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_a_body_may_come_in_pieces_of_any_size(archive: Archive, size: int) -> None:
    first, second = make_instance(), make_instance()
    body = multipart_body(first, second)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), size):
            yield body[start : start + size]

    assert counts(await archive.post(pieces())) == (200, 2, 0, 0)
    assert await is_stored(archive, second)


@pytest.mark.parametrize(
    ("content_type", "status"),
    [(None, 200), ("application/dicom", 200), ("Application/DICOM; transfer-syntax=1.2.840.10008.1.2.1", 200),
     ("text/plain", 415), ("application/octet-stream", 415), ("nonsense", 415)],
)  # fmt: skip
async def test_the_type_of_parts(archive: Archive, content_type: str | None, status: int) -> None:
    response = await archive.post(multipart_body(make_instance(), content_type=content_type))
    assert response.status_code == status
    if status != 200:
        assert values(items(response, OTHER), REASON) == [0xC005]


async def test_parts_in_another_transfer_encoding_are_refused(archive: Archive) -> None:
    body = b"--frontier\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--frontier--\r\n"
    assert (await archive.post(body)).status_code == 415


async def test_one_instance_alone(archive: Archive) -> None:
    data = make_instance()
    assert counts(await archive.post(data, content_type="application/dicom")) == (200, 1, 0, 0)
    assert await is_stored(archive, data)
    assert (await archive.post(NOT_DICOM, content_type="application/dicom")).status_code == 400


async def test_a_large_instance_goes_through_the_spool(archive: Archive) -> None:
    data = make_instance(rows=1500, columns=1500)
    assert counts(await archive.post(multipart_body(GOOD, data))) == (200, 2, 0, 0)
    assert await is_stored(archive, data)
    assert await is_stored(archive, GOOD)


async def test_many_parts(archive: Archive) -> None:
    study = generate_uid()
    files = [make_instance(StudyInstanceUID=study, InstanceNumber=n, rows=4, columns=4) for n in range(300)]
    response = await archive.post(multipart_body(*files))
    assert counts(response) == (200, 300, 0, 0)
    assert values(items(response, REFERENCED), INSTANCE_UID) == [instance(data).uid for data in files]


async def test_an_instance_over_the_limit(tmp_path: Path) -> None:
    small, large = make_instance(), make_instance(rows=500, columns=500)
    async with open_archive(tmp_path, max_instance_size=100_000) as archive:
        alone = await archive.post(multipart_body(large))
        assert (alone.status_code, alone.json()["reason"]) == (413, "TOO_LARGE")
        both = await archive.post(multipart_body(small, large, make_instance()))
        assert counts(both) == (202, 2, 0, 1)
        assert values(items(both, OTHER), REASON) == [0xA701]
        assert await is_stored(archive, small)
        single = await archive.post(large, content_type="application/dicom")
        assert single.status_code == 413


async def test_a_request_over_the_limit(tmp_path: Path) -> None:
    async with open_archive(tmp_path, max_request_size=5000) as archive:
        files = [make_instance() for _ in range(10)]
        declared = await archive.post(multipart_body(*files))
        assert (declared.status_code, declared.json()["reason"]) == (413, "TOO_LARGE")
        body = multipart_body(*files)

        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(body), 500):
                yield body[start : start + 500]

        chunked = await archive.post(pieces())
        assert chunked.status_code == 202
        assert len(items(chunked, OTHER)) == 1
        for data in files:
            assert await is_stored(archive, data) == (
                instance(data).uid in values(items(chunked, REFERENCED), INSTANCE_UID)
            )


async def test_content_codings(tmp_path: Path) -> None:
    async with open_archive(tmp_path, max_request_size=1_000_000) as archive:
        data = make_instance()
        body = multipart_body(data)
        assert counts(await archive.post(gzip.compress(body), content_encoding="gzip")) == (200, 1, 0, 0)
        assert await is_stored(archive, data)
        assert (await archive.post(body, content_encoding="identity")).status_code == 200
        refused = await archive.post(body, content_encoding="br")
        assert (refused.status_code, "gzip" in refused.json()["detail"]) == (415, True)
        assert (await archive.post(body, content_encoding="gzip")).status_code == 400
        assert (await archive.post(gzip.compress(body)[:-10], content_encoding="gzip")).status_code in (202, 400)
        bomb = gzip.compress(multipart_body(bytes(50_000_000)))
        assert (await archive.post(bomb, content_encoding="gzip")).status_code == 413


async def test_a_full_disk(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(staged: object) -> str:
        raise ServerError(Reason.OUT_OF_RESOURCES, "no space left on the device")

    with monkeypatch.context() as patch:
        patch.setattr(archive.store.blobs, "_choose_key", no_room)
        response = await archive.post(multipart_body(make_instance(), make_instance()))
        assert counts(response) == (503, 0, 2, 0)
        assert values(items(response, FAILED), REASON) == [0xA700] * 2
        assert int(response.headers["retry-after"]) > 0
    assert counts(await archive.post(multipart_body(make_instance())))[0] == 200


async def test_a_full_spool(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    large = make_instance(rows=1500, columns=1500)

    def no_room(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("dicomweb_server.storage.spool.write_all", no_room)
        response = await archive.post(multipart_body(large))
        assert counts(response) == (503, 0, 0, 1)
        assert values(items(response, OTHER), REASON) == [0xA700]
        small = make_instance()
        assert counts(await archive.post(multipart_body(large, small))) == (202, 1, 0, 1)
    assert counts(await archive.post(multipart_body(large))) == (200, 1, 0, 0)


async def test_a_client_that_goes_away_leaves_nothing_behind(archive: Archive, tmp_path: Path) -> None:
    large = make_instance(rows=1500, columns=1500)
    first = make_instance()
    body = multipart_body(first, large)
    messages: list[dict[str, object]] = [
        {"type": "http.request", "body": body[:-1000], "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[object] = []

    async def receive() -> dict[str, object]:
        return messages.pop(0)

    async def send(message: object) -> None:
        sent.append(message)

    transport = archive.client._transport
    assert isinstance(transport, httpx.ASGITransport)
    headers = [(b"host", b"h:1"), (b"content-type", DICOM_TYPE.encode())]
    scope = {"type": "http", "method": "POST", "path": "/dicom-web/studies", "headers": headers, "query_string": b""}
    await transport.app(scope, receive, send)
    assert sent == []
    await archive.services.ingest.close()
    assert list((tmp_path / "spool").iterdir()) == []
    assert counts(await archive.post(body)) == (200, 2, 0, 0)
