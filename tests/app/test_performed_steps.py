"""Performed procedure steps over HTTP (PS3.18 chapter 15): begun, changed, over; the same as by N-CREATE and N-SET."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from dicomweb_server.dicom.dicom_xml import from_xml, to_xml
from dicomweb_server.dicomweb import performed_steps
from dicomweb_server.dimse.contexts import PERFORMED_STEP_RETRIEVE
from tests.app.dicomweb_harness import JSON, ROOT, Archive, open_archive, parts_of, served
from tests.app.dimse_harness import open_node
from tests.app.test_dimse_performed import associated, changed, created, told
from tests.worklists import PERFORMED_STEP, document, ending, item, report

XML = "application/dicom+xml"
STATUS, NAME, STATION = "00400252", "00100010", "00400241"


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Archive]:
    async with open_archive(tmp_path) as opened:
        yield opened


def path(uid: str, query: str = "") -> str:
    return f"/modality-performed-procedure-steps/{uid}{query}"


async def post(archive: Archive, uid: str, dataset: Any, query: str = "", content_type: str = JSON) -> httpx.Response:
    found = document(dataset) if isinstance(dataset, Dataset) else dataset
    body = found if isinstance(found, bytes) else json.dumps(found).encode()
    return await archive.post(body, path(uid, query), content_type)


async def known(archive: Archive, uid: str) -> dict[str, Any]:
    response = await archive.get(path(uid), JSON)
    assert (response.status_code, response.headers["content-type"]) == (200, JSON), response.text
    return dict(response.json())


async def test_a_step_from_beginning_to_end(archive: Archive) -> None:
    scheduled, uid = item(), generate_uid()
    await archive.services.worklist.schedule(document(scheduled))
    begun = await post(archive, uid, report(scheduled, PatientName="Müller^Jörg"))
    assert (begun.status_code, begun.content) == (201, b"")
    assert begun.headers["location"] == ROOT + path(uid)
    found = await known(archive, uid)
    assert (found[STATUS]["Value"], found[NAME]["Value"]) == (["IN PROGRESS"], [{"Alphabetic": "Müller^Jörg"}])
    going_on = Dataset()
    going_on.PerformedProcedureStepDescription = "Kopf"
    for dataset in (going_on, ending()):
        response = await post(archive, uid, dataset, "?update")
        assert (response.status_code, response.content, "warning" in response.headers) == (200, b"", False)
    found = await known(archive, uid)
    assert (found[STATUS]["Value"], found["00400254"]["Value"]) == (["COMPLETED"], ["Kopf"])
    (step,) = await archive.services.worklist.all()
    assert step.document["00400100"]["Value"][0]["00400020"]["Value"] == ["COMPLETED"]


async def test_what_begins_by_http_ends_by_dimse_and_the_other_way_round(tmp_path: Path) -> None:
    first, second = generate_uid(), generate_uid()
    async with open_node(tmp_path) as node, served(node.services, node.store) as web:
        assert (await post(web, first, report())).status_code == 201
        assert await told(node.port, created(report(), first), changed(ending(), first)) == [0x0111, 0x0000]
        assert (await known(web, first))[STATUS]["Value"] == ["COMPLETED"]
        assert await told(node.port, created(report(), second)) == [0x0000]
        assert (await post(web, second, ending("DISCONTINUED"), "?update")).status_code == 200

        def got() -> Dataset | None:
            with associated(node.port) as association:
                return association.send_n_get([0x00400252], PERFORMED_STEP_RETRIEVE, second)[1]  # type: ignore[no-any-return]

        found = await asyncio.to_thread(got)
        assert found is not None
        assert found.PerformedProcedureStepStatus == "DISCONTINUED"


async def test_what_only_the_beginning_gives_stays_and_is_told(archive: Archive) -> None:
    uid = generate_uid()
    await post(archive, uid, report())
    change = Dataset()
    change.PatientName, change.PerformedStationAETitle = "Other^Name", "OTHER"
    response = await post(archive, uid, change, "?update=")
    assert response.status_code == 200
    assert "PatientName, PerformedStationAETitle" in response.headers["warning"]
    found = await known(archive, uid)
    assert (found[NAME]["Value"][0]["Alphabetic"], found[STATION]["Value"]) == ("Doe^Jane", ["SCANNER"])


async def test_media_types(archive: Archive) -> None:
    uid = generate_uid()
    xml = to_xml(document(report(PatientName="Müller^Jörg")))
    assert (await post(archive, uid, xml, content_type=XML)).status_code == 201
    part = b"--b\r\nContent-Type: " + XML.encode() + b"\r\n\r\n" + to_xml(document(ending())) + b"\r\n--b--"
    multipart = f'multipart/related; type="{XML}"; boundary=b'
    assert (await post(archive, uid, part, "?update", multipart)).status_code == 200
    alone = await archive.get(path(uid), XML)
    assert (alone.headers["content-type"], from_xml(alone.content)[STATUS]["Value"]) == (XML, ["COMPLETED"])
    for kind in (JSON, XML):
        (found,) = parts_of(await archive.get(path(uid), f'multipart/related; type="{kind}"'))
        attributes = json.loads(found.body) if kind == JSON else from_xml(found.body)
        assert attributes[NAME]["Value"] == [{"Alphabetic": "Müller^Jörg"}]
    assert (await archive.get(path(uid), "image/png")).status_code == 406


async def test_the_identity_in_a_body_is_no_attribute(archive: Archive) -> None:
    uid = generate_uid()
    await post(archive, uid, report(SOPInstanceUID="1.2.3", SOPClassUID=PERFORMED_STEP))
    assert not {"00080016", "00080018", "00080005"} & set(await known(archive, uid))


@pytest.mark.parametrize(
    ("dataset", "status", "said"),
    [
        (report(Modality=None, PerformedStationAETitle=""), 400, "missing or empty: Modality, PerformedStationAETitle"),
        (report(PerformedProcedureStepStatus="COMPLETED"), 400, "PerformedProcedureStepStatus"),
        ([], 400, "expected an array"),
        ({}, 400, "missing or empty"),
        ({"x": {}}, 400, "tag"),
        ({"00100010": "x"}, 400, "00100010"),
        ({"00100010": {"vr": "PN", "Value": "x"}}, 400, "00100010"),
        ({"00091010": {"vr": "OB", "BulkDataURI": "http://x.example/"}}, 400, ""),
        (b"\xff", 400, "not JSON"),
    ],
)
async def test_what_cannot_begin(archive: Archive, dataset: Any, status: int, said: str) -> None:
    response = await post(archive, "1.2.3", dataset)
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    assert said in response.json()["detail"]
    assert (await archive.get(path("1.2.3"))).status_code == 404


async def test_conflicts_and_what_is_not_there(archive: Archive) -> None:
    uid = generate_uid()
    assert (await post(archive, uid, ending(), "?update")).status_code == 404
    assert (await post(archive, uid, report())).status_code == 201
    assert (await post(archive, uid, report())).status_code == 409
    unended = Dataset()
    unended.PerformedProcedureStepStatus = "COMPLETED"
    refused = await post(archive, uid, unended, "?update")
    assert (refused.status_code, "PerformedProcedureStepEndDate" in refused.json()["detail"]) == (400, True)
    unended.PerformedProcedureStepStatus = "PAUSED"
    assert (await post(archive, uid, unended, "?update")).status_code == 400
    assert (await known(archive, uid))[STATUS]["Value"] == ["IN PROGRESS"]
    assert (await post(archive, uid, ending(), "?update")).status_code == 200
    over = await post(archive, uid, ending("DISCONTINUED"), "?update")
    assert (over.status_code, over.json()["detail"]) == (409, "the performed step is over and cannot be changed")


async def test_paths_limits_and_methods(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await post(archive, "x", report())).status_code == 400
    assert (await archive.get(path("1..2"))).status_code == 400
    assert (await archive.get("/modality-performed-procedure-steps")).status_code == 404
    refused = await archive.send("DELETE", path("1.2.3"))
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS, POST")
    assert (await post(archive, "1.2.3", report(), content_type="text/plain")).status_code == 415
    monkeypatch.setattr(performed_steps, "LARGEST_REPORT", 100)
    assert (await post(archive, "1.2.3", report())).status_code == 413


async def test_it_can_be_switched_off(tmp_path: Path) -> None:
    async with open_archive(tmp_path, worklist=False) as archive:
        assert (await post(archive, "1.2.3", report())).status_code == 501
        assert (await archive.get(path("1.2.3"))).status_code == 501
