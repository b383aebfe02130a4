"""Lists, details, tags, files, metadata and attachments: read by the same requests from both servers."""

import pytest

from conformance.orthanc.conftest import Pair
from conformance.requirement import requires

_LISTS = [f"/{name}{query}" for name in ("patients", "studies", "series", "instances") for query in ("", "?expand")]
_OF_EVERY_LEVEL = ("", "?short", "/metadata", "/statistics", "/module", "/module?simplify", "/attachments")
_DETAILS = [
    f"/{name}s/{{{which}}}{rest}".replace("studys", "studies").replace("seriess", "series")
    for name in ("patient", "study", "series", "instance")
    for which in (name, f"made_{name}".replace("made_instance", "made"))
    for rest in _OF_EVERY_LEVEL
]
_BELOW = [
    *("/patients/{made_patient}/studies", "/patients/{made_patient}/series", "/patients/{made_patient}/instances"),
    *("/studies/{made_study}/series", "/studies/{made_study}/instances", "/studies/{made_study}/patient"),
    *("/series/{made_series}/instances", "/series/{made_series}/study", "/series/{made_series}/patient"),
    *("/instances/{made}/series", "/instances/{made}/study", "/instances/{made}/patient"),
    *("/studies/{made_study}/shared-tags", "/series/{made_series}/shared-tags?simplify"),
    *("/patients/{made_patient}/instances-tags?short", "/studies/{made_study}/instances-tags?simplify"),
    *("/studies/{study}/module-patient", "/patients/{patient}/protected"),
]
_INSTANCES = [
    f"/instances/{{{which}}}{rest}"
    for which in ("instance", "made", "plan", "lossy")
    for rest in ("/tags", "/tags?short", "/header", "/header?simplify", "/content", "/file", "/metadata?expand")
]
_CONTENT = [
    *("/content/0010-0010", "/content/0010,0010", "/content/PatientName", "/content/0028-0010", "/content/7fe0-0010"),
    *("/content/0010-1002", "/content/0010-1002/0", "/content/0010-1002/1/0010-0020", "/tags?simplify"),
]
_ATTACHMENTS = [
    *("/attachments/dicom/md5", "/attachments/dicom/size", "/attachments/dicom/data", "/attachments/dicom/info"),
    *("/attachments/dicom/is-compressed", "/attachments/dicom/compressed-size", "/attachments?full"),
    "/attachments/dicom",
]
_UNKNOWN = [f"/{name}/{{unknown}}" for name in ("patients", "studies", "series", "instances")]


@pytest.mark.parametrize("path", [*_LISTS, *_DETAILS, *_BELOW, *_INSTANCES])
@requires("Orthanc: resources", "B")
def test_what_is_read_is_the_same(pair: Pair, path: str) -> None:
    pair.same("GET", path)


@pytest.mark.parametrize("rest", [*_CONTENT, *_ATTACHMENTS])
@requires("Orthanc: instances", "B")
def test_what_is_in_an_instance_is_the_same(pair: Pair, rest: str) -> None:
    if rest == "/tags?simplify":
        pair.same("GET", "/instances/{made}" + rest)
    else:
        pair.same("GET", "/instances/{instance}" + rest)


@pytest.mark.parametrize("path", [*_UNKNOWN, "/tools/nothing", "/instances/{instance}/nothing"])
@requires("Orthanc: failures", "B")
def test_what_is_not_there_is_404_in_both(pair: Pair, path: str) -> None:
    theirs, ours = pair.send("GET", path)
    assert (theirs.status_code, ours.status_code) == (404, 404)
    assert ours.json()["OrthancStatus"] == 17


@requires("Orthanc: failures", "B")
def test_another_method_is_405_in_both(pair: Pair) -> None:
    theirs, ours = pair.send("PUT", "/patients")
    assert (theirs.status_code, ours.status_code) == (405, 405)
    assert "GET" in ours.headers["allow"]
