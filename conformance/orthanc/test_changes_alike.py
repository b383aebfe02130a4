"""What clients change: metadata, attachments, protection, deletion; after the same requests both say the same."""

import pytest

from conformance.orthanc.conftest import Pair, files
from conformance.requirement import requires

_STEPS = [
    ("PUT", "/studies/{study}/metadata/1024", "hello"),
    ("GET", "/studies/{study}/metadata/1024", None),
    ("PUT", "/studies/{study}/metadata/1024", "other"),
    ("GET", "/studies/{study}/metadata", None),
    ("DELETE", "/studies/{study}/metadata/1024", None),
    ("DELETE", "/studies/{study}/metadata/1024", None),
    ("GET", "/studies/{study}/metadata/1024", None),
    ("PUT", "/studies/{study}/metadata/LastUpdate", "x"),
    ("PUT", "/studies/{study}/metadata/nobody-knows", "x"),
    ("PUT", "/series/{series}/attachments/1025", b"abc"),
    ("GET", "/series/{series}/attachments", None),
    ("GET", "/series/{series}/attachments/1025", None),
    ("GET", "/series/{series}/attachments/1025/data", None),
    ("GET", "/series/{series}/attachments/1025/md5", None),
    ("POST", "/series/{series}/attachments/1025/verify-md5", b""),
    ("DELETE", "/series/{series}/attachments/1025", None),
    ("GET", "/series/{series}/attachments/1025/data", None),
    ("DELETE", "/instances/{instance}/attachments/dicom", None),
    ("PUT", "/patients/{patient}/protected", "1"),
    ("GET", "/patients/{patient}/protected", None),
    ("PUT", "/patients/{patient}/protected", "0"),
    ("POST", "/tools/bulk-delete", {"Resources": ["00000000-00000000-00000000-00000000-00000000"]}),
]


@requires("Orthanc: metadata and attachments", "B")
def test_a_conversation_goes_the_same_way(pair: Pair) -> None:
    for method, path, body in _STEPS:
        theirs, ours = pair.send(method, path, body)
        assert ours.status_code == theirs.status_code, (method, path, theirs.text, ours.text)
        if theirs.status_code == 200 and theirs.content:
            pair_said = (theirs.content.rstrip(), ours.content.rstrip())
            assert path.endswith(("metadata", "attachments", "1025")) or pair_said[0] == pair_said[1], (method, path)


@requires("Orthanc: conditional requests", "B")
def test_entity_tags_are_the_same(pair: Pair) -> None:
    for path in ("/instances/{instance}/metadata/SopClassUid", "/instances/{instance}/attachments/dicom/data"):
        theirs, ours = pair.send("GET", path)
        assert ours.headers["etag"] == theirs.headers["etag"]
        again = pair.send("GET", path, If_None_Match=ours.headers["etag"])
        assert [one.status_code for one in again] == [304, 304]


@pytest.mark.parametrize("path", ["/instances/{made}", "/series/{made_series}", "/patients/{made_patient}"])
@requires("Orthanc: deletion", "B")
def test_deletion_leaves_the_same(pair: Pair, path: str) -> None:
    try:
        pair.same("DELETE", path)
        pair.same("GET", "/studies?expand")
        pair.same("GET", "/statistics")
    finally:
        for data in files():
            for client in (pair.theirs, pair.ours):
                assert client.post("/instances", content=data).status_code == 200


@requires("Orthanc: upload", "B")
def test_uploads_are_answered_the_same(pair: Pair) -> None:
    pair.same("POST", "/instances", files()[0])
    for body in (b"no DICOM", b"", files()[0][:300]):
        theirs, ours = pair.send("POST", "/instances", body)
        assert theirs.status_code in (400, 500)
        assert ours.status_code == 400
