"""What clients add to resources: metadata, labels, attachments, protection; and that all of it goes with them."""

from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import md5
from pathlib import Path
from typing import Any

import pytest

from dicomweb_server.dicom.orthanc_id import orthanc_id
from dicomweb_server.rest.names import ATTACHMENTS, NUMBERS, Names
from tests.app.rest_harness import Rest, open_rest
from tests.builders import make_instance

STUDY = "1.2.826.0.1.3680043.8.498.1"
FIRST = make_instance(
    PatientID="P1", StudyInstanceUID=STUDY, SeriesInstanceUID=f"{STUDY}.1", SOPInstanceUID=f"{STUDY}.1.1"
)
PATIENT_ROOT = f"/patients/{orthanc_id('P1')}"
STUDY_ROOT = f"/studies/{orthanc_id('P1', STUDY)}"
ROOT = f"/instances/{orthanc_id('P1', STUDY, f'{STUDY}.1', f'{STUDY}.1.1')}"


@pytest.fixture
async def rest(tmp_path: Path) -> AsyncIterator[Rest]:
    names = {"metadata": Names(NUMBERS, {"colour": 4000}), "attachments": Names(ATTACHMENTS, {"report": 2000})}
    async with open_rest(tmp_path, change=lambda options: replace(options, **names)) as opened:  # type: ignore[arg-type]
        await opened.post("/instances", FIRST)
        yield opened


async def test_metadata_of_the_system(rest: Rest) -> None:
    found = await rest.json(f"{ROOT}/metadata?expand")
    assert found["Origin"] == "RestApi"
    assert (await rest.get(f"{ROOT}/metadata/TransferSyntax")).text == found["TransferSyntax"]
    assert (await rest.get(f"{ROOT}/metadata/9")).text == found["TransferSyntax"]
    refused = await rest.send("PUT", f"{ROOT}/metadata/TransferSyntax", "x")
    assert (refused.status_code, refused.json()["OrthancStatus"]) == (403, 45)
    assert "LastUpdate" in await rest.json(f"{STUDY_ROOT}/metadata")


async def test_metadata_of_users(rest: Rest) -> None:
    first = await rest.send("PUT", f"{STUDY_ROOT}/metadata/colour", "blue")
    assert first.headers["etag"] == f'"0-{md5(b"blue").hexdigest()}"'
    read = await rest.get(f"{STUDY_ROOT}/metadata/4000")
    assert (read.text, read.headers["etag"]) == ("blue", first.headers["etag"])
    assert (await rest.get(f"{STUDY_ROOT}/metadata/4000", if_none_match=read.headers["etag"])).status_code == 304
    await rest.send("PUT", f"{STUDY_ROOT}/metadata/1024", "other")
    assert (await rest.json(f"{STUDY_ROOT}/metadata?expand"))["colour"] == "blue"
    assert {4000, 1024} < set(await rest.json(f"{STUDY_ROOT}/metadata?numeric"))
    body: dict[str, Any] = {"Level": "Study", "Query": {}, "MetadataQuery": {"4000": "bl*"}}
    assert len((await rest.post("/tools/find", body)).json()) == 1
    assert (await rest.post("/tools/find", body | {"MetadataQuery": {"colour": "red"}})).json() == []
    body["OrderBy"] = [{"Type": "Metadata", "Key": "colour", "Direction": "DESC"}]
    shown = (await rest.post("/tools/find", body | {"ResponseContent": ["Metadata"]})).json()
    assert shown[0]["Metadata"]["colour"] == "blue"
    assert (await rest.send("DELETE", f"{STUDY_ROOT}/metadata/colour")).status_code == 200
    assert (await rest.send("DELETE", f"{STUDY_ROOT}/metadata/colour")).status_code == 404


@pytest.mark.parametrize("name", ["unknown", "1023", "65536", "99999999", "..", "a%2fb", "%00"])
async def test_names_that_nobody_gave(rest: Rest, name: str) -> None:
    for kind in ("metadata", "attachments"):
        response = await rest.send("PUT", f"{STUDY_ROOT}/{kind}/{name}", "x")
        assert response.status_code in (404, 405)


async def test_two_clients_change_the_same(rest: Rest) -> None:
    path = f"{STUDY_ROOT}/metadata/1024"
    tag = (await rest.send("PUT", path, "one")).headers["etag"]
    second = await rest.send("PUT", path, "two", if_match=tag)
    assert second.headers["etag"].startswith('"1-')
    late = await rest.send("PUT", path, "three", if_match=tag)
    assert (late.status_code, late.json()["OrthancStatus"]) == (409, 43)
    assert (await rest.get(path)).text == "two"
    assert (await rest.send("DELETE", path, if_match=tag)).status_code == 409
    assert (await rest.send("PUT", path, "x", if_match="nonsense")).status_code == 400


async def test_revisions_may_be_demanded(tmp_path: Path) -> None:
    async with open_rest(tmp_path, change=lambda options: replace(options, check_revisions=True)) as rest:
        await rest.post("/instances", FIRST)
        for path in (f"{STUDY_ROOT}/metadata/1024", f"{STUDY_ROOT}/attachments/1024"):
            tag = (await rest.send("PUT", path, "one")).headers["etag"]
            assert (await rest.send("PUT", path, "two")).status_code == 409
            assert (await rest.send("DELETE", path)).status_code == 409
            assert (await rest.send("DELETE", path, if_match=tag)).status_code == 200


async def test_values_have_a_limit(rest: Rest) -> None:
    assert (await rest.send("PUT", f"{STUDY_ROOT}/metadata/1024", "x" * (1 << 20) + "y")).status_code == 413
    assert (await rest.send("PUT", f"{STUDY_ROOT}/metadata/1024", b"\xff")).status_code == 400


async def test_labels(rest: Rest) -> None:
    for label in ("urgent", "Second-2"):
        assert (await rest.send("PUT", f"{STUDY_ROOT}/labels/{label}")).status_code == 200
    assert await rest.json(f"{STUDY_ROOT}/labels") == ["Second-2", "urgent"]
    assert (await rest.json(STUDY_ROOT))["Labels"] == ["Second-2", "urgent"]
    assert await rest.json("/tools/labels") == ["Second-2", "urgent"]
    assert (await rest.get(f"{STUDY_ROOT}/labels/urgent")).status_code == 200
    assert (await rest.get(f"{STUDY_ROOT}/labels/other")).status_code == 404
    assert (await rest.send("DELETE", f"{STUDY_ROOT}/labels/urgent")).status_code == 200
    for wrong in ("a%20b", "a.b", "%C3%A4", "x" * 65):
        assert (await rest.send("PUT", f"{STUDY_ROOT}/labels/{wrong}")).status_code == 400


@pytest.mark.parametrize(
    ("labels", "constraint", "expected"),
    [
        (["a"], "All", 1),
        (["a", "b"], "All", 1),
        (["a", "c"], "All", 0),
        (["a", "c"], "Any", 1),
        (["c"], "None", 1),
        (["a"], "None", 0),
        ([], "None", 1),
    ],
)
async def test_find_by_labels(rest: Rest, labels: list[str], constraint: str, expected: int) -> None:
    for label in "ab":
        await rest.send("PUT", f"{STUDY_ROOT}/labels/{label}")
    body = {"Level": "Study", "Query": {}, "Labels": labels, "LabelsConstraint": constraint}
    assert len((await rest.post("/tools/find", body)).json()) == expected


async def test_the_attachments_of_the_system(rest: Rest) -> None:
    assert await rest.json(f"{ROOT}/attachments") == ["dicom"]
    assert "verify-md5" in await rest.json(f"{ROOT}/attachments/dicom")
    data = await rest.get(f"{ROOT}/attachments/dicom/data", range="bytes=128-131")
    assert (data.status_code, data.content) == (206, b"DICM")
    assert (await rest.get(f"{ROOT}/attachments/dicom/md5")).text == md5(FIRST).hexdigest()
    assert (await rest.json(f"{ROOT}/attachments/dicom/info"))["UncompressedSize"] == len(FIRST)
    assert "0010,0010" in (await rest.json(f"{ROOT}/attachments/dicom-as-json/data"))
    assert (await rest.post(f"{ROOT}/attachments/dicom/verify-md5")).json() == {}
    assert (await rest.send("DELETE", f"{ROOT}/attachments/dicom")).status_code == 403
    assert (await rest.get(f"{STUDY_ROOT}/attachments/dicom")).status_code == 404


async def test_attachments_of_users(rest: Rest) -> None:
    path = f"{STUDY_ROOT}/attachments/report"
    first = await rest.send("PUT", path, b"first report")
    assert (first.json(), first.headers["etag"]) == ({}, f'"0-{md5(b"first report").hexdigest()}"')
    second = await rest.send("PUT", path, b"second", if_match=first.headers["etag"])
    assert (await rest.send("PUT", path, b"third", if_match=first.headers["etag"])).status_code == 409
    assert await rest.json(f"{STUDY_ROOT}/attachments?full") == {"report": 2000}
    data = await rest.get(f"{path}/data?filename=a.txt")
    assert (data.content, data.headers["etag"]) == (b"second", second.headers["etag"])
    assert data.headers["content-disposition"] == 'filename="a.txt"'
    facts = [(await rest.get(f"{path}/{fact}")).text for fact in ("size", "compressed-size", "is-compressed", "md5")]
    assert facts == ["6", "6", "0", md5(b"second").hexdigest()]
    assert (await rest.post(f"{path}/verify-md5")).json() == (await rest.post(f"{path}/compress")).json() == {}
    assert (await rest.get(f"{path}/data", if_none_match=second.headers["etag"])).status_code == 304
    assert int((await rest.json("/statistics"))["TotalDiskSize"]) == len(FIRST) + 6
    assert (await rest.send("DELETE", path)).status_code == 200
    assert (await rest.get(f"{path}/data")).status_code == 404


async def stored_keys(rest: Rest) -> list[str]:
    everything = rest.store.blobs.keys()
    return [key async for key, _, _ in everything]


async def test_an_attachment_is_no_stray_blob_and_goes_with_its_resource(rest: Rest) -> None:
    await rest.send("PUT", f"{STUDY_ROOT}/attachments/1024", b"kept")
    await rest.send("PUT", f"{STUDY_ROOT}/metadata/1024", "kept")
    await rest.send("PUT", f"{STUDY_ROOT}/labels/kept")
    keys = await stored_keys(rest)
    assert await rest.store.index.known_keys(keys) == set(keys)
    assert len(keys) == 2
    await rest.send("DELETE", STUDY_ROOT)
    assert await rest.json("/tools/labels") == []
    assert await rest.services.delete.sweep() == 2
    assert await stored_keys(rest) == []
    await rest.post("/instances", FIRST)
    assert await rest.json(f"{STUDY_ROOT}/attachments") == []
    assert (await rest.get(f"{STUDY_ROOT}/metadata/1024")).status_code == 404


async def test_protection(rest: Rest) -> None:
    assert (await rest.get(f"{PATIENT_ROOT}/protected")).text == "0"
    assert (await rest.send("PUT", f"{PATIENT_ROOT}/protected", "1")).status_code == 200
    assert (await rest.json(PATIENT_ROOT))["IsProtected"] is True
    await rest.send("PUT", f"{PATIENT_ROOT}/protected", "0")
    assert (await rest.get(f"{PATIENT_ROOT}/protected")).text == "0"
    assert (await rest.send("PUT", f"{PATIENT_ROOT}/protected", "perhaps")).status_code == 400


async def test_statistics(rest: Rest) -> None:
    total = await rest.json("/statistics")
    assert [total[f"Count{name}"] for name in ("Patients", "Studies", "Series", "Instances")] == [1, 1, 1, 1]
    patient = await rest.json(f"{PATIENT_ROOT}/statistics")
    assert (patient["CountStudies"], patient["CountSeries"], patient["DicomDiskSize"]) == (1, 1, str(len(FIRST)))
    assert "CountInstances" not in await rest.json(f"{ROOT}/statistics")
