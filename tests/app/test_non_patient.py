"""Instances of no patient over HTTP (PS3.18 chapter 12): stored, found, retrieved, deleted."""

import json
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from conformance.non_patient import CLASSES, HANGING_PROTOCOL, color_palette, file, hanging_protocol, instance
from dicomweb_server.dicom.dicom_xml import from_xml
from dicomweb_server.dicom.non_patient import CATEGORIES
from dicomweb_server.dicom.uid_patterns import UidPatterns
from dicomweb_server.services import non_patient
from dicomweb_server.services.ingest import IngestPolicy, OnDuplicate
from dicomweb_server.storage.durability import SyncMode
from dicomweb_server.storage.store import Store, StoreOptions
from tests.app.dicomweb_harness import (
    JSON,
    ROOT,
    Archive,
    items,
    multipart_body,
    open_archive,
    parts_of,
    split_parts,
    values,
)
from tests.builders import make_instance

XML, DICOM, OCTETS = "application/dicom+xml", "application/dicom", "application/octet-stream"
STORED, FAILED, OTHER, REASON, WARNED = "00081199", "00081198", "0008119A", "00081197", "00081196"
NAME, LABEL, UID, RETRIEVE_URL = "00720002", "00700080", "00080018", "00081190"
PROTOCOLS = "/hanging-protocols"


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Archive]:
    async with open_archive(tmp_path) as opened:
        yield opened


async def add(archive: Archive, *datasets: Dataset, path: str = PROTOCOLS) -> httpx.Response:
    return await archive.post(multipart_body(*map(file, datasets)), path)


async def found(archive: Archive, query: str = "", path: str = PROTOCOLS) -> list[dict[str, Any]]:
    response = await archive.get(f"{path}?{query}", JSON)
    assert response.status_code == 200, response.text
    return list(response.json())


def one(dataset: Dataset, path: str = PROTOCOLS) -> str:
    return f"{path}/{dataset.SOPInstanceUID}"


async def test_stored_found_and_retrieved(archive: Archive) -> None:
    protocol = hanging_protocol()
    stored = await add(archive, protocol)
    assert stored.status_code == 200
    (item,) = items(stored, STORED)
    assert item[RETRIEVE_URL]["Value"] == [ROOT + one(protocol)]
    assert RETRIEVE_URL not in stored.json()
    (match,) = await found(archive)
    assert (match[UID]["Value"], match[NAME]["Value"]) == ([protocol.SOPInstanceUID], ["Chest"])
    response = await archive.get(one(protocol))
    assert response.headers["content-type"] == f"{DICOM}; transfer-syntax={ExplicitVRLittleEndian}"
    assert response.content == file(protocol)
    again = await archive.get(one(protocol), if_none_match=response.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("category", CATEGORIES)
async def test_each_category_has_its_own(archive: Archive, category: str) -> None:
    for name, sop_class in CLASSES.items():
        response = await add(archive, instance(sop_class), path=f"/{category}")
        assert response.status_code == (200 if name == category else 409)
        if name != category:
            assert values(items(response, FAILED), REASON) == [0x0122]
    (match,) = await found(archive, path=f"/{category}")
    uid = match[UID]["Value"][0]
    statuses = {name: (await archive.get(f"/{name}/{uid}")).status_code for name in CLASSES}
    assert statuses == {name: 200 if name == category else 404 for name in CLASSES}


async def test_an_answer_to_a_search_tells_instances_apart(archive: Archive) -> None:
    await add(archive, hanging_protocol())
    (match,) = await found(archive)
    assert match["00720008"] == {"vr": "LO", "Value": ["Müller"]}
    assert match["0072000C"]["Value"][0]["00080060"]["Value"] == ["CT"]
    assert "00720200" not in match  # Display Sets Sequence
    (match,) = await found(archive, "includefield=DisplaySetsSequence.DisplaySetNumber,PatientID")
    assert match["00720200"]["Value"] == [{"00720202": {"vr": "US", "Value": [1]}}]
    assert match["00100020"] == {"vr": "LO"}
    (match,) = await found(archive, "includefield=all")
    assert len(match["00720200"]["Value"][0]) == 2


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["Chest", "Head", "Knee"]),
        ("HangingProtocolName=Head", ["Head"]),
        ("00720002=*e*", ["Chest", "Head", "Knee"]),
        ("HangingProtocolName=H*&HangingProtocolLevel=SITE", ["Head"]),
        ("HangingProtocolLevel=USER_GROUP", []),
        ("HangingProtocolDefinitionSequence.Modality=MR", ["Knee"]),
        ("HangingProtocolCreationDateTime=2029-", ["Chest", "Head", "Knee"]),
        ("HangingProtocolCreationDateTime=-2028", []),
        (f"SOPClassUID={HANGING_PROTOCOL}", ["Chest", "Head", "Knee"]),
        ("limit=1&offset=0", 1),
        ("limit=2&offset=2", 1),
        ("limit=0", 0),
    ],
)
async def test_keys_and_pages(archive: Archive, query: str, expected: list[str] | int) -> None:
    mr = Dataset()
    mr.Modality = "MR"
    knee = hanging_protocol("Knee", HangingProtocolDefinitionSequence=[mr])
    await add(archive, hanging_protocol("Chest"), hanging_protocol("Head"), knee)
    names = [match[NAME]["Value"][0] for match in await found(archive, query)]
    assert (len(names) if isinstance(expected, int) else sorted(names)) == expected


async def test_pages_of_many(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(non_patient, "_BATCH", 2)
    await add(archive, *(hanging_protocol(f"N{number}") for number in range(7)))
    whole = [match[UID]["Value"][0] for match in await found(archive)]
    assert len(set(whole)) == 7
    paged = [
        match[UID]["Value"][0] for start in range(0, 7, 3) for match in await found(archive, f"limit=3&offset={start}")
    ]
    assert paged == whole
    response = await archive.get(f"{PROTOCOLS}?limit=3", JSON)
    assert "additional results" in response.headers["warning"]
    assert "warning" not in (await archive.get(f"{PROTOCOLS}?limit=7", JSON)).headers


@pytest.mark.parametrize(
    "query", ["limit=x", "orderby=PatientName", "HangingProtocolCreationDateTime=soon", "patientid=1"]
)
async def test_what_cannot_be_searched(archive: Archive, query: str) -> None:
    assert (await archive.get(f"{PROTOCOLS}?{query}", JSON)).status_code == 400


async def test_metadata_and_bulk_data(archive: Archive) -> None:
    palette = color_palette()
    await add(archive, palette, path="/color-palettes")
    path = one(palette, "/color-palettes")
    metadata = (await archive.get(path, JSON)).json()
    assert metadata[LABEL]["Value"] == ["HOT"]
    uri = metadata["00282000"]["BulkDataURI"]
    assert uri == f"{ROOT}{path}/bulkdata/00282000"
    bulk = await archive.get(uri.removeprefix(ROOT))
    assert (bulk.headers["content-type"], bulk.content) == (OCTETS, palette.ICCProfile)
    (part,) = split_parts(await archive.get(uri.removeprefix(ROOT), f'multipart/related; type="{OCTETS}"'))
    assert part.body == palette.ICCProfile
    xml = await archive.get(path, XML)
    assert (xml.headers["content-type"], from_xml(xml.content)[LABEL]["Value"]) == (XML, ["HOT"])
    (match,) = await found(archive, path="/color-palettes")
    assert not {"00282000", "00281201"} & set(match)
    (match,) = await found(archive, "includefield=ICCProfile", path="/color-palettes")
    assert match["00282000"]["BulkDataURI"] == uri
    for wrong, status in (("00100010", 404), ("x", 400)):
        assert (await archive.get(f"{path}/bulkdata/{wrong}")).status_code == status


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
async def test_transfer_syntaxes(archive: Archive, syntax: str) -> None:
    protocol = hanging_protocol()
    data = file(protocol, syntax)
    assert (await archive.post(data, PROTOCOLS, DICOM)).status_code == 200
    response = await archive.get(one(protocol), DICOM)
    read = pydicom.dcmread(BytesIO(response.content))
    assert read.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert read.DisplaySetsSequence == protocol.DisplaySetsSequence
    (part,) = split_parts(await archive.get(one(protocol), f'multipart/related; type="{DICOM}"; transfer-syntax=*'))
    assert (part.body, part.headers["content-type"]) == (data, f"{DICOM}; transfer-syntax={syntax}")


async def test_metadata_with_bulk_data_can_be_stored(archive: Archive) -> None:
    palette = color_palette(SpecificCharacterSet="ISO_IR 192")
    document = palette.to_json_dict() | {"00282000": {"vr": "OB", "BulkDataURI": "profile"}}
    for tag in ("00281101", "00281102", "00281103"):
        document[tag]["vr"] = "US"  # pydicom leaves that open
    body = (
        b"--b\r\nContent-Type: application/dicom+json\r\n\r\n" + json.dumps([document]).encode()
        + b"\r\n--b\r\nContent-Type: application/octet-stream\r\nContent-Location: profile\r\n\r\n"
        + palette.ICCProfile + b"\r\n--b--"
    )  # fmt: skip
    content_type = f'multipart/related; type="{JSON}"; boundary=b'
    response = await archive.post(body, "/color-palettes", content_type)
    assert response.status_code == 200, response.headers["warning"]
    read = pydicom.dcmread(BytesIO((await archive.get(one(palette, "/color-palettes"), DICOM)).content))
    assert (read.ContentLabel, read.ICCProfile) == ("HOT", palette.ICCProfile)


async def test_only_the_instance_of_the_path(archive: Archive) -> None:
    protocol = hanging_protocol()
    other = await add(archive, protocol, path=f"{PROTOCOLS}/1.2.3")
    assert (other.status_code, values(items(other, FAILED), REASON)) == (409, [0xA901])
    assert (await add(archive, protocol, path=one(protocol))).status_code == 200


@pytest.mark.parametrize(
    ("on_duplicate", "status", "reason", "name"),
    [
        (OnDuplicate.KEEP, 202, 0xB001, "First"),
        (OnDuplicate.REPLACE, 202, 0xB002, "Second"),
        (OnDuplicate.REJECT, 409, 0x0111, "First"),
    ],
)
async def test_other_bytes_under_a_known_uid(
    tmp_path: Path, on_duplicate: OnDuplicate, status: int, reason: int, name: str
) -> None:
    async with open_archive(tmp_path, IngestPolicy(on_duplicate=on_duplicate)) as archive:
        first = hanging_protocol("First")
        assert (await add(archive, first)).status_code == 200
        assert (await add(archive, first)).status_code == 200
        response = await add(archive, hanging_protocol("Second", SOPInstanceUID=first.SOPInstanceUID))
        assert response.status_code == status
        told = items(response, STORED) or items(response, FAILED)
        assert (told[0].get(WARNED) or told[0][REASON])["Value"] == [reason]
        assert [match[NAME]["Value"][0] for match in await found(archive)] == [name]


async def test_some_are_stored(archive: Archive) -> None:
    protocol = hanging_protocol()
    response = await archive.post(multipart_body(file(protocol), b"nonsense", make_instance()), PROTOCOLS)
    assert response.status_code == 202
    assert values(items(response, STORED), "00081155") == [protocol.SOPInstanceUID]
    assert values(items(response, FAILED), REASON) == [0x0122]
    assert len(items(response, OTHER)) == 1


@pytest.mark.parametrize("missing", ["SOPInstanceUID", "SOPClassUID"])
async def test_what_does_not_say_what_it_is(archive: Archive, missing: str) -> None:
    protocol = hanging_protocol()
    data = file(protocol).replace(protocol[missing].value.encode(), b"x" * len(protocol[missing].value))
    response = await archive.post(data, PROTOCOLS, DICOM)
    assert response.status_code in (400, 409)
    assert await found(archive) == []


async def test_limits_and_policies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_archive(tmp_path, IngestPolicy(rejected_sop_classes=UidPatterns([HANGING_PROTOCOL]))) as archive:
        response = await add(archive, hanging_protocol())
        assert (response.status_code, values(items(response, FAILED), REASON)) == (409, [0x0122])
        monkeypatch.setattr("dicomweb_server.dicomweb.non_patient.LARGEST", 1000)
        assert (await add(archive, color_palette(), path="/color-palettes")).status_code == 413
        assert (await archive.post(b"x", PROTOCOLS, "text/plain")).status_code == 415
        assert (await archive.post(multipart_body(), PROTOCOLS)).status_code == 400
        assert (await add(archive, color_palette(), path="/no-palettes")).status_code == 404


async def test_a_preamble_is_cleared(archive: Archive) -> None:
    protocol = hanging_protocol()
    data = b"MZ" + b"x" * 126 + file(protocol)[128:]
    assert (await archive.post(data, PROTOCOLS, DICOM)).status_code == 200
    assert (await archive.get(one(protocol))).content[:128] == bytes(128)


async def test_deleted_is_gone(archive: Archive) -> None:
    protocol = hanging_protocol()
    await add(archive, protocol)
    assert (await archive.send("DELETE", one(protocol))).status_code == 204
    assert (await archive.send("DELETE", one(protocol))).status_code == 404
    assert (await archive.get(one(protocol))).status_code == 404
    assert await found(archive) == []


async def test_answers_by_type(archive: Archive) -> None:
    protocol = hanging_protocol()
    assert (await archive.get(PROTOCOLS, f'multipart/related; type="{XML}"')).status_code == 204
    await add(archive, protocol)
    (part,) = parts_of(await archive.get(PROTOCOLS, f'multipart/related; type="{XML}"'))
    assert from_xml(part.body)[NAME]["Value"] == ["Chest"]
    (part,) = split_parts(await archive.get(one(protocol), f'multipart/related; type="{DICOM}"'))
    assert part.body == file(protocol)
    for path in (PROTOCOLS, one(protocol)):
        assert (await archive.get(path, "image/png")).status_code == 406
    head = await archive.send("HEAD", one(protocol))
    assert (head.status_code, head.content, int(head.headers["content-length"])) == (200, b"", len(file(protocol)))


async def test_they_survive_a_restart_and_a_rebuilt_index(tmp_path: Path) -> None:
    protocol = hanging_protocol()
    async with open_archive(tmp_path) as archive:
        await add(archive, protocol)
    rebuilding = Store(tmp_path, StoreOptions(sync=SyncMode.OFF), rebuild=True)
    await rebuilding.finish_rebuild()
    await rebuilding.close()
    async with open_archive(tmp_path) as archive:
        assert (await archive.get(one(protocol))).content == file(protocol)


async def test_the_server_answers_for_them(archive: Archive) -> None:
    protocol = hanging_protocol()
    await add(archive, protocol)
    references = [(HANGING_PROTOCOL, protocol.SOPInstanceUID), ("1.2.840.10008.5.1.4.1.1.2", protocol.SOPInstanceUID)]
    wanted = [
        {"00081150": {"vr": "UI", "Value": [kind]}, "00081155": {"vr": "UI", "Value": [uid]}}
        for kind, uid in references
    ]
    body = json.dumps({STORED: {"vr": "SQ", "Value": wanted}}).encode()
    response = await archive.post(body, "/commitment-requests/2.25.1", JSON)
    assert values(items(response, STORED), "00081150") == [HANGING_PROTOCOL]
    assert values(items(response, FAILED), REASON) == [0x0119]
