"""PS3.18 §10.5: Store Instances and its response."""

import io
import zipfile

import httpx
import pytest
from pydicom.dataset import Dataset

from conformance import samples
from conformance.multipart import encode
from conformance.patience import SOON
from conformance.requirement import requires
from conformance.samples import Sample, element, make, new_uid, raw_identity, raw_part10, sample
from conformance.service import JSON, XML, DicomJson, Service, is_problem, value, values

REFERENCED, FAILED, OTHER = "00081199", "00081198", "0008119A"
HEAD = "Content-Type: application/dicom"
TYPE = 'type="application/dicom"; boundary=conformance-boundary'


def items(response: httpx.Response, tag: str) -> list[DicomJson]:
    return values(response.json(), tag)


def reason(item: DicomJson) -> int:
    return int(value(item, "00081197") or 0)


def without(keyword: str) -> bytes:
    """A file that lacks one of the identifying attributes."""
    tag = {"StudyInstanceUID": 0x0020000D, "SeriesInstanceUID": 0x0020000E, "SOPInstanceUID": 0x00080018}.get(keyword)
    elements = raw_identity()
    return raw_part10([item for key, item in elements.items() if key != (tag or 0x00080016)])


NOT_DICOM = b"This is not a DICOM file. " * 20


@requires("PS3.18 §10.5.3")
def test_all_stored_answers_200(service: Service) -> None:
    assert service.store(sample(make()).data, sample(make()).data).status_code == 200


@requires("PS3.18 §10.5.1.1")
def test_instances_of_the_study_in_the_path_are_stored(service: Service) -> None:
    one = sample(make())
    assert service.store(one.data, path=one.study_path).status_code == 200


@requires("PS3.18 §10.5.3")
def test_an_instance_of_another_study_answers_409(service: Service) -> None:
    assert service.store(sample(make()).data, path=f"/studies/{new_uid()}").status_code == 409


@requires("PS3.18 §10.5.3")
def test_an_instance_of_another_study_does_not_stop_the_others(service: Service) -> None:
    one, stray = sample(make()), sample(make())
    response = service.store(one.data, stray.data, path=one.study_path)
    assert (response.status_code, len(items(response, REFERENCED)), len(items(response, FAILED))) == (202, 1, 1)


@requires("PS3.18 §10.5.3")
def test_an_instance_of_another_study_is_not_stored(service: Service) -> None:
    one, stray = sample(make()), sample(make())
    service.store(one.data, stray.data, path=one.study_path)
    assert service.search("/instances", {"SOPInstanceUID": stray.instance}) == []


@requires("PS3.18 §10.5.3")
def test_a_failed_instance_is_named_with_its_reason(service: Service) -> None:
    stray = sample(make())
    item = items(service.store(stray.data, path=f"/studies/{new_uid()}"), FAILED)[0]
    found = (value(item, "00081150"), value(item, "00081155"), reason(item) > 0)
    assert found == (samples.CT, stray.instance, True)


@requires("PS3.4 §B.2.3", "S")
def test_a_wrong_study_has_a_reason_of_the_a9_class(service: Service) -> None:
    item = items(service.store(sample(make()).data, path=f"/studies/{new_uid()}"), FAILED)[0]
    assert 0xA900 <= reason(item) <= 0xA9FF


@requires("PS3.18 §10.5.3")
def test_what_is_not_dicom_beside_an_instance_answers_202(service: Service) -> None:
    assert service.store(sample(make()).data, NOT_DICOM).status_code == 202


@requires("PS3.18 §10.5.3")
def test_what_is_not_dicom_alone_answers_409_or_400(service: Service) -> None:
    assert service.store(NOT_DICOM).status_code in (400, 409)


@requires("PS3.18 §10.5.3", "B")
def test_what_is_not_dicom_is_listed_in_other_failures(service: Service) -> None:
    response = service.store(sample(make()).data, NOT_DICOM)
    assert [reason(item) >= 0xC000 for item in items(response, OTHER)] == [True]


@requires("PS3.18 §10.5.3", "B")
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(samples.without_meta(sample(make()).data), id="a data set without preamble"),
        pytest.param(b"", id="an empty part"),
        pytest.param(b"\0" * 128 + b"DICM", id="a preamble alone"),
        pytest.param(sample(make()).data[:200], id="half a file meta"),
        pytest.param(sample(make()).data[:-3], id="a file without its end"),
    ],
)
def test_other_parts_are_refused_one_by_one(service: Service, data: bytes) -> None:
    response = service.store(data, sample(make()).data)
    counts = [len(items(response, tag)) for tag in (REFERENCED, FAILED, OTHER)]
    assert (response.status_code, counts[0], counts[1] + counts[2]) == (202, 1, 1)


@requires("PS3.18 §10.5.3", "B")
def test_a_dicomdir_is_refused(service: Service) -> None:
    directory = make(sop_class="1.2.840.10008.1.3.10")
    response = service.store(samples.part10(directory), sample(make()).data)
    assert (response.status_code, len(items(response, REFERENCED))) == (202, 1)


@requires("PS3.18 §10.5.3", "B")
def test_every_part_is_accounted_for(service: Service) -> None:
    one = sample(make())
    parts = [one.data, sample(make()).data, NOT_DICOM, without("StudyInstanceUID"), one.data]
    response = service.store(*parts, path=one.study_path)
    assert sum(len(items(response, tag)) for tag in (REFERENCED, FAILED, OTHER)) == len(parts)


@requires("PS3.4 §B.2.3")
@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"])
def test_a_missing_identifier_fails_that_part(service: Service, keyword: str) -> None:
    response = service.store(without(keyword), sample(make()).data)
    failed = items(response, FAILED) + items(response, OTHER)
    assert [reason(item) >> 12 in (0xA, 0xC) for item in failed] == [True]


@requires("PS3.18 §10.5.3")
@pytest.mark.parametrize("tag", [FAILED, OTHER])
def test_no_failures_no_sequence(service: Service, tag: str) -> None:
    assert not service.store(sample(make()).data).json().get(tag, {}).get("Value")


@requires("PS3.18 §10.5.3", "B")
@pytest.mark.parametrize("tag", [FAILED, OTHER])
def test_no_failures_not_even_an_empty_sequence(service: Service, tag: str) -> None:
    assert tag not in service.store(sample(make()).data).json()


@requires("PS3.18 §10.5.3")
def test_a_stored_instance_is_referenced(service: Service) -> None:
    one = sample(make())
    item = items(service.store(one.data), REFERENCED)[0]
    assert (value(item, "00081150"), value(item, "00081155")) == (samples.CT, one.instance)


@requires("PS3.18 §10.5.3")
def test_the_retrieve_url_of_a_stored_instance_works(service: Service) -> None:
    item = items(service.store(sample(make()).data), REFERENCED)[0]
    assert service.get(service.relative(value(item, "00081190"))).status_code == 200


@requires("PS3.18 §10.5.3")
def test_the_retrieve_url_of_the_study_works(service: Service) -> None:
    response = service.store(sample(make()).data)
    url = value(response.json(), "00081190")
    assert url is None or service.get(service.relative(url)).status_code == 200


@requires("PS3.18 §10.5.3")
@pytest.mark.parametrize("accept", [None, "*/*", JSON, "application/json", "application/*"])
def test_the_response_is_json(service: Service, accept: str | None) -> None:
    body = encode([(HEAD, sample(make()).data)])
    headers = {"Content-Type": f"multipart/related; {TYPE}"}
    response = service.send("POST", "/studies", accept=accept, content=body, headers=headers)
    assert response.headers["content-type"].split(";")[0] == JSON


@requires("PS3.18 §10.5.3")
@pytest.mark.parametrize("accept", ["application/dicom+xml", XML])
def test_the_response_is_xml_when_asked(service: Service, accept: str) -> None:
    response = service.store(sample(make()).data, accept=accept)
    assert b"<NativeDicomModel" in response.content


@requires("PS3.18 §10.5.3")
def test_a_response_in_another_type_answers_406(service: Service) -> None:
    assert service.store(sample(make()).data, accept="image/png").status_code == 406


@requires("PS3.18 §10.5.3", "B")
def test_nothing_is_stored_when_no_response_can_be_made(service: Service) -> None:
    one = sample(make())
    service.store(one.data, accept="image/png")
    assert service.search("/instances", {"SOPInstanceUID": one.instance}) == []


@requires("PS3.18 §8.5")
@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/pdf",
        "multipart/form-data; boundary=b",
        'multipart/related; type="text/plain"; boundary=b',
        "application/x-www-form-urlencoded",
        "image/jpeg",
    ],
)
def test_a_body_of_another_type_answers_415(service: Service, content_type: str) -> None:
    body = encode([("Content-Type: text/plain", b"text")], "b")
    response = service.send("POST", "/studies", accept=JSON, content=body, headers={"Content-Type": content_type})
    assert response.status_code == 415


@requires("PS3.18 §8.5", "B")
def test_a_body_of_another_type_is_explained_by_a_problem_document(service: Service) -> None:
    headers = {"Content-Type": "text/plain"}
    assert is_problem(service.send("POST", "/studies", accept=JSON, content=b"text", headers=headers))


@requires("PS3.18 §8.5")
def test_a_body_without_content_type_answers_415_or_400(service: Service) -> None:
    assert service.send("POST", "/studies", accept=JSON, content=sample(make()).data).status_code in (400, 415)


@requires("PS3.18 §8.6.1.2.1")
def test_a_part_of_another_type_than_the_whole_is_refused(service: Service) -> None:
    response = service.store_body(encode([("Content-Type: text/plain", sample(make()).data)]), TYPE)
    assert response.status_code in (400, 409, 415)


@requires("PS3.18 §10.5.3", "B")
def test_a_multipart_without_parts_answers_400(service: Service) -> None:
    assert service.store_body(b"--conformance-boundary--\r\n", TYPE).status_code == 400


@requires("PS3.18 §10.5.3", "B")
@pytest.mark.parametrize("parameters", ['type="application/dicom"', "", 'type="application/dicom"; boundary=""'])
def test_a_multipart_without_boundary_answers_400_or_415(service: Service, parameters: str) -> None:
    response = service.store_body(encode([(HEAD, sample(make()).data)]), parameters)
    assert response.status_code in (400, 415)


@requires("PS3.18 §10.5.2", "B")
def test_a_single_part_is_stored(service: Service) -> None:
    one = sample(make())
    headers = {"Content-Type": "application/dicom"}
    response = service.send("POST", "/studies", accept=JSON, content=one.data, headers=headers)
    assert (response.status_code, service.get(one.path).status_code) == (200, 200)


@requires("PS3.18 §10.5.2", "B")
def test_a_zip_is_stored(service: Service) -> None:
    one, other = sample(make()), sample(make())
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/1.dcm", one.data)
        archive.writestr("2", other.data)
    headers = {"Content-Type": "application/zip"}
    response = service.send("POST", "/studies", accept=JSON, content=buffer.getvalue(), headers=headers)
    assert (response.status_code, len(items(response, REFERENCED))) == (200, 2)


@requires("PS3.18 §10.5.3", "B")
def test_the_same_request_again_is_a_success(service: Service) -> None:
    one = sample(make())
    assert [service.store(one.data).status_code for _ in range(3)] == [200] * 3


@requires("PS3.18 §10.5.3", "B")
def test_the_same_request_again_leaves_one_copy(service: Service) -> None:
    one = sample(make())
    service.store(one.data, one.data)
    service.store(one.data)
    assert len(service.search("/instances", {"SOPInstanceUID": one.instance})) == 1


def changed(one: Sample) -> Sample:
    dataset = Dataset.from_json(one.dataset.to_json())
    dataset.StudyDescription = "changed"
    return sample(dataset)


@requires("PS3.18 §10.5.3", "B")
def test_another_content_under_the_same_uid_is_reported(service: Service) -> None:
    one = sample(make(StudyDescription="first"))
    service.store(one.data)
    response = service.store(changed(one).data)
    item = (items(response, REFERENCED) + items(response, FAILED))[0]
    assert value(item, "00081196") or value(item, "00081197")


@requires("PS3.18 §10.5.3")
def test_a_warning_answers_202(service: Service) -> None:
    one = sample(make(StudyDescription="first"))
    service.store(one.data)
    response = service.store(changed(one).data)
    warned = [item for item in items(response, REFERENCED) if "00081196" in item]
    assert response.status_code == (202 if warned else 409)


@requires("PS3.5 §9.1")
@pytest.mark.parametrize("pad", [b"\0", b" "])
def test_a_padded_uid_equals_the_unpadded_one(service: Service, pad: bytes) -> None:
    study = new_uid()[:-3] + "71"
    study = study + "5" if len(study) % 2 == 0 else study
    elements = raw_identity(study=study)
    elements[0x0020000D] = element(0x0020000D, b"UI", study.encode() + pad)
    service.store(raw_part10(list(elements.values())))
    assert [value(one, "0020000D") for one in service.search("/studies", {"StudyInstanceUID": study})] == [study]


@requires("PS3.18 §10.5.2", "B")
@pytest.mark.parametrize("transfer_syntax", ["1.2.3.4.5.6.7", "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.102"])
def test_an_encapsulated_or_unknown_transfer_syntax_is_kept_or_refused_with_a_reason(
    service: Service, transfer_syntax: str
) -> None:
    response = service.store(raw_part10(list(raw_identity().values()), transfer_syntax=transfer_syntax))
    stored, failed = items(response, REFERENCED), items(response, FAILED)
    assert len(stored) == 1 or [reason(item) for item in failed] == [0xC122]


@requires("PS3.18 §10.5.2", "B")
def test_an_unknown_sop_class_is_kept_or_refused_with_a_reason(service: Service) -> None:
    response = service.store(sample(make(sop_class="1.2.826.0.1.3680043.10.1451.99")).data)
    assert items(response, REFERENCED) or reason(items(response, FAILED)[0]) == 0x0122


@requires("PS3.18 §10.5.3", "B")
def test_five_hundred_parts_are_stored_in_one_request(service: Service) -> None:
    study, series = new_uid(), new_uid()
    parts = [sample(make(study=study, series=series, InstanceNumber=number)).data for number in range(500)]
    response = service.store(*parts)
    assert (response.status_code, len(items(response, REFERENCED))) == (200, 500)


@requires("PS3.18 §10.5.3", "B")
def test_what_was_answered_can_be_found_at_once(service: Service) -> None:
    found = []
    for _ in range(20):
        one = sample(make())
        service.store(one.data)
        found += service.search("/studies", {"StudyInstanceUID": one.study})
    assert len(found) == 20


@requires("RFC 9110 §8.4", "B")
def test_an_unknown_content_encoding_answers_415(service: Service) -> None:
    headers = {"Content-Type": f"multipart/related; {TYPE}", "Content-Encoding": "x-unknown"}
    body = encode([(HEAD, sample(make()).data)])
    assert service.send("POST", "/studies", accept=JSON, content=body, headers=headers).status_code == 415


@requires("RFC 9110 §10.1.1", "B")
def test_a_client_that_expects_100_continue_is_served(service: Service) -> None:
    headers = {"Content-Type": f"multipart/related; {TYPE}", "Expect": "100-continue"}
    body = encode([(HEAD, sample(make()).data)])
    response = service.send("POST", "/studies", accept=JSON, content=body, headers=headers)
    assert (response.status_code, response.elapsed.total_seconds() < SOON) == (200, True)
