"""Identifiers that are missing, ill-formed, dangerous or the same where they must differ."""

import pytest

from conformance.requirement import requires
from conformance.samples import element, new_uid, raw_identity, raw_part10, raw_path, read
from conformance.server import Server
from conformance.service import JSON, Service

STUDY, SERIES, INSTANCE = 0x0020000D, 0x0020000E, 0x00080018
REFUSED = (400, 409)
DANGEROUS = {
    "empty": b"",
    "spaces": b"    ",
    "zeros": b"\0\0\0\0",
    "up one folder": b"../../../../tmp/x",
    "an absolute path": b"/etc/passwd ",
    "a backslash": b"1.2\\1.3 ",
    "a zero inside": b"1.2\0.3 ",
    "sql": b"1.2'; DROP TABLE studies; -- ",
    "percent": b"1.2%2f..%2f ",
    "a line end": b"1.2\r\nX-Evil: 1 ",
    "letters": b"abc.def ",
    "not ascii": "１.２.３".encode() + b" ",
    "markup": b"<script>alert(1)</script>",
    "65 characters": b"1." + b"2" * 63 + b" ",
    "1000 characters": b"1." + b"2" * 998,
    "60000 characters": b"1." + b"2" * 60000,
}

# Wrong, but harmless and met in real archives: a server may keep them.
TOLERATED = ("letters", "percent", "65 characters", "a backslash")


def with_uid(tag: int, content: bytes) -> tuple[bytes, dict[int, bytes]]:
    identity = raw_identity()
    identity[tag] = element(tag, b"UI", content + b"\0" * (len(content) % 2))
    return raw_part10(list(identity.values())), identity


@requires("Hostile input: UIDs", "B")
@pytest.mark.parametrize("name", [name for name in DANGEROUS if name not in TOLERATED])
@pytest.mark.parametrize("tag", [STUDY, SERIES, INSTANCE], ids=["study", "series", "instance"])
def test_a_dangerous_uid_is_refused(service: Service, tag: int, name: str) -> None:
    data, _ = with_uid(tag, DANGEROUS[name])
    assert service.store(data).status_code in REFUSED


@requires("Hostile input: UIDs", "B")
@pytest.mark.parametrize("name", list(DANGEROUS))
def test_whatever_the_uid_searches_go_on(service: Service, name: str) -> None:
    data, _ = with_uid(STUDY, DANGEROUS[name])
    service.store(data)
    assert service.get("/studies?limit=5", accept=JSON).status_code == 200


@requires("Hostile input: UIDs", "B")
@pytest.mark.parametrize("name", [name for name, content in DANGEROUS.items() if content.strip()])
@pytest.mark.parametrize("place", ["/studies/{}", "/studies/{}/metadata", "/studies/1.2/series/{}/instances/1.3"])
def test_a_dangerous_uid_in_a_path_answers_400_or_404(service: Service, place: str, name: str) -> None:
    encoded = "".join(f"%{byte:02X}" for byte in DANGEROUS[name][:2000])
    assert service.get(place.format(encoded)).status_code in (400, 404, 414, 431)


@requires("Hostile input: UIDs", "B")
@pytest.mark.parametrize("name", [name for name in DANGEROUS if len(DANGEROUS[name]) < 2000])
def test_a_dangerous_uid_in_a_query_is_refused_or_finds_nothing(service: Service, name: str) -> None:
    text = DANGEROUS[name].decode().strip()
    response = service.get("/studies", accept=JSON, query={"StudyInstanceUID": text or "../x"})
    assert response.status_code in (204, 400) or response.json() == []


@requires("Hostile input: names from us only", "B")
def test_no_file_has_a_name_from_the_data(server: Server | None, service: Service) -> None:
    if server is None:
        pytest.skip("the folder of this server is not known")
    uid = new_uid()
    data, _ = with_uid(STUDY, uid.encode())
    service.store(data)
    assert not [path for path in server.folder.rglob("*") if uid in path.name]


@requires("Hostile input: UIDs", "B")
def test_one_uid_for_study_and_series_is_kept_apart_or_refused(service: Service) -> None:
    uid = new_uid()
    identity = raw_identity(study=uid, series=uid, instance=uid)
    response = service.store(raw_part10(list(identity.values())))
    if response.status_code == 200:
        assert service.get(raw_path(identity) + "/metadata").status_code == 200
        assert len(service.search(f"/studies/{uid}/series")) == 1
    else:
        assert response.status_code in REFUSED


@requires("Hostile input: UIDs", "B")
def test_one_instance_uid_in_two_studies_does_not_mix_them(service: Service) -> None:
    uid = new_uid()
    first, second = raw_identity(instance=uid), raw_identity(instance=uid)
    statuses = [service.store(raw_part10(list(one.values()))).status_code for one in (first, second)]
    assert statuses[0] == 200
    for identity, status in zip((first, second), statuses, strict=True):
        response = service.get(raw_path(identity), accept="application/dicom")
        assert response.status_code == (200 if status == 200 else 404)
        if status == 200:
            assert f"/studies/{read(response.content).StudyInstanceUID}/" in raw_path(identity)


@requires("Hostile input: UIDs", "B")
def test_one_series_uid_in_two_studies_does_not_mix_them(service: Service) -> None:
    uid = new_uid()
    first, second = raw_identity(series=uid), raw_identity(series=uid)
    service.store(*(raw_part10(list(one.values())) for one in (first, second)))
    study = raw_path(first).split("/series")[0]
    assert len(service.search(f"{study}/instances")) == 1


@requires("Hostile input: UIDs", "B")
@pytest.mark.parametrize("keyword", ["TransferSyntaxUID", "MediaStorageSOPClassUID"])
@pytest.mark.parametrize("content", ["", "../x", "1" * 200, "1.2.3.4"], ids=["empty", "up", "long", "unknown"])
def test_odd_identifiers_in_the_file_meta_are_refused_or_kept(service: Service, keyword: str, content: str) -> None:
    values = {"sop_class": content} if keyword.startswith("Media") else {"transfer_syntax": content}
    data = raw_part10(list(raw_identity().values()), **values)
    assert service.store(data).status_code in (200, 202, *REFUSED)
