"""PS3.18 §8.4: header fields of requests and responses; caching, ranges, CORS and proxies."""

import gzip
import re

import httpx
import pytest

from conformance.archive import Archive
from conformance.requirement import requires
from conformance.samples import make, new_uid, sample
from conformance.server import Server
from conformance.service import DICOM, JSON, STORED, STORED_OCTETS, Service, value

ORIGIN = "http://viewer.example"


def paths(archive: Archive) -> dict[str, tuple[str, str]]:
    """Resources with bodies, and what to accept of them."""
    one = archive.ct[0]
    return {
        "search": ("/studies?limit=1", JSON),
        "metadata": (one.path + "/metadata", JSON),
        "instance": (one.path, DICOM),
        "frames": (one.path + "/frames/1", STORED_OCTETS),
    }


NAMES = ["search", "metadata", "instance", "frames"]


@requires("RFC 9110 §8.3")
@pytest.mark.parametrize("name", NAMES)
def test_a_body_has_a_content_type(service: Service, archive: Archive, name: str) -> None:
    path, accept = paths(archive)[name]
    assert service.get(path, accept=accept).headers.get("content-type")


@requires("RFC 9110 §8.3")
def test_an_error_without_body_has_no_content_type(service: Service) -> None:
    response = service.get(f"/studies/{new_uid()}")
    assert bool(response.content) == ("content-type" in response.headers)


@requires("RFC 9110 §9.3.2", "B")
@pytest.mark.parametrize("name", NAMES)
def test_head_answers_the_status_and_type_of_get_without_body(service: Service, archive: Archive, name: str) -> None:
    path, accept = paths(archive)[name]
    get, head = service.get(path, accept=accept), service.send("HEAD", path, accept=accept)
    main_type = get.headers["content-type"].split(";")[0]
    assert (head.status_code, head.content, head.headers.get("content-type", "").split(";")[0]) == (200, b"", main_type)


@requires("RFC 9110 §9.3.2", "B")
def test_head_of_an_unknown_study_answers_404(service: Service) -> None:
    assert service.send("HEAD", f"/studies/{new_uid()}").status_code == 404


@requires("RFC 9110 §8.8.3", "B")
@pytest.mark.parametrize("name", ["metadata", "instance", "frames"])
def test_a_representation_has_an_etag(service: Service, archive: Archive, name: str) -> None:
    path, accept = paths(archive)[name]
    assert re.fullmatch(r'(W/)?"[^"]+"', service.get(path, accept=accept).headers.get("etag", ""))


@requires("RFC 9110 §13.1.2", "B")
@pytest.mark.parametrize("name", ["metadata", "instance", "frames"])
def test_if_none_match_answers_304_without_body(service: Service, archive: Archive, name: str) -> None:
    path, accept = paths(archive)[name]
    etag = service.get(path, accept=accept).headers.get("etag", '""')
    response = service.get(path, accept=accept, headers={"If-None-Match": etag})
    assert (response.status_code, response.content, "content-type" in response.headers) == (304, b"", False)


@requires("RFC 9110 §13.1.2", "B")
def test_if_none_match_with_another_etag_answers_200(service: Service, archive: Archive) -> None:
    path, accept = paths(archive)["metadata"]
    assert service.get(path, accept=accept, headers={"If-None-Match": '"other"'}).status_code == 200


@requires("RFC 9110 §13.1.2", "B")
def test_the_etag_of_a_study_changes_when_an_instance_comes(service: Service) -> None:
    first = sample(make())
    service.store(first.data)
    before = service.get(first.study_path + "/metadata", accept=JSON).headers.get("etag")
    service.store(sample(make(study=first.study, series=first.series)).data)
    assert service.get(first.study_path + "/metadata", accept=JSON).headers.get("etag") != before


@requires("RFC 9110 §8.8.3", "B")
def test_json_and_xml_of_a_resource_have_different_etags(service: Service, archive: Archive) -> None:
    path = archive.ct[0].path + "/metadata"
    as_json = service.get(path, accept=JSON)
    as_xml = service.get(path, accept='multipart/related; type="application/dicom+xml"')
    assert as_json.headers.get("etag") != as_xml.headers.get("etag")


@requires("RFC 9110 §12.5.3", "B")
def test_json_is_compressed_when_asked(service: Service, archive: Archive) -> None:
    response = service.get(archive.ct[0].path + "/metadata", accept=JSON, headers={"Accept-Encoding": "gzip"})
    assert response.headers.get("content-encoding") == "gzip"


@requires("RFC 9110 §12.5.3", "B")
def test_compressed_json_is_the_same_json(service: Service, archive: Archive) -> None:
    path = archive.ct[0].path + "/metadata"
    with httpx.Client(trust_env=False, timeout=60) as client:
        url = service.url(path)
        with client.stream("GET", url, headers={"Accept": JSON, "Accept-Encoding": "gzip"}) as response:
            raw = b"".join(response.iter_raw())
    assert gzip.decompress(raw) == service.get(path, accept=JSON).content


@requires("RFC 9110 §12.5.3", "B")
@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_compressed_without_being_asked(service: Service, archive: Archive, name: str) -> None:
    path, accept = paths(archive)[name]
    assert "content-encoding" not in service.get(path, accept=accept).headers


@requires("RFC 9110 §12.5.3", "B")
@pytest.mark.parametrize("name", ["instance", "frames"])
def test_dicom_parts_are_never_compressed(service: Service, archive: Archive, name: str) -> None:
    path, accept = paths(archive)[name]
    response = service.get(path, accept=accept, headers={"Accept-Encoding": "gzip, zstd, br"})
    assert "content-encoding" not in response.headers


@requires("RFC 9110 §12.5.5", "B")
def test_what_depends_on_accept_says_so_to_caches(service: Service, archive: Archive) -> None:
    vary = service.get(archive.ct[0].path + "/metadata", accept=JSON).headers.get("vary", "").lower()
    assert "accept" in [name.strip() for name in vary.split(",")]


@requires("CORS", "B")
@pytest.mark.parametrize("name", NAMES)
def test_a_preflight_from_a_configured_origin_is_allowed(
    server: Server | None, service: Service, archive: Archive, name: str
) -> None:
    if server is None:
        pytest.skip("the origins that this server allows are not known")
    headers = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "accept,authorization",
    }
    response = service.send("OPTIONS", paths(archive)[name][0], headers=headers)
    allowed = response.headers.get("access-control-allow-headers", "").lower()
    assert (response.is_success, "accept" in allowed, "authorization" in allowed) == (True, True, True)


@requires("CORS", "B")
def test_a_preflight_from_another_origin_is_not_allowed(service: Service) -> None:
    headers = {"Origin": "http://evil.example", "Access-Control-Request-Method": "GET"}
    response = service.send("OPTIONS", "/studies", headers=headers)
    assert "access-control-allow-origin" not in response.headers


@requires("CORS", "B")
def test_an_answer_to_another_origin_is_not_readable(service: Service) -> None:
    response = service.get("/studies?limit=1", accept=JSON, headers={"Origin": "http://evil.example"})
    assert "access-control-allow-origin" not in response.headers


@requires("CORS", "B")
@pytest.mark.parametrize("name", ["content-location", "warning", "etag"])
def test_cors_exposes_what_clients_of_dicomweb_read(server: Server | None, service: Service, name: str) -> None:
    if server is None:
        pytest.skip("the origins that this server allows are not known")
    response = service.get("/studies?limit=1", accept=JSON, headers={"Origin": ORIGIN})
    assert name in response.headers.get("access-control-expose-headers", "").lower()


@requires("CORS", "B")
def test_an_error_is_readable_across_origins_too(server: Server | None, service: Service) -> None:
    if server is None:
        pytest.skip("the origins that this server allows are not known")
    response = service.get(f"/studies/{new_uid()}/metadata", headers={"Origin": ORIGIN})
    assert response.headers.get("access-control-allow-origin") in (ORIGIN, "*")


FORWARDED = {
    "X-Forwarded": {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "pacs.example:8443"},
    "Forwarded": {"Forwarded": "for=10.0.0.1;proto=https;host=pacs.example:8443"},
    "Forwarded, quoted": {"Forwarded": 'for=10.0.0.1; proto=https; host="pacs.example:8443"'},
}


@requires("PS3.18 §8.2", "B")
@pytest.mark.parametrize("kind", list(FORWARDED))
def test_a_retrieve_url_leads_back_through_the_proxy(service: Service, archive: Archive, kind: str) -> None:
    response = service.get(f"/studies?StudyInstanceUID={archive.ct[0].study}", accept=JSON, headers=FORWARDED[kind])
    assert str(value(response.json()[0], "00081190")).startswith("https://pacs.example:8443/dicom-web/studies/")


@requires("PS3.18 §8.2", "B")
def test_a_bulk_data_uri_leads_back_through_the_proxy(service: Service, archive: Archive) -> None:
    headers = FORWARDED["X-Forwarded"]
    metadata = service.get(archive.pdf.path + "/metadata", accept=JSON, headers=headers).json()[0]
    url = httpx.URL(service.root + "/").join(metadata["00420011"]["BulkDataURI"])
    assert str(url).startswith(("https://pacs.example:8443/dicom-web/", service.root))


@requires("PS3.18 §8.2", "B")
def test_a_retrieve_url_uses_the_host_that_the_client_used(service: Service, archive: Archive) -> None:
    headers = {"Host": "archive.example:9"}
    response = service.get(f"/studies?StudyInstanceUID={archive.ct[0].study}", accept=JSON, headers=headers)
    assert str(value(response.json()[0], "00081190")).startswith("http://archive.example:9/dicom-web/studies/")


@requires("RFC 9110 §10.2.3")
def test_a_warning_has_code_299_and_the_service_as_agent(service: Service, archive: Archive) -> None:
    response = service.get(f"/instances?StudyInstanceUID={archive.ct[0].study}&limit=1", accept=JSON)
    warning = response.headers.get("warning", "")
    assert re.match(rf"299 {re.escape(service.root)}/?:? ", warning), warning


@requires("PS3.18 §10.4.3", "B")
def test_the_content_location_of_frames_is_reachable(service: Service, archive: Archive) -> None:
    response = service.get(archive.odd.path, accept=STORED)
    location = response.headers.get("content-location")
    assert location is None or service.get(service.relative(location), accept=STORED).status_code == 200
