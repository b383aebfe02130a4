"""PS3.18 chapter 13 and Annex J: storage commitment over HTTP."""

import json
import time
from typing import Any

import httpx
import pytest
from pydicom.uid import generate_uid

from conformance.archive import Archive
from conformance.procedure_steps import Address
from conformance.ps3_4.test_annex_j_storage_commitment import reported
from conformance.requirement import requires
from conformance.service import JSON, DicomJson, Service, value, values

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
COMMITTED, FAILED, STUDIES, FAILED_STUDIES = "00081199", "00081198", "00081110", "0008119B"
CLASS_UID, INSTANCE_UID, REASON, STUDY_UID = "00081150", "00081155", "00081197", "0020000D"
SERIES, BY_CLASS, INSTANCES = "00081115", "00081112", "0008114A"
XML = "application/dicom+xml"
NAMESPACE = "http://dicom.nema.org/PS3.19/models/NativeDICOM"


def uid(tag: str, text: str) -> DicomJson:
    return {tag: {"vr": "UI", "Value": [text]}}


def wanted(*references: tuple[str, str]) -> DicomJson:
    items = [uid(CLASS_UID, kind) | uid(INSTANCE_UID, one) for kind, one in references]
    return {COMMITTED: {"vr": "SQ", "Value": items}}


def ask(service: Service, document: Any, transaction: str = "", accept: str = JSON) -> httpx.Response:
    return service.send(
        "POST",
        f"/commitment-requests/{transaction or generate_uid()}",
        accept=accept,
        content=document if isinstance(document, bytes) else json.dumps(document).encode(),
        headers={"Content-Type": JSON},
    )


def result(service: Service, transaction: str, response: httpx.Response | None = None) -> DicomJson:
    """What is answered in the end: at once, or to a result check."""
    deadline = time.monotonic() + 30
    while response is None or (response.status_code == 202 and time.monotonic() < deadline):
        response = service.get(f"/commitment-requests/{transaction}", accept=JSON)
    assert response.status_code == 200, response.text
    found = response.json()
    return dict(found[0] if isinstance(found, list) else found)


def answer(service: Service, document: DicomJson) -> DicomJson:
    transaction = generate_uid()
    return result(service, transaction, ask(service, document, transaction))


def reasons(items: list[DicomJson]) -> dict[str, int | None]:
    return {value(one, INSTANCE_UID): value(one, REASON) for one in items}


@pytest.fixture(scope="module")
def commitments(service: Service) -> Service:
    """The service, if it offers storage commitment."""
    if ask(service, b"{}").status_code in (404, 405, 501):
        pytest.skip("storage commitment is not offered over HTTP")
    return service


@requires("PS3.18 §13.4.3", "O")
def test_what_is_stored_is_committed(commitments: Service, archive: Archive) -> None:
    found = answer(commitments, wanted(*((CT, one.instance) for one in archive.ct)))
    assert set(reasons(values(found, COMMITTED))) == {one.instance for one in archive.ct}
    assert FAILED not in found


@requires("PS3.3 §C.14.1.1")
@pytest.mark.parametrize(("kind", "reason"), [(MR, 0x0119), (CT, 0x0112)], ids=["another class", "not there"])
def test_what_cannot_be_committed_has_its_reason(
    commitments: Service, archive: Archive, kind: str, reason: int
) -> None:
    named = archive.ct[0].instance if kind == MR else generate_uid()
    found = answer(commitments, wanted((CT, archive.ct[1].instance), (kind, named)))
    assert reasons(values(found, COMMITTED)) == {archive.ct[1].instance: None}
    assert reasons(values(found, FAILED)) == {named: reason}


@requires("PS3.18 §13.4.1.1")
def test_the_transaction_uid_is_not_in_the_answer(commitments: Service, archive: Archive) -> None:
    assert "00081195" not in answer(commitments, wanted((CT, archive.ct[0].instance)))


@requires("PS3.18 §J.2")
def test_a_study_is_committed_with_all_that_is_in_it(commitments: Service, archive: Archive) -> None:
    one = archive.ct[0]
    request = {STUDIES: {"vr": "SQ", "Value": [uid(STUDY_UID, one.study)]}}
    found = answer(commitments, request)
    (study,) = values(found, STUDIES)
    assert value(study, STUDY_UID) == one.study
    named = {
        value(instance, INSTANCE_UID)
        for series in values(study, SERIES)
        for of_class in values(series, BY_CLASS)
        for instance in values(of_class, INSTANCES)
    }
    assert named == {value(each, "00080018") for each in commitments.search(f"/studies/{one.study}/instances")}
    assert COMMITTED not in found


@requires("PS3.18 §J.2")
def test_a_study_that_is_not_there_fails(commitments: Service) -> None:
    unknown = generate_uid()
    found = answer(commitments, {STUDIES: {"vr": "SQ", "Value": [uid(STUDY_UID, unknown)]}})
    assert [value(one, STUDY_UID) for one in values(found, FAILED_STUDIES)] == [unknown]
    assert STUDIES not in found


@requires("PS3.18 §13.5.3", "O")
def test_the_result_can_be_fetched_again(commitments: Service, archive: Archive) -> None:
    transaction = generate_uid()
    first = result(commitments, transaction, ask(commitments, wanted((CT, archive.ct[0].instance)), transaction))
    assert result(commitments, transaction) == first


@requires("PS3.18 §13.4.3", "O")
def test_a_transaction_uid_in_use_answers_409(commitments: Service, archive: Archive) -> None:
    transaction = generate_uid()
    for status in ((200, 202), (409,)):
        assert ask(commitments, wanted((CT, archive.ct[0].instance)), transaction).status_code in status


@requires("PS3.18 §13.5.3")
def test_an_unknown_transaction_answers_404(commitments: Service) -> None:
    assert commitments.get(f"/commitment-requests/{generate_uid()}", accept=JSON).status_code == 404


@requires("PS3.18 §13.4.3", "O")
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"00081199": {"vr": "SQ"}}',
        b'{"00081199": {"vr": "SQ", "Value": [{}]}}',
        json.dumps(wanted((CT, "not a UID"))).encode(),
        json.dumps(wanted(("", "1.2.3"))).encode(),
    ],
    ids=["empty", "cut", "no object", "no references", "no items", "an empty item", "a bad UID", "no class"],
)
def test_a_bad_payload_answers_400(commitments: Service, body: bytes) -> None:
    assert ask(commitments, body).status_code == 400


@requires("PS3.18 §13.4.1.4")
@pytest.mark.parametrize("multipart", [False, True], ids=["alone", "as a part"])
def test_xml_is_understood_and_answered(commitments: Service, archive: Archive, multipart: bool) -> None:
    one, transaction = archive.ct[0].instance, generate_uid()
    xml = (
        f'<NativeDicomModel xmlns="{NAMESPACE}"><DicomAttribute tag="{COMMITTED}" vr="SQ"><Item number="1">'
        f'<DicomAttribute tag="{CLASS_UID}" vr="UI"><Value number="1">{CT}</Value></DicomAttribute>'
        f'<DicomAttribute tag="{INSTANCE_UID}" vr="UI"><Value number="1">{one}</Value></DicomAttribute>'
        "</Item></DicomAttribute></NativeDicomModel>"
    )
    if multipart:
        xml = f"--part\r\nContent-Type: {XML}\r\n\r\n{xml}\r\n--part--\r\n"
    kind = f'multipart/related; type="{XML}"; boundary=part' if multipart else XML
    path = f"/commitment-requests/{transaction}"
    response = commitments.send("POST", path, accept=XML, content=xml.encode(), headers={"Content-Type": kind})
    assert response.status_code in (200, 202), response.text
    assert reasons(values(result(commitments, transaction), COMMITTED)) == {one: None}
    again = commitments.get(path, accept=XML)
    assert (again.status_code, again.headers["content-type"].split(";")[0]) == (200, XML)
    assert one in again.text


@requires("PS3.18 §8.7.3.2")
@pytest.mark.parametrize("kind", [JSON, XML])
def test_the_answer_comes_as_a_part_when_asked(commitments: Service, archive: Archive, kind: str) -> None:
    accept = f'multipart/related; type="{kind}"'
    response = ask(commitments, wanted((CT, archive.ct[0].instance)), accept=accept)
    assert response.headers["content-type"].startswith("multipart/related")
    assert archive.ct[0].instance in response.text


@requires("PS3.18 §13.4.1.3")
def test_a_type_that_cannot_be_answered_is_told_before_anything_is_done(commitments: Service, archive: Archive) -> None:
    transaction, document = generate_uid(), wanted((CT, archive.ct[0].instance))
    assert ask(commitments, document, transaction, accept="image/png").status_code == 406
    assert ask(commitments, document, transaction).status_code in (200, 202)


@requires("PS3.18 §13.1", "B")
def test_a_transaction_of_dimse_is_known_over_http(commitments: Service, dimse: Address, archive: Archive) -> None:
    _, report = reported(dimse, (CT, archive.ct[0].instance))
    found = result(commitments, str(report.TransactionUID))
    assert reasons(values(found, COMMITTED)) == {archive.ct[0].instance: None}
