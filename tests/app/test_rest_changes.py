"""/changes and the tools: what happened, clocks, identifiers, logs, metrics, stopping."""

import logging
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dicomweb_server.dicom.orthanc_id import orthanc_id
from dicomweb_server.rest.running import Running
from tests.app.rest_harness import Rest, open_rest
from tests.builders import make_instance

STUDY = "1.2.826.0.1.3680043.8.498.1"
ROOT = f"/studies/{orthanc_id('P1', STUDY)}"
STOPPED: list[bool] = []


def file(number: int) -> bytes:
    return make_instance(
        PatientID="P1",
        StudyInstanceUID=STUDY,
        SeriesInstanceUID=f"{STUDY}.1",
        SOPInstanceUID=f"{STUDY}.1.{number}",
    )


@pytest.fixture
async def rest(tmp_path: Path) -> AsyncIterator[Rest]:
    running = Running(statement=lambda: "statement", stop=STOPPED.append)
    async with open_rest(tmp_path, change=lambda options: replace(options, running=running)) as opened:
        await opened.post("/instances", file(1))
        yield opened


def types(answer: dict[str, Any]) -> list[str]:
    return [change["ChangeType"] for change in answer["Changes"]]


async def test_what_is_new_is_told_in_order(rest: Rest) -> None:
    answer = await rest.json("/changes")
    assert sorted(types(answer)) == ["NewInstance", "NewPatient", "NewSeries", "NewStudy"]
    assert (answer["Done"], answer["Last"]) == (True, 4)
    study = next(change for change in answer["Changes"] if change["ResourceType"] == "Study")
    assert (study["Path"], study["ID"]) == (ROOT, ROOT.rpartition("/")[2])
    assert re.fullmatch(r"\d{8}T\d{6}", study["Date"])


async def test_pages_and_types(rest: Rest) -> None:
    first = await rest.json("/changes?limit=3")
    assert (len(first["Changes"]), first["Done"], first["Last"]) == (3, False, 3)
    rest_of_it = await rest.json("/changes?since=3&limit=3")
    assert (len(rest_of_it["Changes"]), rest_of_it["Done"], rest_of_it["Last"]) == (1, True, 4)
    assert (await rest.json("/changes?since=4")) == {"Changes": [], "Done": True, "Last": 4}
    assert [change["Seq"] for change in (await rest.json("/changes?last"))["Changes"]] == [4]
    back = await rest.json("/changes?to=3&limit=2")
    assert ([change["Seq"] for change in back["Changes"]], back["First"], back["Last"]) == ([2, 3], 2, 3)
    assert types(await rest.json("/changes?type=NewStudy;NewSeries")) == ["NewStudy", "NewSeries"]
    assert (await rest.get("/changes?type=Nothing")).status_code == 400
    assert (await rest.get("/changes?since=x")).status_code == 400


async def test_stable_resources_are_told_once_for_all_that_came(rest: Rest) -> None:
    assert await rest.services.changes.judge() == 3
    assert await rest.services.changes.judge() == 0
    assert types(await rest.json("/changes?since=4")) == ["StableSeries", "StableStudy", "StablePatient"]
    await rest.post("/instances", file(2))
    await rest.services.changes.judge()
    after = types(await rest.json("/changes?since=7"))
    assert after == ["NewInstance", "StableSeries", "StableStudy", "StablePatient"]


async def test_what_clients_change_is_told(rest: Rest) -> None:
    await rest.send("PUT", f"{ROOT}/metadata/1024", "x")
    await rest.send("PUT", f"{ROOT}/attachments/1024", b"x")
    assert types(await rest.json("/changes?since=4")) == ["UpdatedMetadata", "UpdatedAttachment"]


async def test_what_is_gone_has_no_changes_but_the_number_stays(rest: Rest) -> None:
    await rest.send("DELETE", ROOT)
    answer = await rest.json("/changes")
    assert (answer["Changes"], answer["Last"] > 4) == ([], True)


async def test_changes_can_be_forgotten(rest: Rest) -> None:
    assert (await rest.send("DELETE", "/changes")).json() == {}
    assert (await rest.json("/changes"))["Changes"] == []
    await rest.post("/instances", file(2))
    assert types(await rest.json("/changes")) == ["NewInstance"]


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("/tools/now", r"\d{8}T\d{6}"),
        ("/tools/now-local", r"\d{8}T\d{6}"),
        ("/tools/generate-uid?level=study", r"2\.25\.\d+"),
        ("/tools/generate-uid?level=Patient", r"[0-9a-f]{32}"),
        ("/tools/dicom-conformance", "statement"),
        ("/tools/default-encoding", "Latin1"),
        ("/tools/unknown-sop-class-accepted", "1"),
        ("/tools/metrics", "1"),
        ("/tools/log-level-http", "default"),
    ],
)
async def test_tools_that_tell_something(rest: Rest, path: str, pattern: str) -> None:
    response = await rest.get(path)
    assert response.status_code == 200
    assert re.fullmatch(pattern, response.text)


async def test_tools_that_refuse(rest: Rest) -> None:
    script = await rest.post("/tools/execute-script", "print(1)")
    assert (script.status_code, script.json()["OrthancStatus"]) == (501, 2)
    assert (await rest.get("/tools/generate-uid?level=nothing")).status_code == 400
    assert (await rest.send("PUT", "/tools/default-encoding", "Utf8")).status_code == 403


async def test_what_dimse_may_store_can_be_changed(rest: Rest) -> None:
    acceptance = rest.services.acceptance
    assert "1.2.840.10008.1.2.4.90" in await rest.json("/tools/accepted-transfer-syntaxes")
    path = "/tools/accepted-transfer-syntaxes"
    answer = await rest.send("PUT", path, '["1.2.840.10008.1.2", "1.2.840.10008.1.2.4.5?"]')
    assert (answer.status_code, answer.json()[:2]) == (200, ["1.2.840.10008.1.2", "1.2.840.10008.1.2.4.50"])
    assert (await rest.send("PUT", path, "1.2.840.10008.1.2.1")).json() == ["1.2.840.10008.1.2.1"]
    for wrong in ("", "[]", "[1]", "[", "1.2.3", '["1.2.840.10008.1.2.1", "1.2.3"]'):
        assert (await rest.send("PUT", path, wrong)).status_code == 400, wrong
    assert acceptance.syntaxes == {"1.2.840.10008.1.2.1"}
    answer = await rest.send("PUT", "/tools/unknown-sop-class-accepted", "0")
    assert (answer.text, acceptance.unknown_sop_classes) == ("0", False)
    assert (await rest.send("PUT", "/tools/unknown-sop-class-accepted", "perhaps")).status_code == 400


async def test_metrics_can_be_switched_off(rest: Rest) -> None:
    assert (await rest.get("/tools/metrics-prometheus")).status_code == 200
    assert (await rest.send("PUT", "/tools/metrics", "0")).status_code == 200
    assert (await rest.get("/tools/metrics-prometheus")).status_code == 403
    assert (await rest.send("PUT", "/tools/metrics", "perhaps")).status_code == 400


@pytest.fixture
def levels() -> Iterator[None]:
    logger = logging.getLogger("dicomweb_server.dimse")
    before = logger.level
    yield
    logger.setLevel(before)


@pytest.mark.usefixtures("levels")
async def test_logs_can_say_more(rest: Rest) -> None:
    assert (await rest.send("PUT", "/tools/log-level-dicom", "verbose")).status_code == 200
    assert (await rest.get("/tools/log-level-dicom")).text == "verbose"
    assert (await rest.send("PUT", "/tools/log-level-dicom", "nonsense")).status_code == 400


async def test_the_server_can_be_stopped_and_started_again(rest: Rest) -> None:
    STOPPED.clear()
    assert (await rest.post("/tools/shutdown")).json() == (await rest.post("/tools/reset")).json() == {}
    assert STOPPED == [False, True]


async def test_a_folder_lists_what_is_below(rest: Rest) -> None:
    assert {"find", "now", "log-level"} <= set(await rest.json("/tools"))


async def test_plugins_are_what_is_built_in(rest: Rest) -> None:
    assert await rest.json("/plugins") == ["dicom-web"]
    assert (await rest.json("/plugins/dicom-web"))["RootUri"] == "/dicom-web"
    assert (await rest.get("/plugins/other")).status_code == 404
    assert (await rest.get("/plugins/explorer.js")).status_code == 200
