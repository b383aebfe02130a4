"""STOW-RS of DICOM JSON and XML with bulk data in parts of their own."""

import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import EncapsulatedPDFStorage, JPEGBaseline8Bit, generate_uid

from dicomweb_server.dicom.dicom_xml import to_xml
from dicomweb_server.dicomweb import stow_metadata
from tests.app.dicomweb_harness import ROOT, Archive, items, open_archive, split_parts, values
from tests.builders import make_dataset, make_instance

JSON_TYPE = 'multipart/related; type="application/dicom+json"; boundary=b'
XML_TYPE = 'multipart/related; type="application/dicom+xml"; boundary=b'
PDF = b"%PDF-1.7 " + b"y" * 5000
REFERENCED, FAILED, OTHER, REASON, INSTANCE_UID = "00081199", "00081198", "0008119A", "00081197", "00081155"


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Archive]:
    async with open_archive(tmp_path / "data") as opened:
        yield opened


def body(*parts: tuple[dict[str, str], bytes]) -> bytes:
    encoded = b""
    for headers, content in parts:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        encoded += f"--b\r\n{lines}\r\n".encode() + content + b"\r\n"
    return encoded + b"--b--\r\n"


def metadata(*documents: Any) -> tuple[dict[str, str], bytes]:
    return {"Content-Type": "application/dicom+json"}, json.dumps(documents).encode()


def bulk(location: str, content: bytes, media_type: str = "application/octet-stream") -> tuple[dict[str, str], bytes]:
    return {"Content-Type": media_type, "Content-Location": location}, content


def document(**attributes: Any) -> dict[str, Any]:
    """The metadata of an encapsulated PDF whose document is a part of its own."""
    found: dict[str, Any] = make_dataset(
        SOPClassUID=EncapsulatedPDFStorage, Modality="DOC", **attributes
    ).to_json_dict()
    return found | {"00420011": {"vr": "OB", "BulkDataURI": "doc"}}


def path(attributes: dict[str, Any]) -> str:
    study, series, uid = (attributes[tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018"))
    return f"/studies/{study}/series/{series}/instances/{uid}"


async def retrieved(archive: Archive, attributes: dict[str, Any]) -> Dataset:
    (part,) = split_parts(await archive.get(path(attributes)))
    return pydicom.dcmread(io.BytesIO(part.body))


async def test_json_and_bulk_data_make_an_instance(archive: Archive) -> None:
    one = document(PatientName="Müller^Jürgen")
    response = await archive.post(body(metadata(one), bulk("doc", PDF, "application/pdf")), content_type=JSON_TYPE)
    assert (response.status_code, values(items(response, REFERENCED), INSTANCE_UID)) == (
        200,
        [one["00080018"]["Value"][0]],
    )
    found = await retrieved(archive, one)
    assert (found.PatientName, found.EncapsulatedDocument.rstrip(b"\0")) == ("Müller^Jürgen", PDF)
    assert found.MIMETypeOfEncapsulatedDocument == "application/pdf"
    uri = (await archive.get(path(one) + "/metadata")).json()[0]["00420011"]["BulkDataURI"]
    assert (await archive.get(uri.removeprefix(ROOT), "application/pdf")).content.rstrip(b"\0") == PDF


async def test_xml_and_bulk_data_make_an_instance(archive: Archive) -> None:
    one = document(PatientName="Müller^Jürgen")
    part = ({"Content-Type": "application/dicom+xml"}, to_xml(one))
    response = await archive.post(body(part, bulk("doc", PDF)), content_type=XML_TYPE)
    assert response.status_code == 200
    assert (await retrieved(archive, one)).EncapsulatedDocument.rstrip(b"\0") == PDF


async def test_bulk_data_may_be_shared_and_come_first(archive: Archive) -> None:
    first, second = document(), document()
    response = await archive.post(body(bulk("doc", PDF), metadata(first, second)), content_type=JSON_TYPE)
    assert (response.status_code, len(items(response, REFERENCED))) == (200, 2)
    assert (await retrieved(archive, second)).EncapsulatedDocument.rstrip(b"\0") == PDF


async def test_a_single_object_and_several_parts_of_metadata(archive: Archive) -> None:
    first, second = document(), document()
    single: tuple[dict[str, str], bytes] = ({}, json.dumps(first).encode())
    response = await archive.post(body(single, metadata(second), bulk("doc", PDF)), content_type=JSON_TYPE)
    assert (response.status_code, len(items(response, REFERENCED))) == (200, 2)


async def test_a_jpeg_is_encapsulated(archive: Archive) -> None:
    file = pydicom.dcmread(io.BytesIO(make_instance(bits_allocated=8)))
    one: dict[str, Any] = file.to_json_dict() | {"7FE00010": {"vr": "OB", "BulkDataURI": "jpeg"}}
    # Enough of a baseline JPEG stream of 8 x 8 pixels to be known as one.
    frame_header = b"\xff\xc0\x00\x0b\x08\x00\x08\x00\x08\x01\x01\x11\x00"
    jpeg = b"\xff\xd8" + frame_header + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" + b"q" * 100 + b"\xff\xd9"
    jpeg += b"\0" * (len(jpeg) % 2)
    media_type = f"image/jpeg; transfer-syntax={JPEGBaseline8Bit}"
    response = await archive.post(body(metadata(one), bulk("jpeg", jpeg, media_type)), content_type=JSON_TYPE)
    assert response.status_code == 200, response.headers.get("warning")
    assert (await archive.get(path(one) + "/frames/1", "image/jpeg")).content == jpeg


async def test_large_bulk_data_go_through_the_spool(archive: Archive, tmp_path: Path) -> None:
    one, large = document(), bytes(range(256)) * 20_000
    assert (await archive.post(body(metadata(one), bulk("doc", large)), content_type=JSON_TYPE)).status_code == 200
    assert (await retrieved(archive, one)).EncapsulatedDocument == large
    assert list((tmp_path / "data" / "spool").iterdir()) == []


@pytest.mark.parametrize("uri", ["missing", "http://127.0.0.1:9/secret", "file:///etc/hostname"])
async def test_missing_bulk_data_fails_that_instance_only(archive: Archive, uri: str) -> None:
    broken, whole = document() | {"00420011": {"vr": "OB", "BulkDataURI": uri}}, document()
    response = await archive.post(body(metadata(broken, whole), bulk("doc", PDF)), content_type=JSON_TYPE)
    assert response.status_code == 202
    assert values(items(response, REFERENCED), INSTANCE_UID) == whole["00080018"]["Value"]
    (failed,) = items(response, FAILED)
    assert (failed[INSTANCE_UID]["Value"], failed[REASON]["Value"]) == (broken["00080018"]["Value"], [0xC003])
    alone = await archive.post(body(metadata(broken)), content_type=JSON_TYPE)
    assert (alone.status_code, len(items(alone, FAILED))) == (409, 1)


async def test_an_instance_of_another_study_is_refused(archive: Archive) -> None:
    response = await archive.post(
        body(metadata(document()), bulk("doc", PDF)), f"/studies/{generate_uid()}", content_type=JSON_TYPE
    )
    assert (response.status_code, values(items(response, FAILED), REASON)) == (409, [0xA900])


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"42",
        b"null",
        b"[]",
        b"[1]",
        b'"x"',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 5000,
        b"NaN",
        b'[{"00080018": {"vr": "ZZ", "Value": ["1.2"]}}]',
        b'[{"xyz": {"vr": "UI"}}]',
        b'[{"00080018": {"Value": ["1"]}}]',
        b'[{"00080018": "1.2"}]',
        b"[{}]",
    ],
)
async def test_broken_json_answers_400_or_409(archive: Archive, text: bytes) -> None:
    part = ({"Content-Type": "application/dicom+json"}, text)
    response = await archive.post(body(part, bulk("doc", PDF)), content_type=JSON_TYPE)
    assert response.status_code in (400, 409)
    assert items(response, REFERENCED) == [] if response.status_code == 409 else response.json()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"<x/>",
        b"<NativeDicomModel",
        b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]><NativeDicomModel/>',
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><NativeDicomModel>&b;</NativeDicomModel>',
        b"<a>" * 100_000,
    ],
)
async def test_broken_xml_answers_400_or_409(archive: Archive, text: bytes) -> None:
    response = await archive.post(body(({"Content-Type": "application/dicom+xml"}, text)), content_type=XML_TYPE)
    assert response.status_code in (400, 409)


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ([bulk("doc", PDF)], 400),
        ([({"Content-Type": "application/pdf"}, PDF), metadata({})], 415),
        ([({"Content-Type": "application/dicom+xml"}, b"<x/>")], 415),
        ([({"Content-Type": "nonsense"}, b"[]")], 400),
        ([metadata({}), bulk("doc", PDF, "nonsense")], 400),
    ],
)
async def test_other_parts_refuse_the_request(
    archive: Archive, parts: list[tuple[dict[str, str], bytes]], status: int
) -> None:
    response = await archive.post(body(*parts), content_type=JSON_TYPE)
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")


async def test_a_truncated_body_stores_nothing(archive: Archive) -> None:
    one = document()
    response = await archive.post(body(metadata(one), bulk("doc", PDF))[:-100], content_type=JSON_TYPE)
    assert response.status_code == 400
    assert (await archive.get(path(one))).status_code == 404


async def test_limits(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stow_metadata, "MAX_METADATA", 10)
    assert (await archive.post(body(metadata(document())), content_type=JSON_TYPE)).status_code == 413
    monkeypatch.undo()
    monkeypatch.setattr(stow_metadata, "MAX_BULK_PARTS", 1)
    two = body(metadata(document()), bulk("doc", PDF), bulk("other", PDF))
    assert (await archive.post(two, content_type=JSON_TYPE)).status_code == 413
