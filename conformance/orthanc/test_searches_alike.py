"""/tools/find, /tools/lookup, /tools/bulk-content, /changes: asked of both servers."""

from typing import Any

import pytest

from conformance.orthanc.conftest import Pair
from conformance.requirement import requires

_QUERIES: list[tuple[str, dict[str, str]]] = [
    ("Study", {}),
    ("Patient", {"PatientName": "*"}),
    ("Patient", {"PatientID": "DIFF 1"}),
    ("Patient", {"PatientID": "DIFF*"}),
    ("Patient", {"PatientName": "yamada*"}),
    ("Patient", {"PatientName": "*TAROU*"}),
    ("Patient", {"PatientName": "nobody"}),
    ("Study", {"PatientID": "DIFF 1", "StudyDate": "20210101-20211231"}),
    ("Study", {"StudyDate": "20220101-"}),
    ("Study", {"StudyDate": "-20040119"}),
    ("Study", {"StudyDate": "20210601"}),
    ("Study", {"AccessionNumber": "ACC?"}),
    ("Study", {"AccessionNumber": "ACC1\\ACC2"}),
    ("Study", {"AccessionNumber": "ACC[12]"}),
    ("Study", {"AccessionNumber": "acc1"}),
    ("Study", {"ModalitiesInStudy": "MR\\RTPLAN"}),
    ("Study", {"StudyInstanceUID": "1.2.826.0.1.3680043.8.498.77.1"}),
    ("Study", {"StudyInstanceUID": "1.2.826.0.1.3680043.8.498.77.1\\1.2.826.0.1.3680043.8.498.77.2"}),
    ("Series", {"Modality": "CT"}),
    ("Series", {"Modality": "C*", "PatientID": "1CT1"}),
    ("Series", {"StudyInstanceUID": "1.2.826.0.1.3680043.8.498.77.1"}),
    ("Instance", {"InstanceNumber": "2"}),
    ("Instance", {"SOPInstanceUID": "1.2.826.0.1.3680043.8.498.77.2.1.3"}),
    ("Instance", {"PatientID": "DIFF 1", "InstanceNumber": "1\\3"}),
    ("Instance", {"0010,0020": "DIFF 1"}),
    ("Instance", {"ImageComments": "Uncompressed"}),
]


@pytest.mark.parametrize("expand", [False, True], ids=["ids", "expanded"])
@pytest.mark.parametrize(("level", "query"), _QUERIES, ids=str)
@requires("Orthanc: find", "B")
def test_searches_find_the_same(pair: Pair, level: str, query: dict[str, str], expand: bool) -> None:
    pair.same("POST", "/tools/find", {"Level": level, "Query": query, "Expand": expand})


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"Level":"Study","Query":1}', b'{"Level":1,"Query":{}}'])
@requires("Orthanc: failures", "B")
def test_bad_searches_are_400_in_both(pair: Pair, body: bytes) -> None:
    theirs, ours = pair.send("POST", "/tools/find", body)
    assert theirs.status_code in (400, 500)
    assert ours.status_code == 400


@pytest.mark.parametrize("text", ["DIFF 1", "1.2.826.0.1.3680043.8.498.77.1.1.2", "nothing", "1CT1"])
@requires("Orthanc: lookup", "B")
def test_lookups_are_the_same(pair: Pair, text: str) -> None:
    pair.same("POST", "/tools/lookup", text)


@pytest.mark.parametrize("more", [{}, {"Short": True}, {"Level": "Series"}, {"Level": "Instance", "Metadata": False}])
@requires("Orthanc: bulk content", "B")
def test_bulk_content_is_the_same(pair: Pair, more: dict[str, Any]) -> None:
    resources = [pair.names["made_study"], pair.names["patient"]]
    pair.same("POST", "/tools/bulk-content", {"Resources": resources, **more})


@requires("Orthanc: changes", "B")
def test_the_same_things_happened(pair: Pair) -> None:
    told = []
    for answer in pair.send("GET", "/changes?limit=1000"):
        changes = answer.json()["Changes"]
        told.append({(one["ChangeType"], one["ID"], one["Path"]) for one in changes if one["ChangeType"][:3] == "New"})
    assert told[0] == told[1]
