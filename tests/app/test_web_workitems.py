"""Workitems over HTTP (UPS-RS, PS3.18 chapter 11): created, read, changed, claimed, ended, searched."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom.dataset import Dataset

from conformance.procedure_steps import filled
from conformance.workitems import code, progress, results, state_change, workitem
from dicomweb_server.dicom.dicom_xml import from_xml, to_xml
from dicomweb_server.dicom.workitem import Notice, Problem
from dicomweb_server.dicomweb import workitems
from dicomweb_server.dicomweb.workitem_status import REFUSED, TOLD
from dicomweb_server.ports.workitems import Subscriber
from tests.app.dicomweb_harness import JSON, ROOT, Archive, open_archive, parts_of
from tests.worklists import document

XML = "application/dicom+xml"
LOCK = "1.2.3"
STATE, LABEL, WORKLIST, TRANSACTION, NAME, UID = "00741000", "00741204", "00741202", "00081195", "00100010", "00080018"
INCONSISTENT = "The submitted request is inconsistent with the current state of the Workitem."


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Archive]:
    async with open_archive(tmp_path, search_limit=20) as opened:
        yield opened


async def sent(archive: Archive, method: str, path: str, body: Any = b"", content_type: str = JSON) -> httpx.Response:
    if isinstance(body, Dataset):
        body = document(body)
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"content-type": content_type} if content else {}
    return await archive.client.request(method, f"{ROOT}/workitems{path}", content=content, headers=headers)


async def created(archive: Archive, uid: str, **attributes: object) -> None:
    response = await sent(archive, "POST", f"?{uid}", workitem(**attributes))
    assert response.status_code == 201, response.text


async def state(archive: Archive, uid: str, wanted: str, lock: str = LOCK) -> httpx.Response:
    return await sent(archive, "PUT", f"/{uid}/state", state_change(wanted, lock))


async def known(archive: Archive, uid: str) -> dict[str, Any]:
    response = await archive.get(f"/workitems/{uid}", JSON)
    assert (response.status_code, response.headers["content-type"]) == (200, JSON), response.text
    return dict(response.json())


def said(response: httpx.Response) -> tuple[int, str]:
    """The status, and the text of the warning."""
    head, _, text = response.headers.get("warning", "").partition(f'299 {ROOT}: "')
    assert not head
    return response.status_code, text.removesuffix('"')


async def test_from_creation_to_the_end(archive: Archive) -> None:
    response = await sent(archive, "POST", "?1.1", workitem(PatientName="Müller^Jörg"))
    assert (response.status_code, response.content) == (201, b"")
    assert response.headers["location"] == f"{ROOT}/workitems/1.1"
    assert "warning" not in response.headers
    assert said(await sent(archive, "POST", "/1.1", progress(ProcedureStepProgress="1"))) == (200, "")
    assert said(await state(archive, "1.1", "IN PROGRESS")) == (200, "")
    assert said(await sent(archive, "POST", f"/1.1?{LOCK}", results())) == (200, "")
    assert said(await sent(archive, "POST", f"/1.1?transaction={LOCK}", {})) == (200, "")
    assert said(await sent(archive, "POST", "/1.1", {TRANSACTION: {"vr": "UI", "Value": [LOCK]}})) == (200, "")
    assert said(await state(archive, "1.1", "COMPLETED")) == (200, "")
    already = "The UPS is already in the requested state of COMPLETED."
    assert said(await state(archive, "1.1", "COMPLETED")) == (200, already)
    found = await known(archive, "1.1")
    assert (found[STATE]["Value"], found[NAME]["Value"]) == (["COMPLETED"], [{"Alphabetic": "Müller^Jörg"}])
    assert list(found) == sorted(found)
    assert LOCK not in json.dumps(found)


async def test_refusals_by_state(archive: Archive) -> None:
    await created(archive, "1.1")
    claimed = "The target URI did not reference a claimed Workitem."
    assert said(await sent(archive, "POST", "?1.1", workitem())) == (409, INCONSISTENT)
    assert said(await sent(archive, "POST", f"/1.1?{LOCK}", {})) == (409, claimed)
    assert said(await state(archive, "1.1", "COMPLETED"))[0] == 409
    assert said(await state(archive, "1.1", "SCHEDULED"))[0] == 400
    assert said(await state(archive, "1.1", "PAUSED"))[0] == 400
    assert said(await state(archive, "1.1", "IN PROGRESS", "")) == (400, "The Transaction UID is missing.")
    assert said(await state(archive, "1.1", "IN PROGRESS")) == (200, "")
    for lock in (LOCK, "1.2.4"):  # a second claim
        assert said(await state(archive, "1.1", "IN PROGRESS", lock)) == (409, INCONSISTENT)
    for path, text in (("/1.1", "missing"), ("/1.1?1.2.4", "incorrect")):
        assert said(await sent(archive, "POST", path, {})) == (400, f"The Transaction UID is {text}.")
    assert said(await state(archive, "1.1", "CANCELED", "1.2.4")) == (400, "The Transaction UID is incorrect.")
    response = await state(archive, "1.1", "COMPLETED")
    assert said(response) == (409, INCONSISTENT)
    assert "UnifiedProcedureStepPerformedProcedureSequence" in response.json()["detail"]
    assert said(await state(archive, "1.1", "CANCELED")) == (200, "")
    assert said(await sent(archive, "POST", f"/1.1?{LOCK}", {})) == (409, INCONSISTENT)
    for wanted, lock in (("IN PROGRESS", LOCK), ("COMPLETED", LOCK), ("COMPLETED", "1.2.4")):
        assert said(await state(archive, "1.1", wanted, lock)) == (409, INCONSISTENT)


async def test_of_two_who_claim_one_wins(archive: Archive) -> None:
    for number in range(50):
        await created(archive, f"1.4.{number}")
        answers = await asyncio.gather(
            *(state(archive, f"1.4.{number}", "IN PROGRESS", f"1.5.{client}") for client in range(2))
        )
        assert sorted(answer.status_code for answer in answers) == [200, 409]


async def test_requests_to_cancel(archive: Archive) -> None:
    queue = archive.services.workitems.events.listen("web")
    for uid in ("1.1", "1.2", "1.3"):
        await created(archive, uid)
    assert said(await sent(archive, "POST", "/1.1/cancelrequest")) == (202, "")
    assert (await known(archive, "1.1"))[STATE]["Value"] == ["CANCELED"]
    already = "The UPS is already in the requested state of CANCELED."
    assert said(await sent(archive, "POST", "/1.1/cancelrequest")) == (202, already)
    await state(archive, "1.2", "IN PROGRESS")
    assert said(await sent(archive, "POST", "/1.2/cancelrequest", {})) == (409, "The performer cannot be contacted.")
    await archive.services.workitems.subscribe("1.2", Subscriber("WATCHER", "web"))
    reasons = filled({"ReasonForCancellation": "Wrong patient", "RequestingAE": "DESK"})
    assert said(await sent(archive, "POST", "/1.2/cancelrequest", reasons)) == (202, "")
    assert said(await sent(archive, "POST", "/1.2/cancelrequest")) == (202, "")
    told = [queue.get_nowait().event.document for _ in range(queue.qsize())]
    assert [each.get("00741236", {}).get("Value") for each in told] == [None, ["DESK"], ["UPS-RS"]]
    assert told[1]["00741238"]["Value"] == ["Wrong patient"]
    await sent(archive, "POST", f"/1.2?{LOCK}", results())
    await state(archive, "1.2", "COMPLETED")
    assert said(await sent(archive, "POST", "/1.2/cancelrequest")) == (409, "The UPS is already COMPLETED.")
    # What gives no reason is not kept.
    broken = {"0074100E": {"vr": "LO", "Value": ["x"]}}
    assert said(await sent(archive, "POST", "/1.3/cancelrequest", broken))[0] == 400
    assert (await known(archive, "1.3"))[STATE]["Value"] == ["SCHEDULED"]


async def test_uids_of_new_workitems(archive: Archive) -> None:
    named = workitem()
    named.SOPInstanceUID = "1.7"
    for query, dataset, uid in (
        ("?1.1", workitem(), "1.1"),
        ("?workitem=1.2", workitem(), "1.2"),
        ("?AffectedSOPInstanceUID=1.3&accept=application/dicom%2Bjson", workitem(), "1.3"),
        ("", named, "1.7"),
        ("", workitem(), "2.25."),
    ):
        response = await sent(archive, "POST", query, dataset)
        assert response.status_code == 201, response.text
        assert response.headers["location"].startswith(f"{ROOT}/workitems/{uid}")
    for query, dataset in (
        ("?1.8", named),
        ("?1.1.x", workitem()),
        ("?1.8&1.9", workitem()),
        ("?state=1.8", workitem()),
        ("?1.2.840.10008.5.1.4.34.5", workitem()),
    ):
        assert (await sent(archive, "POST", query, dataset)).status_code == 400


async def test_an_empty_worklist_label_is_filled_in(archive: Archive) -> None:
    response = await sent(archive, "POST", "?1.1", workitem(WorklistLabel=""))
    assert said(response) == (201, "The Workitem was created with modifications.")
    assert (await known(archive, "1.1"))[WORKLIST]["Value"] == ["WORKLIST"]


@pytest.mark.parametrize(
    ("attributes", "named"),
    [
        ({"ProcedureStepState": "IN PROGRESS"}, "SCHEDULED"),
        ({"ProcedureStepLabel": None}, "ProcedureStepLabel"),
        ({"ProcedureStepLabel": ""}, "ProcedureStepLabel"),
        ({"PatientSex": None}, "PatientSex"),
        ({"TransactionUID": "1.2.3"}, "TransactionUID"),
        ({"InputReadinessState": "MAYBE"}, "InputReadinessState"),
        ({"ScheduledWorkitemCodeSequence": [Dataset()]}, "ScheduledWorkitemCodeSequence.CodeMeaning"),
    ],
)
async def test_what_is_wrong_with_a_new_workitem_is_named(
    archive: Archive, attributes: Mapping[str, object], named: str
) -> None:
    response = await sent(archive, "POST", "?1.1", workitem(**attributes))
    assert response.status_code == 400
    assert named in response.json()["detail"]
    assert "Zebra" not in response.text
    assert (await archive.get("/workitems/1.1")).status_code == 404


_MALFORMED: list[Any] = [
    {"00741002": {"vr": "LO", "Value": ["x"]}},
    {"00741002": {"vr": "SQ", "Value": ["x"]}},
    {"00741002": {"vr": "SQ", "Value": [{"0074100E": {"vr": "ST", "Value": ["x"]}}]}},
    {"00741216": {"vr": "SQ", "Value": [{"00404019": {"vr": "LO", "Value": ["x"]}}]}},
    {"00404005": {"vr": "DT", "Value": [None]}},
    {"00404005": {"vr": "LO", "Value": ["tomorrow"]}},
    {"00741000": {"vr": "CS", "Value": ["COMPLETED"]}},
    {"00080018": {"vr": "UI", "Value": ["1.9"]}},
    {"00080016": {"vr": "UI", "Value": ["1.9"]}},
    {"00001000": {"vr": "UI", "Value": ["1.9"]}},
    {"00741204": {"vr": "LO", "BulkDataURI": "http://elsewhere.example/"}},
    {"0074": {"vr": "LO"}},
    {"00741204": 3},
    [],
    [{}, {}],
    3,
    b"{",
    b"\xff",
]


@pytest.mark.parametrize("body", _MALFORMED, ids=str)
async def test_malformed_bodies_change_nothing(archive: Archive, body: Any) -> None:
    await created(archive, "1.1")
    before = await known(archive, "1.1")
    for method, path in (("POST", "/1.1"), ("PUT", "/1.1/state"), ("POST", "?1.2")):
        response = await sent(archive, method, path, body)
        assert response.status_code == 400, response.text
        assert response.json()["detail"]
    assert await known(archive, "1.1") == before


async def test_other_bodies(archive: Archive) -> None:
    for content_type, status in (("text/plain", 415), (XML, 400)):
        assert (await sent(archive, "POST", "?1.1", b"{}", content_type)).status_code == status
    assert (await archive.client.post(f"{ROOT}/workitems", content=b"{}")).status_code == 415
    items = [{"00104000": {"vr": "LT", "Value": ["x" * 10_000]}}] * 430
    large = document(workitem()) | {"00101002": {"vr": "SQ", "Value": items}}
    assert (await sent(archive, "POST", "?1.1", large)).status_code == 413
    assert (await sent(archive, "POST", "?1.1", b" " * (workitems.LARGEST_REQUEST + 1))).status_code == 413
    assert (await sent(archive, "POST", "?1.1", to_xml(document(workitem())), XML)).status_code == 201
    assert (await sent(archive, "POST", "?1.2", [document(workitem())])).status_code == 201


async def test_retrieved_in_each_form(archive: Archive) -> None:
    await created(archive, "1.1", PatientName="Müller^Jörg")
    found = await known(archive, "1.1")
    response = await archive.get("/workitems/1.1", XML)
    assert response.headers["content-type"] == XML
    assert from_xml(response.content) == found
    (part,) = parts_of(await archive.get("/workitems/1.1", f'multipart/related; type="{XML}"'))
    assert from_xml(part.body) == found
    assert (await archive.get("/workitems/1.1", "image/png")).status_code == 406
    for uid in ("1.2", "x", "1.2.840.10008.5.1.4.34.5"):
        response = await archive.get(f"/workitems/{uid}", JSON)
        assert (response.status_code, response.json()["reason"]) == (404, "NOT_FOUND")


async def test_what_was_removed_is_gone(archive: Archive) -> None:
    await created(archive, "1.1")
    await sent(archive, "POST", "/1.1/cancelrequest")
    assert await archive.store.workitems.remove_ended(time.time() + 1) == 1
    for method, path in (("GET", "/1.1"), ("POST", "/1.1"), ("POST", "/1.1/subscribers/WATCHER")):
        response = await sent(archive, method, path, b"{}")
        assert (response.status_code, response.json()["reason"]) == (410, "GONE")


async def test_searched(archive: Archive) -> None:
    for number in range(5):
        start = f"2029010{5 - number}080000"
        codes = [code(f"C{number}", "A code")]
        await created(
            archive,
            f"1.{number}",
            PatientName=f"Zebra^{number}",
            ScheduledProcedureStepStartDateTime=start,
            ScheduledWorkitemCodeSequence=codes,
        )
    await state(archive, "1.3", "IN PROGRESS")
    for query, uids in (
        ("", ["1.4", "1.3", "1.2", "1.1", "1.0"]),
        ("limit=2&offset=1", ["1.3", "1.2"]),
        ("limit=0", []),
        ("ProcedureStepState=SCHEDULED", ["1.4", "1.2", "1.1", "1.0"]),
        ("ProcedureStepState=IN%20PROGRESS", ["1.3"]),
        ("00404005=20290102-20290103", ["1.3", "1.2"]),
        ("PatientName=zebra^3&includefield=all", ["1.3"]),
        ("PatientName=3&fuzzymatching=true", ["1.3"]),
        ("ScheduledWorkitemCodeSequence.CodeValue=C2", ["1.2"]),
        ("SOPInstanceUID=1.1,1.2", ["1.2", "1.1"]),
        ("PatientID=nobody", []),
    ):
        response = await archive.get(f"/workitems?{query}", JSON)
        assert (response.status_code, response.headers["content-type"]) == (200, JSON), query
        assert [each[UID]["Value"][0] for each in response.json()] == uids, query
        assert LOCK not in response.text
        more = query.startswith("limit")
        assert ("additional results" in response.headers.get("warning", "")) == more
    (found,) = (await archive.get("/workitems?PatientName=*3&includefield=AdmissionID", JSON)).json()
    assert {NAME, LABEL, WORKLIST, STATE, UID, "00380010"} <= set(found)
    assert "00404021" in found
    response = await archive.get("/workitems?ProcedureStepState=IN%20PROGRESS", XML)
    assert from_xml(response.content)[UID]["Value"] == ["1.3"]
    assert len(parts_of(await archive.get("/workitems", f'multipart/related; type="{XML}"'))) == 5
    for query, accept, status in (
        ("", XML, 406),
        ("PatientID=nobody", XML, 204),
        ("orderby=PatientName", JSON, 400),
        ("NoSuchAttribute=1", JSON, 400),
        ("limit=x", JSON, 400),
        ("00404005=tomorrow", JSON, 400),
    ):
        assert (await archive.get(f"/workitems?{query}", accept)).status_code == status, query


async def test_one_answer_is_limited(archive: Archive) -> None:
    for number in range(21):
        await created(archive, f"1.{number}")
    response = await archive.get("/workitems", JSON)
    assert len(response.json()) == 20
    assert "at least 1 additional" in response.headers["warning"]


async def test_switched_off(tmp_path: Path) -> None:
    async with open_archive(tmp_path, workitems=False) as archive:
        for method, path in (("GET", ""), ("POST", "?1.1"), ("GET", "/1.1"), ("PUT", "/1.1/state")):
            assert (await sent(archive, method, path)).status_code == 501


def test_every_notice_has_its_words() -> None:
    assert set(TOLD) == set(Notice)
    assert set(REFUSED) <= set(Problem)
    assert {problem for problem in Problem if problem.reason.name == "CONFLICT"} <= set(REFUSED)
