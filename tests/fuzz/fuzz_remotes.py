"""What other servers answer, and what users write about them and ask of them: values or errors in words, never more."""

import json
from typing import Any

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.query_keys import identifying, keys_of, normalized, shown_retrieval, with_unique_keys
from dicomweb_server.dicomweb.store_answer import read_store_answer
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.client import below, is_below
from dicomweb_server.rest.qido_answer import simplified
from dicomweb_server.services.orthanc_modalities import read_modality, written_modality
from dicomweb_server.services.orthanc_remotes import read_peer, read_server, shown_server, written_peer, written_server
from dicomweb_server.services.peers import PeerError
from dicomweb_server.services.retrieve import StoredInstance

SENT = [StoredInstance("1", "1", uid, "1", "1", "key", 1, b"", b"", 0.0) for uid in ("1.2", "1.3")]


def fuzz(data: bytes) -> None:
    """The first byte is a status; the rest an answer, a document, a query and a path."""
    status, body = (200 + data[0], data[1:]) if data else (200, b"")
    try:
        sent = read_store_answer(status, body, SENT, 1)
        assert sent.completed + len(sent.failed) == len(SENT)
    except PeerError:
        pass
    text = body.decode("utf-8", "replace")
    if is_below(text):
        assert below("http://one/root", text).startswith("http://one/root")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return
    for read, written in ((read_modality, written_modality), (read_peer, written_peer), (read_server, written_server)):
        _reads(read, written, value)
    _asks(value)


def _reads(read: Any, written: Any, value: Any) -> None:
    """What is understood comes back as it was."""
    try:
        remote = read(value)
    except ServerError as error:
        assert error.reason is Reason.BAD_REQUEST
        return
    assert read(json.loads(json.dumps(written(remote)))) == remote
    if read is read_server and len(remote.address.password) > 8:
        assert remote.address.password not in json.dumps(shown_server(remote).get("Password"))


def _asks(value: Any) -> None:
    try:
        assert isinstance(simplified(value), list)
    except ServerError as error:
        assert error.reason is Reason.PEER_FAILED
    if not isinstance(value, dict):
        return
    try:
        keys = keys_of(value)
        for level in Level:
            assert set(normalized(keys, level)) <= set(keys)
            assert set(keys) <= set(with_unique_keys(keys, level))
            shown_retrieval(keys, level)
            identifying(keys, level)
    except ServerError as error:
        assert error.reason is Reason.BAD_REQUEST


def seeds() -> list[bytes]:
    """One of each, and their oddities."""
    item = {"00081155": {"vr": "UI", "Value": ["1.2"]}, "00081197": {"vr": "US", "Value": [272]}}
    values: list[Any] = [
        {"00081198": {"vr": "SQ", "Value": [item]}, "00081199": {"vr": "SQ", "Value": [item, 5, {}]}},
        [{"00100010": {"vr": "PN", "Value": [{"Alphabetic": "A"}, None]}, "00081110": {"vr": "SQ", "Value": [item]}}],
        ["http://user:p%40ss@one.example:80/x?y", "user", "password"],
        {"Url": "https://[::1]/", "HttpHeaders": {"a": "b"}, "Timeout": 3, "HasDelete": "1", "Other": True},
        ["AET", "host", 104, "Vitrea"],
        {"AET": "A", "Host": "h", "Port": "104", "AllowMove": False, "LocalAet": "B", "Manufacturer": "GE"},
        {"PatientName": "A=B", "0020,000D": "1\\2", "00400100": [{"Modality": "CT"}], "PatientID": ""},
    ]
    return [
        *(b"\x00" + json.dumps(value).encode() for value in values),
        b"\xca/studies/1.2?x=../y",
        b"\xd1<NativeDicomModel/>",
    ]
