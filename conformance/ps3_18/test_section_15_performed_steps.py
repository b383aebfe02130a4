"""PS3.18 chapter 15: performed procedure steps over HTTP, by the rules of PS3.4 annex F."""

import json

import httpx
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from conformance.procedure_steps import PERFORMED_STEP, PERFORMED_STEP_RETRIEVE, Address, ending, modality, report
from conformance.requirement import requires
from conformance.service import JSON, DicomJson, Service, value

XML = "application/dicom+xml"
STATUS, DESCRIPTION, NAME = "00400252", "00400254", "00100010"
IN_PROGRESS, COMPLETED, DISCONTINUED = "IN PROGRESS", "COMPLETED", "DISCONTINUED"


def path(uid: str) -> str:
    return f"/modality-performed-procedure-steps/{uid}"


def tell(
    service: Service, uid: str, dataset: Dataset | bytes, *, update: bool = False, kind: str = JSON
) -> httpx.Response:
    body = dataset if isinstance(dataset, bytes) else json.dumps(dataset.to_json_dict()).encode()
    target = path(uid) + ("?update" if update else "")
    return service.send("POST", target, accept=JSON, content=body, headers={"Content-Type": kind})


def begun(service: Service, dataset: Dataset | None = None) -> str:
    """A step that is in progress; its UID."""
    uid = generate_uid()
    response = tell(service, uid, dataset or report())
    assert response.status_code == 201, response.text
    return uid


def known(service: Service, uid: str) -> DicomJson:
    response = service.get(path(uid), accept=JSON)
    assert response.status_code == 200, response.text
    found = response.json()
    return dict(found[0] if isinstance(found, list) else found)


@pytest.fixture(scope="module")
def steps(service: Service) -> Service:
    """The service, if it offers performed procedure steps."""
    if tell(service, generate_uid(), report()).status_code in (404, 405, 501):
        pytest.skip("performed procedure steps are not offered over HTTP")
    return service


@requires("PS3.18 §15.4.3")
def test_a_step_is_created_without_a_payload(steps: Service) -> None:
    response = tell(steps, generate_uid(), report())
    assert (response.status_code, response.content) == (201, b"")


@requires("PS3.18 §15.6.3", "O")
def test_a_step_is_retrieved(steps: Service) -> None:
    found = known(steps, begun(steps, report(PatientName="Zebra^Anna")))
    assert (value(found, STATUS), value(found, NAME)) == (IN_PROGRESS, {"Alphabetic": "Zebra^Anna"})


@requires("PS3.18 §15.5.3")
def test_a_step_is_changed_without_a_payload(steps: Service) -> None:
    uid, change = begun(steps), Dataset()
    change.PerformedProcedureStepDescription = "Head"
    response = tell(steps, uid, change, update=True)
    assert (response.status_code, response.content) == (200, b"")
    found = known(steps, uid)
    assert (value(found, DESCRIPTION), value(found, STATUS)) == ("Head", IN_PROGRESS)


@requires("PS3.4 §F.7.2.2.2")
@pytest.mark.parametrize("status", [COMPLETED, DISCONTINUED])
def test_a_step_that_is_over_is_not_changed(steps: Service, status: str) -> None:
    uid = begun(steps)
    assert tell(steps, uid, ending(status), update=True).status_code == 200
    assert tell(steps, uid, ending(COMPLETED), update=True).status_code == 409
    assert value(known(steps, uid), STATUS) == status


@requires("PS3.18 §15.4.3")
def test_a_uid_in_use_answers_409(steps: Service) -> None:
    assert tell(steps, begun(steps), report()).status_code == 409


@requires("PS3.18 §15.5.3")
def test_an_unknown_step_is_not_changed(steps: Service) -> None:
    assert tell(steps, generate_uid(), ending(), update=True).status_code == 404


@requires("PS3.18 §15.6.3")
def test_an_unknown_step_is_not_retrieved(steps: Service) -> None:
    assert steps.get(path(generate_uid()), accept=JSON).status_code == 404


@requires("PS3.4 §F.7.2.1.1")
@pytest.mark.parametrize("status", [COMPLETED, DISCONTINUED, "PAUSED"])
def test_a_step_begins_in_progress_only(steps: Service, status: str) -> None:
    assert tell(steps, generate_uid(), report(PerformedProcedureStepStatus=status)).status_code == 400


@requires("PS3.4 §F.7.2.1.1")
@pytest.mark.parametrize(
    "keyword",
    ["Modality", "PerformedStationAETitle", "PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime",
     "PerformedProcedureStepID", "ScheduledStepAttributesSequence"],
)  # fmt: skip
def test_a_step_needs_its_attributes_of_type_1(steps: Service, keyword: str) -> None:
    uid, dataset = generate_uid(), report()
    delattr(dataset, keyword)
    assert tell(steps, uid, dataset).status_code == 400
    assert steps.get(path(uid), accept=JSON).status_code == 404


@requires("PS3.18 §15.4.3")
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"[1]", b'{"nonsense": {}}'], ids=str)
def test_a_bad_payload_answers_400(steps: Service, body: bytes) -> None:
    assert tell(steps, generate_uid(), body).status_code == 400


@requires("PS3.18 §15.4.1.4")
def test_xml_is_understood_and_answered(steps: Service) -> None:
    uid = begun(steps)
    xml = (
        '<NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM">'
        f'<DicomAttribute tag="{DESCRIPTION}" vr="LO"><Value number="1">Head</Value></DicomAttribute>'
        "</NativeDicomModel>"
    )
    assert tell(steps, uid, xml.encode(), update=True, kind=XML).status_code == 200
    response = steps.get(path(uid), accept=XML)
    assert response.headers["content-type"].split(";")[0] == XML
    assert '<Value number="1">Head</Value>' in response.text


@requires("PS3.18 §15.1.3")
@pytest.mark.parametrize("kind", [JSON, XML])
def test_it_comes_as_a_part_when_asked(steps: Service, kind: str) -> None:
    response = steps.get(path(begun(steps)), accept=f'multipart/related; type="{kind}"')
    assert response.headers["content-type"].startswith("multipart/related")
    assert kind in response.headers["content-type"]


@requires("PS3.18 §15.1", "B")
def test_dimse_and_http_have_the_same_steps(steps: Service, performed: Address) -> None:
    uid = begun(steps)
    with modality(performed, PERFORMED_STEP, PERFORMED_STEP_RETRIEVE) as association:
        status, found = association.send_n_get([0x00400252], PERFORMED_STEP_RETRIEVE, uid)
        assert (status.Status, found.PerformedProcedureStepStatus) == (0x0000, IN_PROGRESS)
        assert association.send_n_create(report(), PERFORMED_STEP, uid)[0].Status == 0x0111
        assert association.send_n_set(ending(), PERFORMED_STEP, uid)[0].Status == 0x0000
    assert value(known(steps, uid), STATUS) == COMPLETED
