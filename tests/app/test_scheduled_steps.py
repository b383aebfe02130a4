"""Scheduled procedure steps over HTTP (PS3.18 chapter 14): the worklist that modalities ask by DIMSE."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom.dataset import Dataset

from dicomweb_server.dicom.dicom_xml import from_xml
from dicomweb_server.dicomweb.context import DicomwebOptions
from tests.app.dicomweb_harness import JSON, Archive, open_archive, parts_of, served
from tests.app.dimse_harness import AE_TITLE, Node, open_node
from tests.app.test_dimse_worklist import numbers
from tests.worklists import document, encoded, ending, item, report

XML = "application/dicom+xml"
PATH = "/modality-scheduled-procedure-steps"
STEP, ACCESSION, NAME, PATIENT_ID, WEIGHT = "00400100", "00080050", "00100010", "00100020", "00101030"
MODALITY, STATION, STATUS = "00080060", "00400001", "00400020"

Found = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Both:
    """One server by HTTP and by DIMSE."""

    web: Archive
    node: Node

    async def schedule(self, *items: Dataset) -> None:
        for each in items:
            await self.node.services.worklist.schedule(document(each))

    async def get(self, query: str = "", accept: str | None = JSON) -> httpx.Response:
        return await self.web.get(f"{PATH}?{query}", accept)

    async def found(self, query: str = "") -> list[Found]:
        response = await self.get(query)
        assert (response.status_code, response.headers["content-type"]) == (200, JSON), response.text
        return list(response.json())

    async def numbers(self, query: str = "") -> list[str]:
        """The accession numbers of the answers."""
        return [each[ACCESSION]["Value"][0] for each in await self.found(query)]


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[Both]:
    folder = tmp_path / "worklists"
    (folder / AE_TITLE).mkdir(parents=True)
    (folder / "OTHER").mkdir()
    options = DicomwebOptions(ae_title=AE_TITLE, search_limit=100)
    async with (
        open_node(tmp_path / "data", worklist_files=folder) as node,
        served(node.services, node.store, options) as web,
    ):
        yield Both(web, node)


async def test_an_answer_has_the_return_keys(both: Both) -> None:
    await both.schedule(
        item(PatientWeight=70, PatientComments="not a return key", RequestedProcedureDescription="Head")
    )
    (found,) = await both.found()
    assert found[NAME] == {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane"}]}
    assert (found[WEIGHT]["Value"], found["00321060"]["Value"]) == ([70], ["Head"])
    assert found["00102110"] == {"vr": "LO"}  # of type 2
    assert "00321064" not in found  # of type 1C
    assert "00104000" not in found
    (step,) = found[STEP]["Value"]
    assert (step[MODALITY]["Value"], step[STATION]["Value"]) == (["CT"], ["SCANNER"])
    assert (step["00400006"], step[STATUS]["Value"]) == ({"vr": "PN"}, ["SCHEDULED"])
    assert "00400012" not in step
    assert list(found) == sorted(found)


async def test_what_is_asked_for_is_answered_too(both: Both) -> None:
    await both.schedule(item(PatientComments="here", ScheduledProcedureStepDescription="Head"))
    (found,) = await both.found(
        f"includefield=PatientComments,PatientAge,{STEP}.00400012&{STEP}.00400007=He*&PatientName="
    )
    assert (found["00104000"]["Value"], found["00101010"]) == (["here"], {"vr": "AS"})
    (step,) = found[STEP]["Value"]
    assert (step["00400007"]["Value"], step["00400012"]) == (["Head"], {"vr": "LO"})
    (whole,) = await both.found("includefield=all")
    assert whole["00104000"]["Value"] == ["here"]
    assert "00102110" not in whole


async def test_private_attributes(both: Both) -> None:
    dataset = item()
    block = dataset.private_block(0x0009, "ACME", create=True)
    block.add_new(1, "LO", "private")
    await both.schedule(dataset)
    (found,) = await both.found("00091001=pri*&00090010=ACME&includefield=00091002")
    assert (found["00090010"]["Value"], found["00091001"]["Value"]) == (["ACME"], ["private"])
    assert "00091002" not in found
    assert await both.found("00091001=pri*&00090010=OTHER") == []


KEYS = [
    ("", ["A1", "A2", "A3"]),
    ("AccessionNumber=A2", ["A2"]),
    ("PatientName=doe*", ["A1", "A2"]),
    ("PatientName=jane&fuzzymatching=true", ["A1", "A2"]),
    ("PatientName=jane", []),
    ("ScheduledProcedureStepSequence.ScheduledStationAETitle=MR", ["A3"]),
    ("00400100.00080060=MR", ["A3"]),
    ("ScheduledProcedureStepSequence.ScheduledProcedureStepStartDate=20240102-", ["A2", "A3"]),
    (
        "ScheduledProcedureStepSequence.ScheduledProcedureStepStartDate=20240101-20240102"
        "&ScheduledProcedureStepSequence.ScheduledProcedureStepStartTime=1200-1000",
        ["A2"],
    ),
    ("PatientID=P1,P3&multiplevaluematching=true", ["A1", "A3"]),
    ('PatientWeight=""&emptyvaluematching=true', ["A1", "A2", "A3"]),
]


@pytest.mark.parametrize(("query", "expected"), KEYS)
async def test_keys(both: Both, query: str, expected: list[str]) -> None:
    date, time = "ScheduledProcedureStepStartDate", "ScheduledProcedureStepStartTime"
    mr = {"Modality": "MR", "ScheduledStationAETitle": "MR", date: "20240103"}
    await both.schedule(
        item(AccessionNumber="A3", PatientID="P3", PatientName="Roe", **mr),
        item(AccessionNumber="A1", PatientID="P1", **{date: "20240101", time: "0900"}),
        item(AccessionNumber="A2", PatientID="P2", **{time: "0930"}),
    )
    assert await both.numbers(query) == expected


async def test_pages(both: Both) -> None:
    await both.schedule(
        *(item(AccessionNumber=f"A{n}", ScheduledProcedureStepStartDate=f"2024010{n}") for n in range(1, 6))
    )
    for query, expected, is_more in (
        ("limit=2", ["A1", "A2"], True),
        ("limit=2&offset=2", ["A3", "A4"], True),
        ("limit=2&offset=3", ["A4", "A5"], False),
        ("offset=5", [], False),
        ("limit=0", [], True),
    ):
        response = await both.get(query)
        assert [each[ACCESSION]["Value"][0] for each in response.json()] == expected
        assert ("additional results" in response.headers.get("warning", "")) is is_more


async def test_the_limit_of_the_worklist_cuts_here_too(tmp_path: Path) -> None:
    from dicomweb_server.services.worklist import WorklistOptions

    async with (
        open_node(tmp_path, worklist_options=WorklistOptions(limit=2)) as node,
        served(node.services, node.store) as web,
    ):
        server = Both(web, node)
        await server.schedule(*(item() for _ in range(3)))
        response = await server.get()
        assert (len(response.json()), "additional results" in response.headers["warning"]) == (2, True)


async def test_media_types(both: Both) -> None:
    assert (await both.get(accept=XML)).status_code == 204
    assert (await both.get(accept=f'multipart/related; type="{JSON}"')).status_code == 204
    assert (await both.get()).json() == []
    await both.schedule(item(AccessionNumber="A1"))
    single = await both.get(accept=XML)
    assert (single.status_code, single.headers["content-type"]) == (200, XML)
    assert from_xml(single.content)[ACCESSION]["Value"] == ["A1"]
    await both.schedule(item(AccessionNumber="A2", PatientName="Müller^Jörg"))
    for kind in (XML, JSON):
        parts = parts_of(await both.get(accept=f'multipart/related; type="{kind}"'))
        assert [part.media_type for part in parts] == [kind, kind]
        found = [from_xml(part.body) if kind == XML else json.loads(part.body) for part in parts]
        assert {one[ACCESSION]["Value"][0] for one in found} == {"A1", "A2"}
    several = await both.get(accept=XML)
    assert (several.status_code, "2 matches" in several.json()["detail"]) == (406, True)
    assert (await both.get(accept="image/png")).status_code == 406
    packed = await both.web.get(PATH, JSON, accept_encoding="gzip")
    assert len(packed.json()) == 2


@pytest.mark.parametrize(
    "query",
    [
        "limit=-1",
        "offset=x",
        "fuzzymatching=yes",
        "orderby=PatientName",
        "count=true",
        "combineddatetime=true",
        "patientname=x",
        "NoKeyword=x",
        "ScheduledProcedureStepSequence.ScheduledProcedureStepStartDate=2024",
        "AccessionNumber=1&AccessionNumber=2",
    ],
)
async def test_what_cannot_be_obeyed(both: Both, query: str) -> None:
    response = await both.get(query)
    assert (response.status_code, response.headers["content-type"]) == (400, "application/problem+json")


async def test_an_unknown_parameter_is_told(both: Both) -> None:
    assert "unknown and was ignored" in (await both.get("x-mine=1")).headers["warning"]


async def test_files_by_their_folder_as_for_who_calls_by_that_name(both: Both, tmp_path: Path) -> None:
    for number, folder in enumerate((".", AE_TITLE, "OTHER"), start=1):
        file = tmp_path / "worklists" / folder / f"{number}.wl"
        await asyncio.to_thread(file.write_bytes, encoded(item(AccessionNumber=f"A{number}")))
    assert sorted(await both.numbers()) == ["A1", "A2"]
    assert sorted(await numbers(both.node)) == ["A1", "A2"]


async def test_a_step_that_is_over_is_found_only_by_its_status(both: Both) -> None:
    scheduled = item(AccessionNumber="A1")
    await both.schedule(scheduled, item(AccessionNumber="A2", ScheduledProcedureStepID="S2"))
    performed = both.node.services.performed
    await performed.begin("1.2.3", document(report(scheduled)))
    (started,) = [one for one in await both.found() if one[ACCESSION]["Value"] == ["A1"]]
    assert started[STEP]["Value"][0][STATUS]["Value"] == ["STARTED"]
    await performed.change("1.2.3", document(ending()))
    assert await both.numbers() == ["A2"] == await numbers(both.node)
    by_status = "ScheduledProcedureStepSequence.ScheduledProcedureStepStatus=COMPLETED"
    assert await both.numbers(by_status) == ["A1"]
    assert await numbers(both.node, ScheduledProcedureStepStatus="COMPLETED") == ["A1"]


async def test_it_can_be_switched_off(tmp_path: Path) -> None:
    async with open_archive(tmp_path, worklist=False) as archive:
        response = await archive.get(PATH)
    assert (response.status_code, response.json()["reason"]) == (501, "NOT_OFFERED")
