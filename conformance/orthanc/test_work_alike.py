"""Archives, media, jobs and new instances: asked for by the same requests from both servers."""

import time
from base64 import b64encode
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import httpx
import pytest
from PIL import Image
from pydicom import dcmread

from conformance.orthanc.conftest import Pair
from conformance.requirement import requires

_PDF = "data:application/pdf;base64,JVBERi0xLjQgeA=="


def _picture() -> str:
    stream = BytesIO()
    Image.new("L", (2, 1), 7).save(stream, "PNG")
    return f"data:image/png;base64,{b64encode(stream.getvalue()).decode()}"


_PNG = _picture()
_JOB_MEMBERS = {
    *("CompletionTime", "Content", "CreationTime", "EffectiveRuntime", "ErrorCode", "ErrorDescription", "ErrorDetails"),
    *("ID", "Priority", "Progress", "State", "Timestamp", "Type"),
}


def entries(response: httpx.Response) -> dict[str, bytes]:
    assert response.status_code == 200, response.text
    with ZipFile(BytesIO(response.content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("path", ["/patients/{patient}", "/studies/{study}", "/series/{series}"])
@requires("Orthanc: archives", "B")
def test_archives_have_the_same_files_under_the_same_names(pair: Pair, path: str) -> None:
    for method, body in (("GET", None), ("POST", "{}")):
        theirs, ours = pair.send(method, f"{path}/archive", body)
        assert entries(ours) == entries(theirs)


@requires("Orthanc: archives", "B")
def test_archives_of_several_resources_are_the_same(pair: Pair) -> None:
    names = pair.names
    for chosen in ([names["study"], names["plan"]], {"Resources": [names["made_study"], names["lossy"]]}, []):
        theirs, ours = pair.send("POST", "/tools/create-archive", chosen)
        # Of names that are not ASCII, ours keeps the letters.
        first, second = entries(theirs), entries(ours)
        assert sorted(second.values()) == sorted(first.values())
        assert [name for name in second if name.isascii()] == [name for name in first if name in second]


@requires("Orthanc: media", "B")
def test_media_have_the_same_directory(pair: Pair) -> None:
    theirs, ours = pair.send("GET", "/studies/{study}/media")
    first, second = entries(theirs), entries(ours)
    assert [*second] == [*first]
    directories = [dcmread(BytesIO(one.pop("DICOMDIR"))) for one in (first, second)]
    assert second == first
    for mine, other in zip(*(one.DirectoryRecordSequence for one in reversed(directories)), strict=True):
        assert mine.DirectoryRecordType == other.DirectoryRecordType
        known = {element.keyword for element in mine} - {"SpecificCharacterSet"}
        for keyword in known - {word for word in known if word.startswith("Offset")}:
            assert mine[keyword].value == other[keyword].value, keyword


@requires("Orthanc: jobs", "B")
def test_a_job_is_shown_alike(pair: Pair) -> None:
    theirs, ours = pair.send("POST", "/studies/{study}/archive", {"Asynchronous": True, "Priority": 3})
    shown = []
    for client, answer in ((pair.theirs, theirs.json()), (pair.ours, ours.json())):
        assert answer == {"ID": answer["ID"], "Path": f"/jobs/{answer['ID']}"}
        for _ in range(1200):
            job = client.get(answer["Path"]).json()
            if job["State"] == "Success":
                break
            time.sleep(0.05)
        assert set(job) >= _JOB_MEMBERS
        assert answer["ID"] in client.get("/jobs").json()
        shown.append(job)
        assert entries(client.get(answer["Path"] + "/archive"))
        assert client.get(answer["Path"] + "/nothing").status_code == 404
        for action, status in (("pause", 200), ("cancel", 200), ("resume", 400), ("resubmit", 400)):
            assert client.post(f"{answer['Path']}/{action}", content=b"").status_code == status, action
    first, second = shown
    for name in ("Type", "State", "Progress", "Priority", "ErrorCode", "ErrorDescription", "ErrorDetails"):
        assert second[name] == first[name]
    content = {name for name in first["Content"] if not name.startswith("ArchiveSize")}
    assert {name: second["Content"][name] for name in content} == {name: first["Content"][name] for name in content}
    assert set(second["Content"]) == set(first["Content"])


_MADE: list[Any] = [
    {"Tags": {"PatientName": "Made^Here", "PatientID": "MADE 1"}},
    {"Tags": {"PatientID": "MADE 1", "0008,1030": "x"}, "Content": _PNG},
    {"Tags": {"PatientID": "MADE 1"}, "Content": _PDF},
    {"Tags": {"PatientID": "MADE 1", "RequestAttributesSequence": [{"ScheduledProcedureStepID": "1"}]}},
    {"Tags": {"PatientID": "MADE 1"}, "Content": [_PNG, _PNG]},
    {"PatientID": "MADE 1"},
]
_REFUSED: list[Any] = [
    [],
    {"Tags": []},
    {"Tags": {"PatientName": 5}},
    {"Tags": {"PatientName": ["a"]}},
    {"Tags": {"PixelData": _PNG}},
    {"Tags": {"StudyInstanceUID": "1.2"}},
    {"Tags": {}, "Content": "nothing"},
    {"Tags": {}, "Content": "data:image/png;base64,AAAA"},
]


@pytest.mark.parametrize("body", _MADE, ids=str)
@requires("Orthanc: create-dicom", "B")
def test_new_instances_have_the_same_attributes(pair: Pair, body: Any) -> None:
    theirs, ours = pair.send("POST", "/tools/create-dicom", body)
    try:
        first, second = theirs.json(), ours.json()
        assert (theirs.status_code, ours.status_code) == (200, 200), ours.text
        assert set(first) <= set(second)
        if first["Path"].startswith("/series"):
            assert len(pair.ours.get(second["Path"]).json()["Instances"]) == 2
            return
        of_theirs = pair.theirs.get(f"{first['Path']}/tags?simplify").json()
        of_ours = pair.ours.get(f"{second['Path']}/tags?simplify").json()
        made_up = {
            name for name in of_theirs if name.endswith(("UID", "Date", "Time")) or name == "SpecificCharacterSet"
        }
        for name in of_theirs.keys() - made_up:
            assert of_ours[name] == of_theirs[name], name
    finally:
        for client in (pair.theirs, pair.ours):
            for found in client.post("/tools/find", json={"Level": "Patient", "Query": {"PatientID": "MADE 1"}}).json():
                client.delete(f"/patients/{found}")


@pytest.mark.parametrize("body", _REFUSED, ids=str)
@requires("Orthanc: create-dicom", "B")
def test_what_cannot_be_made_is_refused_by_both(pair: Pair, body: Any) -> None:
    theirs, ours = pair.send("POST", "/tools/create-dicom", body)
    assert (theirs.status_code, ours.status_code) == (400, 400), (theirs.text, ours.text)
