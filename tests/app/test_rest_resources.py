"""Resources under Orthanc's identifiers: lists, details, files, tags, searches, upload, deletion."""

import gzip
import io
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pydicom
import pytest

from dicomweb_server.dicom.orthanc_id import orthanc_id
from tests.app.rest_harness import Rest, open_rest
from tests.builders import make_instance

STUDY, OTHER = "1.2.826.0.1.3680043.8.498.1", "1.2.826.0.1.3680043.8.498.2"


def file(number: int, **attributes: Any) -> bytes:
    values: dict[str, Any] = {
        "PatientID": "P1",
        "StudyInstanceUID": STUDY,
        "SeriesInstanceUID": f"{STUDY}.1",
        "SOPInstanceUID": f"{STUDY}.1.{number}",
        "InstanceNumber": number,
    }
    return make_instance(**(values | attributes))


FIRST = file(1, ImagePositionPatient=["1.500", "-2.0", "3"], PatientComments="x" * 300)
SECOND = file(2)
THIRD = file(
    3,
    PatientID="P2",
    PatientName="Roe^Rich\xe9rd",
    StudyInstanceUID=OTHER,
    SeriesInstanceUID=f"{OTHER}.1",
    SOPInstanceUID=f"{OTHER}.1.1",
    StudyDate="20201231",
    Modality="MR",
    AccessionNumber="A2",
)
PATIENT = orthanc_id("P1")
STUDY_ID = orthanc_id("P1", STUDY)
SERIES_ID = orthanc_id("P1", STUDY, f"{STUDY}.1")
FIRST_ID = orthanc_id("P1", STUDY, f"{STUDY}.1", f"{STUDY}.1.1")
OTHER_ID = orthanc_id("P2", OTHER)
UNKNOWN = orthanc_id("nobody")


@pytest.fixture
async def rest(tmp_path: Path) -> AsyncIterator[Rest]:
    async with open_rest(tmp_path) as opened:
        for data in (FIRST, SECOND, THIRD):
            assert (await opened.post("/instances", data)).json()["Status"] == "Success"
        yield opened


async def test_lists_are_identifiers_or_what_is_shown(rest: Rest) -> None:
    assert await rest.json("/studies") == [STUDY_ID, OTHER_ID]
    assert await rest.json("/studies?since=1&limit=5") == [OTHER_ID]
    assert await rest.json("/instances?limit=1") == [FIRST_ID]
    assert await rest.json("/patients?expand=false") == [PATIENT, orthanc_id("P2")]
    (shown,) = await rest.json("/studies?expand&limit=1")
    assert shown["MainDicomTags"]["StudyInstanceUID"] == STUDY
    assert shown["PatientMainDicomTags"]["PatientName"] == "Doe^Jane"
    assert (shown["Series"], shown["ParentPatient"], shown["Labels"]) == ([SERIES_ID], PATIENT, [])
    assert len(await rest.json("/instances?expand")) == 3


async def test_details_of_every_level(rest: Rest) -> None:
    patient = await rest.json(f"/patients/{PATIENT}")
    assert (patient["Type"], patient["Studies"], patient["IsProtected"]) == ("Patient", [STUDY_ID], False)
    series = await rest.json(f"/series/{SERIES_ID}?short")
    assert (series["Status"], len(series["Instances"]), series["MainDicomTags"]["0008,0060"]) == ("Unknown", 2, "CT")
    instance = await rest.json(f"/instances/{FIRST_ID}?full")
    assert instance["MainDicomTags"]["0020,0032"]["Value"] == "1.500\\-2.0\\3"
    assert (instance["IndexInSeries"], instance["FileSize"]) == (1, len(FIRST))


async def test_a_resource_is_stable_after_a_while(tmp_path: Path) -> None:
    from dataclasses import replace

    async with open_rest(tmp_path, change=lambda options: replace(options, stable_age=0.0)) as rest:
        await rest.post("/instances", FIRST)
        assert (await rest.json(f"/studies/{STUDY_ID}"))["IsStable"] is True


async def test_requested_tags_come_from_anywhere(rest: Rest) -> None:
    shown = await rest.json(
        f"/studies/{STUDY_ID}?requested-tags=ModalitiesInStudy;NumberOfStudyRelatedInstances;0010,4000;PatientID"
    )
    assert shown["RequestedTags"] == {
        "ModalitiesInStudy": "CT",
        "NumberOfStudyRelatedInstances": "2",
        "PatientComments": "x" * 300,
        "PatientID": "P1",
    }


async def test_ways_up_and_down(rest: Rest) -> None:
    assert (await rest.json(f"/instances/{FIRST_ID}/study"))["ID"] == STUDY_ID
    assert (await rest.json(f"/instances/{FIRST_ID}/patient"))["ID"] == PATIENT
    assert [one["Type"] for one in await rest.json(f"/patients/{PATIENT}/instances")] == ["Instance"] * 2
    assert await rest.json(f"/studies/{STUDY_ID}/series?expand=false") == [SERIES_ID]


async def test_the_file_and_ranges_of_it(rest: Rest) -> None:
    path = f"/instances/{FIRST_ID}/file"
    response = await rest.get(path)
    assert (response.content, response.headers["content-type"]) == (FIRST, "application/dicom")
    assert response.headers["content-disposition"] == f'filename="{FIRST_ID}.dcm"'
    named = await rest.get(f"{path}?filename=../a%22b")
    assert named.headers["content-disposition"] == 'filename=".._a_b"'
    part = await rest.get(path, range="bytes=128-131")
    assert (part.status_code, part.content) == (206, b"DICM")
    assert (await rest.get(path, if_none_match=response.headers["etag"])).status_code == 304
    wrong = await rest.get(path, range="bytes=999999-")
    assert (wrong.status_code, wrong.json()["OrthancStatus"]) == (416, 41)


async def test_tags_in_three_formats(rest: Rest) -> None:
    full = await rest.json(f"/instances/{FIRST_ID}/tags")
    assert full["0010,0010"] == {"Name": "PatientName", "Type": "String", "Value": "Doe^Jane"}
    assert full["0010,4000"] == {"Name": "PatientComments", "Type": "TooLong", "Value": None}
    assert full["7fe0,0010"]["Type"] == "Null"
    short = await rest.json(f"/instances/{FIRST_ID}/tags?short&ignore-length=PatientComments")
    assert short["0010,4000"] == "x" * 300
    simple = await rest.json(f"/instances/{FIRST_ID}/simplified-tags")
    assert simple["InstanceNumber"] == "1"
    assert simple == await rest.json(f"/instances/{FIRST_ID}/tags?simplify")


async def test_tags_of_many(rest: Rest) -> None:
    everything = await rest.json(f"/series/{SERIES_ID}/instances-tags?simplify")
    assert [tags["InstanceNumber"] for tags in everything.values()] == ["1", "2"]
    shared = await rest.json(f"/studies/{STUDY_ID}/shared-tags?simplify")
    assert shared["StudyInstanceUID"] == STUDY
    assert "InstanceNumber" not in shared
    assert set(await rest.json(f"/studies/{STUDY_ID}/module?simplify")) >= {"StudyDate", "StudyID"}
    assert "PatientName" in await rest.json(f"/studies/{STUDY_ID}/module-patient?simplify")


async def test_raw_values(rest: Rest) -> None:
    root = f"/instances/{FIRST_ID}/content"
    assert "0010-0010" in await rest.json(root)
    name = await rest.get(f"{root}/0010-0010")
    assert (name.content, name.headers["content-type"]) == (b"Doe^Jane", "application/octet-stream")
    dataset = pydicom.dcmread(io.BytesIO(FIRST))
    assert await rest.json(f"{root}/PixelData") == ["0"]
    assert (await rest.get(f"{root}/PixelData/0")).content == dataset.PixelData
    assert (await rest.get(f"{root}/PixelData/1")).status_code == 404
    assert (await rest.get(f"{root}/0008-1111")).status_code == 404
    assert (await rest.get(f"{root}/0010-0010/x")).status_code == 400


async def test_the_file_meta_information(rest: Rest) -> None:
    shown = await rest.json(f"/instances/{FIRST_ID}/header?simplify")
    assert shown["TransferSyntaxUID"] == "1.2.840.10008.1.2.1"


async def found(rest: Rest, **body: Any) -> Any:
    response = await rest.post("/tools/find", body)
    assert response.status_code == 200, response.text
    return response.json()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, {STUDY_ID, OTHER_ID}),
        ({"PatientName": "doe*"}, {STUDY_ID}),
        ({"PatientName": "*RICHERD*"}, {OTHER_ID}),
        ({"PatientName": "Doe^Jane[x]"}, set()),
        ({"StudyDate": "20240101-"}, {STUDY_ID}),
        ({"StudyDate": "2020*"}, {OTHER_ID}),
        ({"StudyInstanceUID": f"{STUDY}\\{OTHER}"}, {STUDY_ID, OTHER_ID}),
        ({"StudyInstanceUID": "1.2.*"}, set()),
        ({"ModalitiesInStudy": "MR\\US"}, {OTHER_ID}),
        ({"AccessionNumber": "A1", "PatientID": "P1"}, {STUDY_ID}),
        ({"0010,0020": "P2"}, {OTHER_ID}),
        ({"PatientComments": "x*"}, {STUDY_ID}),
    ],
)
async def test_find(rest: Rest, query: dict[str, str], expected: set[str]) -> None:
    assert set(await found(rest, Level="Study", Query=query)) == expected
    count = await rest.post("/tools/count-resources", {"Level": "Study", "Query": query})
    assert count.json() == {"Count": len(expected)}


async def test_find_orders_by_arrival(rest: Rest) -> None:
    order = [{"Type": "Metadata", "Key": "LastUpdate", "Direction": "DESC"}]
    assert await found(rest, Level="Study", Query={}, OrderBy=order) == [OTHER_ID, STUDY_ID]
    order[0]["Direction"] = "ASC"
    assert await found(rest, Level="Patient", Query={}, OrderBy=order, Limit=1) == [PATIENT]


async def test_find_shows_orders_and_pages(rest: Rest) -> None:
    order = [{"Type": "DicomTag", "Key": "StudyDate", "Direction": "DESC"}]
    assert await found(rest, Level="Study", Query={}, OrderBy=order) == [STUDY_ID, OTHER_ID]
    order[0]["Direction"] = "ASC"
    assert await found(rest, Level="Study", Query={}, OrderBy=order, Limit=1) == [OTHER_ID]
    assert await found(rest, Level="Study", Query={}, OrderBy=order, Since=1) == [STUDY_ID]
    (shown,) = await found(
        rest,
        Level="Instance",
        Query={"InstanceNumber": "2"},
        ResponseContent=["Parent", "RequestedTags"],
        RequestedTags=["PatientName"],
    )
    assert shown["RequestedTags"] == {"PatientName": "Doe^Jane"}
    assert set(shown) == {"ID", "ParentSeries", "RequestedTags", "Type"}
    assert len(await found(rest, Level="Instance", Query={}, ParentPatient=PATIENT)) == 2
    assert await found(rest, Level="Series", Query={}, ParentStudy=STUDY_ID) == [SERIES_ID]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"",
        b"[]",
        b"{}",
        b'{"Level":"Nothing"}',
        b'{"Level":"Study","Query":{"NoSuchTag":"x"}}',
        b'{"Level":"Study","Query":{"PatientName":1}}',
        b'{"Level":"Study","Query":[]}',
        b'{"Level":"Study","Limit":-1}',
        b'{"Level":"Study","Limit":true}',
        b'{"Level":"Study","Expand":"yes"}',
        b'{"Level":"Study","LabelsConstraint":"Some"}',
        b'{"Level":"Study","OrderBy":[{"Type":"DicomTag","Key":"Rows"}]}',
        b'{"Level":"Study","ResponseContent":["Everything"]}',
        b'{"Level":"Study","RequestedTags":["../x"]}',
    ],
)
async def test_find_refuses_in_words(rest: Rest, body: bytes) -> None:
    response = await rest.post("/tools/find", body)
    assert (response.status_code, response.json()["OrthancStatus"]) == (400, 8)
    assert len(response.json()["Details"]) > 10


async def test_lookup_and_bulk_content(rest: Rest) -> None:
    looked_up = (await rest.post("/tools/lookup", "A1")).json()
    assert looked_up == [{"ID": STUDY_ID, "Path": f"/studies/{STUDY_ID}", "Type": "Study"}]
    assert (await rest.post("/tools/lookup", "nothing")).json() == []
    content = (await rest.post("/tools/bulk-content", {"Resources": [FIRST_ID, PATIENT], "Short": True})).json()
    assert [one["Type"] for one in content] == ["Instance", "Patient"]
    assert content[0]["Metadata"]["TransferSyntax"] == "1.2.840.10008.1.2.1"
    below = (await rest.post("/tools/bulk-content", {"Resources": [PATIENT], "Level": "Series"})).json()
    assert [one["ID"] for one in below] == [SERIES_ID]


async def test_deletion_tells_what_is_left(rest: Rest) -> None:
    second = orthanc_id("P1", STUDY, f"{STUDY}.1", f"{STUDY}.1.2")
    left = await rest.send("DELETE", f"/instances/{second}")
    assert left.json()["RemainingAncestor"] == {"ID": SERIES_ID, "Path": f"/series/{SERIES_ID}", "Type": "Series"}
    assert (await rest.send("DELETE", f"/instances/{FIRST_ID}")).json() == {"RemainingAncestor": None}
    assert (await rest.get(f"/patients/{PATIENT}")).status_code == 404
    assert (await rest.post("/tools/bulk-delete", {"Resources": [OTHER_ID]})).json() == {}
    assert await rest.json("/instances") == []


@pytest.mark.parametrize("path", ["", "/file", "/tags", "/header", "/content", "/study", "/module"])
@pytest.mark.parametrize("public_id", [UNKNOWN, "nothing", "..%2f..%2fetc", STUDY_ID])
async def test_unknown_identifiers(rest: Rest, path: str, public_id: str) -> None:
    response = await rest.get(f"/instances/{public_id}{path}")
    assert response.status_code == 404
    assert response.json()["OrthancStatus"] == 17


async def test_uploads_in_every_form(tmp_path: Path) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("../../escape.dcm", FIRST)
        zipped.writestr("readme.txt", "no instance")
        zipped.writestr("b.dcm", SECOND)
    async with open_rest(tmp_path) as rest:
        answers = (await rest.post("/instances", archive.getvalue())).json()
        assert [one["Status"] for one in answers] == ["Success"] * 2
        packed = await rest.post("/instances", gzip.compress(THIRD), content_encoding="gzip")
        assert packed.json()["ParentStudy"] == OTHER_ID
        again = await rest.post("/instances", FIRST)
        assert (again.json()["Status"], again.json()["ID"]) == ("AlreadyStored", FIRST_ID)
        form = (
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\ntext\r\n'
            b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.dcm"\r\n\r\n' + SECOND + b"\r\n--x--\r\n"
        )
        sent = await rest.post("/instances", form, content_type="multipart/form-data; boundary=x")
        assert [one["Status"] for one in sent.json()] == ["AlreadyStored"]
    assert sorted(path.name for path in tmp_path.parent.glob("escape*")) == []


@pytest.mark.parametrize("body", [b"", b"no DICOM", b"PK\3\4 no archive", FIRST[:200]])
async def test_uploads_that_are_none(tmp_path: Path, body: bytes) -> None:
    async with open_rest(tmp_path) as rest:
        response = await rest.post("/instances", body)
        assert response.status_code == 400
        assert response.json()["OrthancStatus"] in (8, 15)
        assert await rest.json("/instances") == []


async def test_identifiers_follow_a_corrected_patient(tmp_path: Path) -> None:
    from dicomweb_server.services.ingest import IngestPolicy, OnDuplicate

    async with open_rest(tmp_path, IngestPolicy(on_duplicate=OnDuplicate.REPLACE)) as rest:
        await rest.post("/instances", FIRST)
        await rest.post("/instances", file(1, PatientID="P9"))
        moved = orthanc_id("P9", STUDY, f"{STUDY}.1", f"{STUDY}.1.1")
        assert await rest.json("/instances") == [moved]
        assert (await rest.json(f"/instances/{moved}/patient"))["ID"] == orthanc_id("P9")
        assert (await rest.json(f"/instances/{moved}/patient"))["MainDicomTags"]["PatientID"] == "P9"
        assert (await rest.get(f"/studies/{STUDY_ID}")).status_code == 404
