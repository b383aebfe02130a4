"""Modify, anonymize, split and merge: the same requests to both servers, and what comes of them compared."""

from io import BytesIO
from typing import Any

import httpx
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGLSLossless

from conformance.orthanc.comparison import differences
from conformance.orthanc.conftest import Pair
from conformance.requirement import requires

LEVELS = ("/patients/{made_patient}", "/studies/{made_study}", "/series/{made_series}", "/instances/{made}")
IDENTIFIERS = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
# What is new in every result, or says who made it.
_OWN = frozenset({0x00080018, 0x0020000D, 0x0020000E, 0x00080005, 0x00120063, 0x00120064, 0x00280303})
_BOTH_NEW = _OWN | {0x00100010, 0x00100020, 0x00200052}


def made(response: httpx.Response) -> Dataset:
    assert response.status_code == 200, response.text
    return dcmread(BytesIO(response.content))


def tags_alike(theirs: Dataset, ours: Dataset, left_out: frozenset[int]) -> list[str]:
    """Tags whose presence or value differs; values of sequences are not looked into."""
    tags = {element.tag for element in (*theirs, *ours)} - left_out
    return [
        f"{tag} {theirs.get(tag)} | {ours.get(tag)}"
        for tag in sorted(tags)
        if (tag in theirs) != (tag in ours) or (theirs[tag].VR != "SQ" and theirs[tag].value != ours[tag].value)
    ]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"Replace": {"StudyDescription": "new", "InstitutionName": "added", "PatientComments": None}},
        {"Replace": {"ReferencedImageSequence[*].ReferencedSOPInstanceUID": "1.2.3"}},
        {"Replace": {"RequestAttributesSequence": [{"ScheduledProcedureStepID": "1"}]}},
        {"Remove": ["StudyDescription", "0008,0060", "ImageComments"]},
        {"Remove": ["ReferencedImageSequence[0].ReferencedSOPInstanceUID", "CodeMeaning"]},
        {"Replace": {"Rows": "12", "PatientName": "Müller^Jörg"}},
        {"Replace": {"StudyDescription": "x"}, "Remove": ["StudyDescription"]},
        {"RemovePrivateTags": True},
        {"Keep": ["SOPInstanceUID"], "Force": True},
        {"Replace": {"PatientID": "N", "SOPInstanceUID": "1.2.3.4"}, "Force": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("which", ["instance", "made", "plan"])
@requires("Orthanc: modify", "B")
def test_modified_instances_are_alike(pair: Pair, which: str, body: Any) -> None:
    theirs, ours = map(made, pair.send("POST", f"/instances/{{{which}}}/modify", body))
    assert tags_alike(theirs, ours, _OWN) == []
    if body.get("Force"):
        assert theirs.SOPInstanceUID == ours.SOPInstanceUID


# Orthanc calls an instance without pixels compressed, and leaves a single one that is anonymized as it was.
@pytest.mark.parametrize(
    ("which", "syntax"),
    [
        ("instance", ImplicitVRLittleEndian),
        ("instance", JPEGLSLossless),
        ("plan", ExplicitVRLittleEndian),
        ("made", ImplicitVRLittleEndian),
    ],
)
@requires("Orthanc: modify", "B")
def test_transcoded_results_are_alike(pair: Pair, which: str, syntax: UID) -> None:
    theirs, ours = map(made, pair.send("POST", f"/instances/{{{which}}}/modify", {"Transcode": syntax}))
    assert ours.file_meta.TransferSyntaxUID == theirs.file_meta.TransferSyntaxUID == syntax
    assert ("PixelData" in ours) == ("PixelData" in theirs) == (which == "instance")
    if "PixelData" in ours:
        assert np.array_equal(ours.pixel_array, theirs.pixel_array)


# Orthanc's table is that of 2021b, which does not have these yet.
_NEWER_ROWS = frozenset({"InstanceCreationDate", "InstanceCreationTime"})


@pytest.mark.parametrize("which", ["instance", "made", "plan"])
@requires("Orthanc: anonymize", "B")
def test_whatever_orthanc_takes_out_we_take_out_too(pair: Pair, which: str) -> None:
    response = pair.ours.get(f"/instances/{pair.names[which]}/file")
    before = made(response)
    theirs, ours = map(made, pair.send("POST", f"/instances/{{{which}}}/anonymize", {}))
    told = [
        element.keyword or str(element.tag)
        for element in before
        if element.tag not in _BOTH_NEW
        and element.VR != "SQ"
        and (element.tag not in theirs or theirs[element.tag].value != element.value)
        and element.tag in ours
        and ours[element.tag].value == element.value
    ]
    assert [name for name in told if before.get(name) not in (None, "")] == []
    assert ours.PatientIdentityRemoved == theirs.PatientIdentityRemoved == "YES"
    assert ours.PatientName != before.PatientName
    kept = [
        element.keyword
        for element in before
        if element.tag in theirs and theirs[element.tag].value == element.value and element.tag not in ours
    ]
    assert set(kept) <= _NEWER_ROWS, "we take out more than the table says"


@pytest.mark.parametrize("path", LEVELS)
@pytest.mark.parametrize("verb", ["modify", "anonymize"])
@requires("Orthanc: modify", "B")
def test_refusals_are_alike(pair: Pair, path: str, verb: str) -> None:
    bodies: list[Any] = [b"nonsense", [], {"Force": "yes"}, {"Replace": ["x"]}, {"Remove": "x"}]
    for name in IDENTIFIERS:
        bodies += [{"Replace": {name: "1.2"}}, {"Keep": [name]}, {"Remove": [name]}]
        bodies.append({"Remove": [name], "Force": True})
    bodies += [{"Replace": {"PatientName": value, "PatientID": "x"}, "Force": True} for value in (5, True)]
    for body in bodies:
        theirs, ours = pair.send("POST", f"{path}/{verb}", body)
        assert (theirs.status_code, ours.status_code) == (400, 400), (body, theirs.text, ours.text)


@requires("Orthanc: modify", "B")
def test_refusals_of_moves_are_alike(pair: Pair) -> None:
    for path, body in (
        ("/studies/{unknown}/modify", {}),
        ("/series/{unknown}/anonymize", {}),
        ("/tools/bulk-modify", {}),
        ("/tools/bulk-modify", {"Resources": ["nope"]}),
        ("/tools/bulk-modify", {"Resources": [], "Level": "Nope"}),
        ("/tools/bulk-anonymize", {}),
        ("/studies/{made_study}/split", {}),
        ("/studies/{made_study}/split", {"Series": ["nope"]}),
        ("/studies/{made_study}/merge", {}),
        ("/studies/{made_study}/merge", {"Resources": ["nope"]}),
    ):
        theirs, ours = pair.send("POST", path, body)
        assert theirs.status_code == ours.status_code, (path, body, theirs.text, ours.text)


@requires("Orthanc: modify", "B")
def test_answers_are_alike(pair: Pair) -> None:
    """Of work that is a job; in a study of its own, so that other suites find what they expect."""
    copies = [
        client.post(f"/studies/{pair.names['made_study']}/modify", json={"Replace": {"StudyID": "C"}}).json()
        for client in (pair.theirs, pair.ours)
    ]
    for path, body in (
        ("anonymize", {"KeepSource": True}),
        ("modify", {"Replace": {"StudyID": "D"}}),
        ("split", {"Series": None, "KeepSource": True}),
    ):
        answers: list[dict[str, str]] = []
        for client, copy in zip((pair.theirs, pair.ours), copies, strict=True):
            wanted = dict(body)
            if "Series" in wanted:
                wanted["Series"] = client.get(copy["Path"]).json()["Series"]
            answer = client.post(f"{copy['Path']}/{path}", json=wanted).json()
            answers.append({name: type(value).__name__ for name, value in answer.items() if name != "ParentResources"})
            new = answer.get("ID") or answer["TargetStudy"]
            shown = client.get(f"/studies/{new}").json()
            if path != "split":  # there we tell it too
                answers[-1] |= {f"study {name}": "" for name in shown if name.endswith("From")}
            client.delete(f"/studies/{new}")
        assert not list(differences(answers[0], answers[1])), path
    for client, copy in zip((pair.theirs, pair.ours), copies, strict=True):
        client.delete(copy["Path"])
