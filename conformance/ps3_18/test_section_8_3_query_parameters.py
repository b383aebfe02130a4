"""PS3.18 §8.3: query parameters common to all services."""

import pytest

from conformance.archive import Archive
from conformance.requirement import requires
from conformance.samples import new_uid
from conformance.service import JSON, Service, value


@requires("PS3.18 §8.3.1")
def test_an_unknown_parameter_of_a_retrieve_is_ignored(service: Service, archive: Archive) -> None:
    response = service.get(archive.ct[0].path + "/metadata", accept=JSON, query={"no-such-parameter": "1"})
    assert response.status_code == 200


@requires("PS3.18 §8.3.1", "B")
def test_an_unknown_parameter_of_a_search_is_refused_or_ignored(service: Service) -> None:
    assert service.get("/studies", accept=JSON, query={"no-such-parameter": "1"}).status_code in (200, 204, 400)


@requires("PS3.18 §8.3.1")
@pytest.mark.parametrize(
    "query", ["limit=x", "limit=-1", "limit=1.5", "offset=x", "offset=-1", "limit=%2B1", "limit=０"]
)
def test_a_malformed_number_answers_400(service: Service, query: str) -> None:
    assert service.get(f"/studies?{query}", accept=JSON).status_code == 400


@requires("PS3.18 §8.3.4.2")
@pytest.mark.parametrize("name", ["fuzzymatching", "emptyvaluematching", "multiplevaluematching"])
def test_a_flag_that_is_neither_true_nor_false_answers_400(service: Service, name: str) -> None:
    assert service.get("/studies", accept=JSON, query={name: "maybe"}).status_code == 400


@requires("PS3.18 §8.3.1")
def test_parameter_names_are_case_sensitive(service: Service, archive: Archive) -> None:
    response = service.get("/studies", accept=JSON, query={"PatientID": archive.patient_id, "LIMIT": "1"})
    assert response.status_code == 400 or len(response.json()) == 2


@requires("PS3.18 §8.3.1")
def test_attribute_keywords_are_case_sensitive(service: Service, archive: Archive) -> None:
    response = service.get("/studies", accept=JSON, query={"patientid": new_uid()[-12:], "limit": "1"})
    assert response.status_code == 400 or response.json()


@requires("PS3.18 §8.3.4.2")
def test_literal_values_are_case_sensitive(service: Service) -> None:
    assert service.get("/studies", accept=JSON, query={"fuzzymatching": "TRUE"}).status_code == 400


@requires("PS3.18 §8.3.3.1")
def test_the_accept_parameter_chooses_the_media_type(service: Service, archive: Archive) -> None:
    response = service.get(
        archive.ct[0].path + "/metadata",
        accept="*/*",
        query={"accept": 'multipart/related; type="application/dicom+xml"'},
    )
    assert response.headers["content-type"].startswith("multipart/related")


@requires("PS3.18 §8.3.3.1", "B")
def test_the_accept_parameter_wins_over_the_header(service: Service, archive: Archive) -> None:
    response = service.get(archive.ct[0].path, accept=JSON, query={"accept": "application/dicom"})
    assert response.headers["content-type"].startswith("application/dicom")


@requires("PS3.18 §8.3.3.1")
def test_an_accept_parameter_that_cannot_be_met_is_refused_or_answered_by_the_default(
    service: Service, archive: Archive
) -> None:
    response = service.get(archive.ct[0].path + "/metadata", accept="*/*", query={"accept": "text/css"})
    assert response.status_code == 406 or response.headers["content-type"].startswith(JSON)


@requires("RFC 3986 §2.1")
@pytest.mark.parametrize("name", ["PatientID", "%50atientID", "0010002%30"])
def test_names_and_values_are_percent_decoded(service: Service, archive: Archive, name: str) -> None:
    encoded = "".join(f"%{byte:02x}" for byte in archive.patient_id.encode())
    response = service.get(f"/studies?{name}={encoded}", accept=JSON)
    assert {value(one, "00100020") for one in response.json()} == {archive.patient_id}


@requires("RFC 3986 §2.1", "B")
@pytest.mark.parametrize(
    "query", ["PatientID=%zz", "PatientID=%", "PatientID=%ff%fe", "=", "&&&", "PatientName", "%00=1"]
)
def test_a_broken_query_string_never_fails_the_server(service: Service, query: str) -> None:
    assert service.get(f"/studies?{query}&limit=1", accept=JSON).status_code < 500
