"""/tools/create-dicom: of tags, contents and parents; read by pydicom and judged by dciodvfy."""

import asyncio
import shutil
import subprocess
from base64 import b64encode
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import pytest
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.uid import EncapsulatedPDFStorage, JPEGBaseline8Bit, SecondaryCaptureImageStorage

from tests.app.rest_harness import Rest, open_rest


@pytest.fixture
async def rest(tmp_path: Path) -> AsyncIterator[Rest]:
    async with open_rest(tmp_path) as opened:
        yield opened


def picture(form: str = "PNG", mode: str = "RGB") -> str:
    stream = BytesIO()
    Image.new(mode, (4, 3), 7 if mode == "L" else (10, 20, 30)).save(stream, form)
    return f"data:image/{form.lower()};base64,{b64encode(stream.getvalue()).decode()}"


PDF = f"data:application/pdf;base64,{b64encode(b'%PDF-1.4 x').decode()}"


async def created(rest: Rest, body: Any) -> dict[str, Any]:
    response = await rest.post("/tools/create-dicom", body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    assert answer["Status"] == "Success"
    return answer


async def read(rest: Rest, instance: str) -> Dataset:
    return dcmread(BytesIO((await rest.get(f"/instances/{instance}/file")).content))


async def test_tags_sequences_and_private_tags(rest: Rest) -> None:
    tags = {
        "PatientName": "Müller^Jürgen",
        "0008,1030": "Ganzkörper",
        "RequestAttributesSequence": [{"ScheduledProcedureStepID": "7", "00321060": "CT"}],
        "0009,1001": "data:;base64,AQID",
        "Rows": "5",
        "FrameIncrementPointer": "0018,1063",
        "ImageComments": "data:application/octet-stream;base64,aGVsbG8=",
    }
    answer = await created(rest, {"Tags": tags, "PrivateCreator": "ACME"})
    assert answer["Path"] == f"/instances/{answer['ID']}"
    assert {"ParentPatient", "ParentStudy", "ParentSeries"} <= set(answer)
    found = await read(rest, answer["ID"])
    assert (found.PatientName, found.StudyDescription) == ("Müller^Jürgen", "Ganzkörper")
    assert found.RequestAttributesSequence[0].ScheduledProcedureStepID == "7"
    assert found.private_block(0x0009, "ACME")[0x01].value == b"\1\2\3\0"
    assert (found.Rows, found.ImageComments, found.FrameIncrementPointer) == (5, "hello", 0x00181063)
    assert (found.SOPClassUID, found.Modality) == (SecondaryCaptureImageStorage, "OT")
    assert len(found.PatientID) == 36
    assert found.StudyDate == found.ContentDate
    literal = await created(rest, {"Tags": {"ImageComments": "data:;base64,aGVs"}, "InterpretBinaryTags": False})
    assert (await read(rest, literal["ID"])).ImageComments == "data:;base64,aGVs"


@pytest.mark.parametrize(("form", "mode"), [("PNG", "RGB"), ("PNG", "L"), ("JPEG", "RGB"), ("JPEG", "L")])
async def test_an_image(rest: Rest, form: str, mode: str) -> None:
    answer = await created(rest, {"Tags": {"PatientName": "A^B", "PatientID": "7"}, "Content": picture(form, mode)})
    found = await read(rest, answer["ID"])
    assert found.pixel_array.shape[:2] == (3, 4)
    assert abs(int(found.pixel_array.flat[0]) - (10 if mode == "RGB" else 7)) < 3
    assert not await complaints(found)


async def test_a_jpeg_as_it_is(rest: Rest) -> None:
    answer = await created(rest, {"Tags": {}, "Content": picture("JPEG"), "Encapsulate": True})
    found = await read(rest, answer["ID"])
    assert found.file_meta.TransferSyntaxUID == JPEGBaseline8Bit
    assert found.pixel_array.shape == (3, 4, 3)
    assert not await complaints(found)


async def test_a_pdf_below_a_study(rest: Rest) -> None:
    first = await created(rest, {"Tags": {"PatientID": "7", "PatientName": "A^B", "StudyDescription": "Head"}})
    for parent, same in (("ParentPatient", 1), ("ParentStudy", 2), ("ParentSeries", 3)):
        answer = await created(rest, {"Tags": {"DocumentTitle": "T"}, "Parent": first[parent], "Content": PDF})
        parents = ("ParentPatient", "ParentStudy", "ParentSeries")
        assert [answer[name] == first[name] for name in parents] == [n < same for n in range(3)]
        found = await read(rest, answer["ID"])
        assert (found.SOPClassUID, found.PatientName, found.DocumentTitle) == (EncapsulatedPDFStorage, "A^B", "T")
        assert found.get("StudyDescription") == ("Head" if same > 1 else None)
        assert found.EncapsulatedDocument == b"%PDF-1.4 x"
        assert not await complaints(found)


async def test_a_series(rest: Rest) -> None:
    own = {"Content": picture(mode="L"), "Tags": {"ImageComments": "second"}}
    answer = await created(rest, {"Tags": {"PatientID": "7"}, "Content": [picture(), own, PDF]})
    assert answer["Path"] == f"/series/{answer['ID']}"
    instances = (await rest.json(answer["Path"]))["Instances"]
    found = sorted([await read(rest, one) for one in instances], key=lambda one: int(one.InstanceNumber))
    assert [one.InstanceNumber for one in found] == [1, 2, 3]
    assert [one.get("ImageComments") for one in found] == [None, "second", None]
    assert len({one.SeriesInstanceUID for one in found}) == 1


async def test_force_and_the_oldest_form(rest: Rest) -> None:
    uids = {"StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.2.3", "SOPInstanceUID": "1.2.3.4"}
    assert (await rest.post("/tools/create-dicom", {"Tags": uids})).status_code == 400
    answer = await created(rest, {"Tags": uids, "Force": True})
    assert (await read(rest, answer["ID"])).SOPInstanceUID == "1.2.3.4"
    old = await created(rest, {"PatientName": "Old", "PixelData": picture()})
    assert (await read(rest, old["ID"])).Rows == 3


async def complaints(found: Dataset) -> list[str]:
    if shutil.which("dciodvfy") is None:
        return []
    stream = BytesIO()
    found.save_as(stream)
    said = await asyncio.to_thread(_judged, stream.getvalue())
    assert "SCImage" in said or "EncapsulatedPDF" in said
    return [line for line in said.splitlines() if line.startswith("Error")]


def _judged(data: bytes) -> str:
    with NamedTemporaryFile(suffix=".dcm") as file:
        file.write(data)
        file.flush()
        done = subprocess.run(["dciodvfy", "-new", file.name], capture_output=True, check=False, timeout=200)
    return (done.stdout + done.stderr).decode(errors="replace")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("", 400),
        ("[]", 400),
        ('{"Tags": []}', 400),
        ('{"Tags": {"Nothing": "x"}}', 400),
        ('{"Tags": {"PatientName": 5}}', 400),
        ('{"Tags": {"PatientName": ["a"]}}', 400),
        ('{"Tags": {"PatientName": {"a": "b"}}}', 400),
        ('{"Tags": {"Rows": "many"}}', 400),
        ('{"Tags": {"PatientName": "A", "0010,0010": "B"}}', 400),
        ('{"Tags": {"PixelData": "x"}}', 400),
        ('{"Tags": {"0002,0010": "1.2"}}', 400),
        ('{"Tags": {"SOPInstanceUID": "../x"}, "Force": true}', 400),
        ('{"Tags": {"a.b[0].c": "x"}}', 400),
        ('{"Tags": {}, "Content": 5}', 400),
        ('{"Tags": {}, "Content": {}}', 400),
        ('{"Tags": {}, "Content": [[]]}', 400),
        ('{"Tags": {}, "Content": "data:image/png;base64,AAAA"}', 400),
        ('{"Tags": {}, "Parent": "nothing"}', 404),
        ('{"Tags": {}, "Parent": 5}', 400),
        ('{"Tags": {}, "Force": "yes"}', 400),
        ('{"Tags": {}, "PrivateCreator": 5}', 400),
    ],
)
async def test_bad_input(rest: Rest, body: str, status: int) -> None:
    response = await rest.post("/tools/create-dicom", body)
    assert response.status_code == status, response.text
    assert response.json()["Details"]


async def test_what_is_inherited_is_not_to_be_given(rest: Rest) -> None:
    first = await created(rest, {"Tags": {"PatientID": "7", "PatientName": "A^B"}})
    for name, parent in (("PatientName", "ParentPatient"), ("StudyDate", "ParentStudy")):
        response = await rest.post("/tools/create-dicom", {"Tags": {name: "20240101"}, "Parent": first[parent]})
        assert response.status_code == 400
    own = await rest.post("/tools/create-dicom", {"Tags": {}, "Parent": first["ID"]})
    assert "not an instance" in own.json()["Details"]
