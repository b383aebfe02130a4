"""PS3.18 chapter 11: workitems over HTTP (UPS-RS), by the rules of PS3.4 annex CC."""

import json
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from conformance.procedure_steps import Address, filled, modality
from conformance.requirement import requires
from conformance.service import JSON, XML, DicomJson, Service, is_problem, value
from conformance.workitems import ALL_WORKITEMS, PULL, PUSH, WATCH, code, progress, results, state_change, workitem

STATE, LABEL, TRANSACTION, INSTANCE, MODIFIED = "00741000", "00741202", "00081195", "00080018", "00404010"
ALREADY = "The UPS is already in the requested state of {}."
TRIES = 1000


def send(service: Service, method: str, path: str, dataset: Dataset | None = None) -> httpx.Response:
    if dataset is None:
        return service.send(method, f"/workitems{path}")
    body = json.dumps(dataset.to_json_dict()).encode()
    return service.send(method, f"/workitems{path}", content=body, headers={"Content-Type": JSON})


def create(service: Service, **attributes: object) -> str:
    uid = str(generate_uid())
    response = send(service, "POST", f"?{uid}", workitem(**attributes))
    assert response.status_code == 201, response.text
    return uid


def change(service: Service, uid: str, state: str, lock: str) -> httpx.Response:
    return send(service, "PUT", f"/{uid}/state", state_change(state, lock))


def claimed(service: Service) -> tuple[str, str]:
    """A workitem in progress, and its Transaction UID."""
    uid, lock = create(service), str(generate_uid())
    assert change(service, uid, "IN PROGRESS", lock).status_code == 200
    return uid, lock


def canceled(service: Service) -> tuple[str, str]:
    uid, lock = claimed(service)
    assert change(service, uid, "CANCELED", lock).status_code == 200
    return uid, lock


def known(service: Service, uid: str) -> DicomJson:
    response = service.get(f"/workitems/{uid}", accept=JSON)
    assert response.status_code == 200, response.text
    found = response.json()
    return dict(found[0] if isinstance(found, list) else found)


def state(service: Service, uid: str) -> str:
    return str(value(known(service, uid), STATE))


def warning(response: httpx.Response) -> str:
    """The text of the warning, whose code is 299."""
    found = response.headers.get("warning", "299 -")
    assert found.startswith("299 ")
    return str(found).partition(" ")[2].partition(" ")[2].strip('"')


@pytest.fixture(scope="module")
def workitems(service: Service) -> Service:
    """The service, if it offers workitems."""
    if service.get("/workitems", accept=JSON, query={"limit": "1"}).status_code in (404, 405, 501):
        pytest.skip("workitems are not offered over HTTP")
    return service


@requires("PS3.18 §11.4.3")
def test_a_new_workitem_has_a_location(workitems: Service) -> None:
    uid = str(generate_uid())
    response = send(workitems, "POST", f"?{uid}", workitem())
    assert response.status_code == 201
    assert workitems.relative(response.headers["location"]) == f"/workitems/{uid}"
    assert state(workitems, uid) == "SCHEDULED"


@requires("PS3.18 §11.4.1.1")
def test_the_uid_may_be_in_the_data_set(workitems: Service) -> None:
    uid, dataset = str(generate_uid()), workitem()
    dataset.SOPInstanceUID = uid
    assert send(workitems, "POST", "", dataset).status_code == 201
    assert value(known(workitems, uid), INSTANCE) == uid


@requires("PS3.18 §11.4.3.1")
def test_a_uid_is_used_once(workitems: Service) -> None:
    uid = create(workitems)
    assert send(workitems, "POST", f"?{uid}", workitem()).status_code == 409


@requires("PS3.4 §CC.2.5.2")
@pytest.mark.parametrize(
    "attributes",
    [
        {"ProcedureStepState": "IN PROGRESS"},
        {"TransactionUID": "1.2.3"},
        {"ScheduledProcedureStepPriority": None},
        {"ProcedureStepLabel": ""},
        {"PatientBirthDate": None},
    ],
    ids=lambda each: next(iter(each)),
)
def test_a_wrong_creation_is_refused(workitems: Service, attributes: dict[str, object]) -> None:
    uid = str(generate_uid())
    response = send(workitems, "POST", f"?{uid}", workitem(**attributes))
    assert response.status_code == 400
    assert is_problem(response)
    assert workitems.get(f"/workitems/{uid}", accept=JSON).status_code == 404


@requires("PS3.18 §11.4.3.2")
def test_modifications_are_told(workitems: Service) -> None:
    uid = str(generate_uid())
    response = send(workitems, "POST", f"?{uid}", workitem(WorklistLabel=""))
    assert (response.status_code, warning(response)) == (201, "The Workitem was created with modifications.")
    assert value(known(workitems, uid), LABEL)


@requires("PS3.18 §11.5")
def test_the_transaction_uid_is_not_given_out(workitems: Service) -> None:
    uid, lock = claimed(workitems)
    assert lock not in json.dumps(known(workitems, uid))
    assert lock not in json.dumps(workitems.search("/workitems", {"SOPInstanceUID": uid, "includefield": "all"}))


@requires("PS3.18 §11.5.3")
def test_an_unknown_workitem_is_not_found(workitems: Service) -> None:
    uid = str(generate_uid())
    for method, path, dataset in (
        ("GET", "", None),
        ("POST", "", progress(ProcedureStepProgress="1")),
        ("PUT", "/state", state_change("IN PROGRESS", "1.2.3")),
        ("POST", "/cancelrequest", Dataset()),
    ):
        assert send(workitems, method, f"/{uid}{path}", dataset).status_code == 404


@requires("PS3.18 §11.6")
def test_a_scheduled_workitem_is_changed_without_a_transaction_uid(workitems: Service) -> None:
    uid = create(workitems)
    before = value(known(workitems, uid), MODIFIED)
    response = send(workitems, "POST", f"/{uid}", filled({"WorklistLabel": "OTHER"}))
    assert response.status_code == 200, response.text
    found = known(workitems, uid)
    assert value(found, LABEL) == "OTHER"
    assert value(found, MODIFIED) >= before


@requires("PS3.18 §11.6.3")
def test_a_workitem_in_progress_is_changed_by_its_performer_only(workitems: Service) -> None:
    uid, lock = claimed(workitems)
    told = progress(ProcedureStepProgress="20")
    for query, text in (("", "missing"), (f"?{generate_uid()}", "incorrect")):
        response = send(workitems, "POST", f"/{uid}{query}", told)
        assert (response.status_code, warning(response)) == (400, f"The Transaction UID is {text}.")
    assert "00741002" not in known(workitems, uid) or not known(workitems, uid)["00741002"].get("Value")
    assert send(workitems, "POST", f"/{uid}?{lock}", told).status_code == 200
    assert value(value(known(workitems, uid), "00741002"), "00741004") == 20


@requires("PS3.4 §CC.2.6.3")
def test_what_has_ended_is_not_changed(workitems: Service) -> None:
    uid, lock = canceled(workitems)
    response = send(workitems, "POST", f"/{uid}?{lock}", progress(ProcedureStepProgress="20"))
    assert response.status_code in (400, 409)
    assert "inconsistent with the current state" in warning(response)


@requires("PS3.4 §CC.2.6.2")
@pytest.mark.parametrize(
    ("keyword", "text"), [("ProcedureStepState", "COMPLETED"), ("SOPInstanceUID", "1.2.3"), ("SOPClassUID", "1.2.3")]
)
def test_what_a_change_may_not_alter(workitems: Service, keyword: str, text: str) -> None:
    uid = create(workitems)
    before = known(workitems, uid)
    assert send(workitems, "POST", f"/{uid}", filled({keyword: text})).status_code == 400
    assert known(workitems, uid) == before


@requires("PS3.18 §11.7.3.1")
def test_a_claim_needs_a_transaction_uid(workitems: Service) -> None:
    uid = create(workitems)
    response = change(workitems, uid, "IN PROGRESS", "")
    assert (response.status_code, warning(response)) == (400, "The Transaction UID is missing.")
    assert state(workitems, uid) == "SCHEDULED"


@requires("PS3.18 §11.7.3.1")
def test_a_second_claim_is_a_conflict(workitems: Service) -> None:
    uid, lock = claimed(workitems)
    for each in (lock, str(generate_uid())):
        assert change(workitems, uid, "IN PROGRESS", each).status_code == 409


@requires("PS3.4 §CC.1.1")
def test_nothing_ends_before_it_begins(workitems: Service) -> None:
    uid = create(workitems)
    for wanted in ("COMPLETED", "CANCELED"):
        assert change(workitems, uid, wanted, str(generate_uid())).status_code == 409
    assert state(workitems, uid) == "SCHEDULED"


@requires("PS3.4 §CC.2.1.3")
def test_an_end_needs_its_attributes(workitems: Service) -> None:
    uid, lock = claimed(workitems)
    assert change(workitems, uid, "COMPLETED", lock).status_code == 409
    assert send(workitems, "POST", f"/{uid}?{lock}", results()).status_code == 200
    assert change(workitems, uid, "COMPLETED", lock).status_code == 200
    assert state(workitems, uid) == "COMPLETED"


@requires("PS3.18 §11.7.3.1")
def test_only_the_performer_ends_it(workitems: Service) -> None:
    uid, _ = claimed(workitems)
    response = change(workitems, uid, "CANCELED", str(generate_uid()))
    assert (response.status_code, warning(response)) == (400, "The Transaction UID is incorrect.")


@requires("PS3.18 §11.7.3.2")
def test_the_same_end_again_is_told(workitems: Service) -> None:
    uid, lock = canceled(workitems)
    response = change(workitems, uid, "CANCELED", lock)
    assert (response.status_code, warning(response)) == (200, ALREADY.format("CANCELED"))


@requires("PS3.4 §CC.1.1")
@pytest.mark.parametrize("wanted", ["IN PROGRESS", "COMPLETED"])
def test_an_end_is_final(workitems: Service, wanted: str) -> None:
    uid, lock = canceled(workitems)
    assert change(workitems, uid, wanted, lock).status_code == 409
    assert state(workitems, uid) == "CANCELED"


@requires("PS3.4 §CC.2.1.3", "B")
def test_of_two_who_claim_one_wins(workitems: Service) -> None:
    with ThreadPoolExecutor(2) as two, ThreadPoolExecutor(8) as several:
        others = Service(workitems.root), Service(workitems.root)
        for uid in several.map(lambda _: create(workitems), range(TRIES)):
            claims = [two.submit(change, each, uid, "IN PROGRESS", str(generate_uid())) for each in others]
            assert sorted(claim.result().status_code for claim in claims) == [200, 409]
        for each in others:
            each.http.close()


@requires("PS3.18 §11.8.3.2")
def test_who_may_cancel_what(workitems: Service) -> None:
    uid = create(workitems)
    for text in ("", ALREADY.format("CANCELED")):
        response = send(workitems, "POST", f"/{uid}/cancelrequest", filled({"ReasonForCancellation": "Not needed"}))
        assert (response.status_code, warning(response)) == (202, text)
    assert state(workitems, uid) == "CANCELED"
    uid, lock = claimed(workitems)
    send(workitems, "POST", f"/{uid}?{lock}", results())
    change(workitems, uid, "COMPLETED", lock)
    response = send(workitems, "POST", f"/{uid}/cancelrequest")
    assert (response.status_code, warning(response)) == (409, "The UPS is already COMPLETED.")


@requires("PS3.18 §11.9.3.1")
def test_no_match_is_an_empty_list(workitems: Service) -> None:
    response = workitems.get("/workitems", accept=JSON, query={"PatientID": "nobody"})
    assert (response.status_code, response.json()) == (200, [])


@requires("PS3.18 §11.9")
def test_searches(workitems: Service) -> None:
    label = str(generate_uid())
    first, second = (
        create(
            workitems,
            WorklistLabel=label,
            ScheduledProcedureStepStartDateTime=f"203{year}0101",
            ScheduledWorkitemCodeSequence=[code(f"C{year}", "A code")],
        )
        for year in range(2)
    )
    change(workitems, second, "IN PROGRESS", str(generate_uid()))
    for query, uids in (
        ({}, {first, second}),
        ({"ProcedureStepState": "SCHEDULED"}, {first}),
        ({"ScheduledProcedureStepStartDateTime": "20310101-"}, {second}),
        ({"ScheduledWorkitemCodeSequence.CodeValue": "C0"}, {first}),
        ({"SOPInstanceUID": f"{first},{second}"}, {first, second}),
        ({"PatientName": "zebra*"}, {first, second}),
        ({"ProcedureStepLabel": "No*"}, set()),
    ):
        found = workitems.search("/workitems", {"WorklistLabel": label, **query})
        assert {value(one, INSTANCE) for one in found} == uids, query
    assert len(workitems.search("/workitems", {"WorklistLabel": label, "limit": "1"})) == 1


@requires("PS3.18 §11.9.3.2")
def test_an_answer_has_the_return_keys(workitems: Service) -> None:
    uid = create(workitems)
    (found,) = workitems.search("/workitems", {"SOPInstanceUID": uid})
    assert {"00080016", INSTANCE, "00741200", LABEL, "00741204", "00404005", STATE, "00404041"} <= set(found)
    (found,) = workitems.search("/workitems", {"SOPInstanceUID": uid, "includefield": "all"})
    assert found == known(workitems, uid)


@requires("PS3.18 §11.1.1")
def test_workitems_in_xml(workitems: Service) -> None:
    uid = create(workitems)
    response = workitems.get(f"/workitems/{uid}", accept="application/dicom+xml")
    assert response.headers["content-type"].startswith("application/dicom+xml")
    assert uid in response.text
    response = workitems.get("/workitems", accept=XML, query={"SOPInstanceUID": uid})
    assert response.headers["content-type"].startswith("multipart/related")
    copy = response.content.partition(b"\r\n\r\n")[2].partition(b"\r\n--")[0]
    again = workitems.send("POST", f"/workitems/{uid}", content=copy, headers={"Content-Type": "application/dicom+xml"})
    assert again.status_code == 200, again.text


@requires("PS3.18 §11.5")
def test_the_well_known_uids_are_no_workitems(workitems: Service) -> None:
    assert workitems.get(f"/workitems/{ALL_WORKITEMS}", accept=JSON).status_code == 404
    assert send(workitems, "POST", f"?{ALL_WORKITEMS}", workitem()).status_code == 400


@requires("PS3.4 §CC.2.1.3")
def test_dimse_and_http_see_the_same(workitems: Service, dimse: Address) -> None:
    uid, lock = create(workitems), str(generate_uid())
    with modality(dimse, PUSH, PULL, WATCH) as association:
        status, _ = association.send_n_action(state_change("IN PROGRESS", lock), 1, PUSH, uid, meta_uid=PULL)
        assert status.Status == 0
        assert state(workitems, uid) == "IN PROGRESS"
        assert change(workitems, uid, "IN PROGRESS", str(generate_uid())).status_code == 409
        assert change(workitems, uid, "CANCELED", lock).status_code == 200
        status, _ = association.send_n_action(state_change("CANCELED", lock), 1, PUSH, uid, meta_uid=PULL)
        assert status.Status == 0xB304
