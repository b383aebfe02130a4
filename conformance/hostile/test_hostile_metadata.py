"""DICOM JSON, DICOM XML and ZIP uploads that nest, inflate, lie or point elsewhere."""

import io
import struct
import zipfile

import httpx
import pytest

from conformance.cost import Clock, at_most
from conformance.multipart import encode
from conformance.requirement import requires
from conformance.samples import make, sample
from conformance.server import Server
from conformance.service import JSON, Service

REFUSED = (400, 409, 413)
UNREADABLE = (*REFUSED, 415)


def store(service: Service, media_type: str, content: bytes) -> httpx.Response:
    body = encode([(f"Content-Type: {media_type}", content)], "b")
    return service.store_body(body, f'type="{media_type}"; boundary=b')


def dataset(extra: str) -> bytes:
    uids = {"00080016": "1.2.840.10008.5.1.4.1.1.2", "00080018": "1.2.3.4", "0020000D": "1.2.3", "0020000E": "1.2.3.1"}
    elements = [f'"{tag}":{{"vr":"UI","Value":["{uid}"]}}' for tag, uid in uids.items()]
    return ("[{" + ",".join([*elements, extra]) + "}]").encode()


JSONS = {
    "10000 arrays": b"[" * 10_000 + b"]" * 10_000,
    "10000 objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "200000 open arrays": b"[" * 200_000,
    "10000 items": dataset('"0040A730":{"vr":"SQ","Value":[{' * 10_000 + "}]}" * 10_000),
    "1000 items": dataset('"0040A730":{"vr":"SQ","Value":[{' * 1000 + "}]}" * 1000),
    "a number of infinity": dataset('"00101030":{"vr":"DS","Value":[1e400]}'),
    "a number of many digits": dataset('"00200013":{"vr":"IS","Value":[' + "9" * 100_000 + "]}"),
    "nan": dataset('"00101030":{"vr":"DS","Value":[NaN]}'),
    "half a surrogate": dataset('"00100020":{"vr":"LO","Value":["\\ud800"]}'),
    "broken base64": dataset('"00420011":{"vr":"OB","InlineBinary":"****"}'),
    "odd base64": dataset('"00420011":{"vr":"OB","InlineBinary":"AAA"}'),
    "a value of the wrong type": dataset('"00280010":{"vr":"US","Value":["many"]}'),
    "a number out of range": dataset('"00280010":{"vr":"US","Value":[65536]}'),
    "an object for a number": dataset('"00280010":{"vr":"US","Value":[{}]}'),
    "a text that is too long": dataset('"00100020":{"vr":"LO","Value":["' + "x" * 70_000 + '"]}'),
    "a file meta element": dataset('"00020010":{"vr":"UI","Value":["../../x"]}'),
    "an item tag": dataset('"FFFEE000":{"vr":"UN"}'),
    "nothing": b"",
    "a byte order mark": b"\xef\xbb\xbf[]",
    "utf-16": "[]".encode("utf-16"),
}


@requires("Hostile input: JSON in", "B")
@pytest.mark.parametrize("name", list(JSONS))
def test_hostile_json_is_refused_or_stored_soon(service: Service, clock: Clock, name: str) -> None:
    with at_most(2, clock):
        response = store(service, JSON, JSONS[name])
    assert response.status_code in (200, 202, *REFUSED)
    service.send("DELETE", "/studies/1.2.3")


@requires("Hostile input: JSON in", "B")
@pytest.mark.parametrize("name", ["10000 arrays", "10000 objects", "200000 open arrays", "10000 items", "nothing"])
def test_json_without_end_or_bottom_is_refused(service: Service, name: str) -> None:
    assert store(service, JSON, JSONS[name]).status_code in REFUSED


@requires("Hostile input: JSON in", "B")
def test_an_attribute_given_twice_is_refused_or_the_last_wins(service: Service) -> None:
    twice = dataset('"00100020":{"vr":"LO","Value":["one"]},"00100020":{"vr":"LO","Value":["two"]}')
    assert store(service, JSON, twice).status_code in (200, 202, *REFUSED)
    service.send("DELETE", "/studies/1.2.3")


XMLS = {
    "10000 elements deep": b"<NativeDicomModel>" + b"<Item>" * 10_000 + b"</Item>" * 10_000 + b"</NativeDicomModel>",
    "200000 open elements": b"<a>" * 200_000,
    "a billion laughs": b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + n, (b"&%c;" % (97 + n)) * 10) for n in range(9))
    + b"]><NativeDicomModel>&j;</NativeDicomModel>",
    "a long attribute": b'<NativeDicomModel x="' + b"y" * (12 << 20) + b'"/>',
    "a parameter entity": b'<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:9/">%p;]><NativeDicomModel/>',
    "an include": b'<x xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="/etc/passwd" parse="text"/></x>',
    "zeros": bytes(1000),
}


@requires("Hostile input: XML", "B")
@pytest.mark.parametrize("name", list(XMLS))
def test_hostile_xml_is_refused_soon(service: Service, clock: Clock, name: str) -> None:
    with at_most(4, clock):
        response = store(service, "application/dicom+xml", XMLS[name])
    assert response.status_code in REFUSED


def zipped(*entries: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return buffer.getvalue()


def upload(service: Service, content: bytes) -> httpx.Response:
    return service.send("POST", "/studies", accept=JSON, content=content, headers={"Content-Type": "application/zip"})


@requires("Hostile input: ZIP uploads", "B")
@pytest.mark.parametrize(
    "name", ["../../../../tmp/evil.dcm", "/tmp/evil.dcm", "..\\..\\evil.dcm", "C:\\evil.dcm", "a\0b.dcm", "x" * 60_000]
)
def test_names_in_a_zip_lead_nowhere(server: Server | None, service: Service, name: str) -> None:
    one = sample(make())
    response = upload(service, zipped((name, one.data)))
    assert response.status_code in (200, 202, *UNREADABLE)
    if server:
        assert not [path for path in server.folder.parent.rglob("*") if "evil" in path.name]


@requires("Hostile input: ZIP uploads", "B")
@pytest.mark.parametrize("megabytes", [100, 400])
def test_a_zip_bomb_is_refused(service: Service, clock: Clock, megabytes: int) -> None:
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("x", "w", force_zip64=True) as entry,
    ):
        for _ in range(megabytes):
            entry.write(bytes(1 << 20))
    with at_most(megabytes / 10, clock):
        response = upload(service, buffer.getvalue())
    assert response.status_code in UNREADABLE


@requires("Hostile input: ZIP uploads", "B")
def test_a_forged_size_in_a_zip_is_not_believed(service: Service) -> None:
    content = bytearray(zipped(("x", bytes(1 << 20))))
    directory = content.rindex(b"PK\1\2")
    content[directory + 24 : directory + 28] = struct.pack("<I", 10)
    content[22:26] = struct.pack("<I", 10)
    assert upload(service, bytes(content)).status_code in UNREADABLE


@requires("Hostile input: ZIP uploads", "B")
def test_a_zip_of_many_entries_is_bounded(service: Service, clock: Clock) -> None:
    with at_most(20, clock):
        response = upload(service, zipped(*((str(number), b"x") for number in range(5000))))
    assert response.status_code in UNREADABLE


@requires("Hostile input: ZIP uploads", "B")
def test_a_zip_inside_a_zip_is_not_opened(service: Service) -> None:
    inner = zipped(("1", sample(make()).data))
    assert upload(service, zipped(("inner.zip", inner))).status_code in UNREADABLE


@requires("Hostile input: ZIP uploads", "B")
@pytest.mark.parametrize("cut", [1, 10, 22, 60, 500])
def test_a_cut_zip_is_refused(service: Service, cut: int) -> None:
    assert upload(service, zipped(("1", sample(make()).data))[:-cut]).status_code in UNREADABLE


@requires("Hostile input: ZIP uploads", "B")
@pytest.mark.parametrize("content", [b"", b"PK", b"PK\5\6" + bytes(18), b"PK\3\4" + bytes(100), bytes(1000)])
def test_what_is_no_zip_is_refused(service: Service, content: bytes) -> None:
    assert upload(service, content).status_code in UNREADABLE


@requires("Hostile input: ZIP uploads", "B")
def test_an_encrypted_entry_is_refused(service: Service) -> None:
    content = bytearray(zipped(("1", sample(make()).data)))
    directory = content.rindex(b"PK\1\2")
    content[6] |= 1
    content[directory + 8] |= 1
    assert upload(service, bytes(content)).status_code in UNREADABLE


@requires("Hostile input: ZIP uploads", "B")
def test_a_good_entry_beside_a_bad_one_is_stored(service: Service) -> None:
    one = sample(make())
    response = upload(service, zipped(("1", one.data), ("2", b"not DICOM" * 100)))
    assert response.status_code in (200, 202)
    assert service.get(one.path).status_code == 200
