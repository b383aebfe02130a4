"""PS3.18 §8.1, §8.2, §8.5: resources, methods and status codes common to all services."""

import pytest

from conformance.archive import Archive
from conformance.non_patient import CLASSES
from conformance.requirement import requires
from conformance.samples import make, new_uid, sample
from conformance.service import JSON, Service, is_problem

STUDY = "/studies/{study}"
SERIES = STUDY + "/series/{series}"
INSTANCE = SERIES + "/instances/{instance}"
UNKNOWN = [
    "/studies/{none}",
    "/studies/{none}/metadata",
    "/studies/{none}/bulkdata",
    STUDY + "/series/{none}",
    STUDY + "/series/{none}/metadata",
    SERIES + "/instances/{none}",
    SERIES + "/instances/{none}/metadata",
    SERIES + "/instances/{none}/frames/1",
]
STRAYED = [
    "/studies/{other}/series/{series}/instances/{instance}",
    "/studies/{other}/series/{series}/instances/{instance}/metadata",
    "/studies/{other}/series/{series}/instances/{instance}/frames/1",
    "/studies/{other}/series/{series}",
    "/studies/{other}/series/{series}/metadata",
    STUDY + "/series/{other_series}/instances/{instance}",
    STUDY + "/series/{other_series}/instances/{instance}/metadata",
]


def fill(template: str, archive: Archive) -> str:
    one = archive.ct[0]
    return template.format(
        study=one.study,
        series=one.series,
        instance=one.instance,
        none=new_uid(),
        other=archive.second.study,
        other_series=archive.colour.series,
    )


@requires("PS3.18 §8.5")
@pytest.mark.parametrize("template", UNKNOWN)
def test_an_unknown_resource_answers_404(service: Service, archive: Archive, template: str) -> None:
    assert service.get(fill(template, archive)).status_code == 404


@requires("PS3.18 §10.4.1")
@pytest.mark.parametrize("template", STRAYED)
def test_a_resource_below_another_parent_answers_404(service: Service, archive: Archive, template: str) -> None:
    assert service.get(fill(template, archive)).status_code == 404


@requires("PS3.18 §8.5", "O")
def test_a_deleted_instance_answers_410_or_404(service: Service) -> None:
    one = sample(make())
    service.store(one.data)
    service.send("DELETE", one.path)
    assert service.get(one.path).status_code in (404, 410)


@requires("DELETE, an extension of ours", "B")
@pytest.mark.parametrize("level", ["study_path", "series_path", "path"])
def test_delete_answers_204_without_body_and_type(service: Service, level: str) -> None:
    one = sample(make())
    service.store(one.data)
    response = service.send("DELETE", getattr(one, level))
    assert (response.status_code, response.content, "content-type" in response.headers) == (204, b"", False)


@requires("DELETE, an extension of ours", "B")
def test_delete_of_the_last_instance_removes_the_study_from_searches(service: Service) -> None:
    one = sample(make())
    service.store(one.data)
    service.send("DELETE", one.path)
    assert service.search("/studies", {"StudyInstanceUID": one.study}) == []


@requires("DELETE, an extension of ours", "B")
def test_delete_of_an_unknown_study_answers_404(service: Service) -> None:
    assert service.send("DELETE", f"/studies/{new_uid()}").status_code == 404


@requires("DELETE, an extension of ours", "B")
def test_delete_leaves_the_other_instances(service: Service) -> None:
    first = sample(make())
    second = sample(make(study=first.study, series=first.series))
    service.store(first.data, second.data)
    service.send("DELETE", first.path)
    found = service.search("/instances", {"StudyInstanceUID": first.study})
    assert [one["00080018"]["Value"] for one in found] == [[second.instance]]


@requires("RFC 9110 §15.5.6", "B")
@pytest.mark.parametrize(
    ("method", "template"),
    [("PUT", "/studies"), ("PATCH", STUDY), ("POST", STUDY + "/metadata"), ("DELETE", "/studies"), ("PUT", INSTANCE)],
)
def test_a_method_that_is_not_offered_answers_405_with_allow(
    service: Service, archive: Archive, method: str, template: str
) -> None:
    response = service.send(method, fill(template, archive))
    assert (response.status_code, "GET" in response.headers.get("allow", "")) == (405, True)


@requires("PS3.18 §8.1", "B")
@pytest.mark.parametrize("path", ["/no-such-service", "/studies/1.2/no-such-resource", "/studies/1.2/series/1.3/x"])
def test_a_path_that_means_nothing_answers_404(service: Service, path: str) -> None:
    assert service.get(path).status_code == 404


@requires("PS3.18 §8.5")
@pytest.mark.parametrize("uid", ["not-a-uid", "1." * 40 + "1", "1..2", "%20", "1.2%00"])
def test_an_ill_formed_uid_in_the_path_answers_400_or_404(service: Service, uid: str) -> None:
    assert service.get(f"/studies/{uid}/metadata").status_code in (400, 404)


@requires("RFC 9457", "B")
def test_not_found_is_explained_by_a_problem_document(service: Service) -> None:
    assert is_problem(service.get(f"/studies/{new_uid()}/metadata", accept=JSON))


@requires("RFC 9457", "B")
def test_a_bad_request_is_explained_by_a_problem_document(service: Service) -> None:
    assert is_problem(service.get("/studies?limit=x", accept=JSON))


@requires("RFC 9457", "B")
def test_not_acceptable_is_explained_by_a_problem_document(service: Service, archive: Archive) -> None:
    assert is_problem(service.get(archive.ct[0].path + "/metadata", accept="text/css"))


@requires("RFC 9457", "B")
def test_a_wrong_method_is_explained_by_a_problem_document(service: Service) -> None:
    assert is_problem(service.send("PUT", "/studies"))


@requires("PS3.18 §12")
@pytest.mark.parametrize("name", [*CLASSES, "protocol-approvals"])
def test_non_patient_instances_are_offered_or_answer_404(service: Service, name: str) -> None:
    assert service.get(f"/{name}", accept=JSON).status_code in (200, 204, 404)


@requires("PS3.18 §11, §13–15", "B")
@pytest.mark.parametrize(
    "path",
    ["/workitems", "/modality-scheduled-procedure-steps", "/modality-performed-procedure-steps/1.2",
     "/commitment-requests/1.2"],
)  # fmt: skip
def test_services_that_are_not_offered_answer_404_or_501(service: Service, path: str) -> None:
    assert service.get(path, accept=JSON).status_code in (200, 204, 404, 501)
