"""/worklists as Orthanc's plugin has it; what is scheduled there is found by C-FIND."""

from pathlib import Path
from typing import Any

import pytest

from tests.app.rest_harness import open_rest
from tests.worklists import document, ending, report

STEP = {"Modality": "US", "ScheduledProcedureStepStartDate": "20251014", "ScheduledProcedureStepDescription": "Belly"}
TAGS: dict[str, Any] = {
    "PatientID": "PID-45",
    "PatientName": "Müller^Jörg=Ideo",
    "0010,0030": "19700101",
    "ScheduledProcedureStepSequence": [STEP],
}


async def test_from_beginning_to_end(tmp_path: Path) -> None:
    async with open_rest(tmp_path) as rest:
        created = (await rest.post("/worklists/create", {"Tags": TAGS})).json()
        assert created["Path"] == f"/worklists/{created['ID']}"
        (listed,) = await rest.json("/worklists")
        assert listed == await rest.json(created["Path"])
        assert listed["ID"] == created["ID"]
        tags = listed["Tags"]
        assert (tags["PatientName"], tags["PatientBirthDate"]) == ("Müller^Jörg=Ideo", "19700101")
        assert tags["StudyInstanceUID"].startswith("2.25.")
        assert tags["ScheduledProcedureStepSequence"][0]["ScheduledProcedureStepStatus"] == "SCHEDULED"
        (full,) = await rest.json("/worklists/?format=Full")
        assert full["Tags"]["0010,0020"] == {"Name": "PatientID", "Type": "String", "Value": "PID-45"}
        (short,) = await rest.json("/worklists/?format=Short")
        assert short["Tags"]["0040,0100"][0]["0008,0060"] == "US"

        changed = await rest.send("PUT", created["Path"], {"Tags": TAGS | {"PatientID": "PID-46"}})
        assert changed.json() == created
        again = (await rest.json(created["Path"]))["Tags"]
        assert (again["PatientID"], again["StudyInstanceUID"]) == ("PID-46", tags["StudyInstanceUID"])

        step = (await rest.services.worklist.step(created["ID"])).document
        scheduled = report()
        scheduled.ScheduledStepAttributesSequence[0].StudyInstanceUID = tags["StudyInstanceUID"]
        scheduled.ScheduledStepAttributesSequence[0].ScheduledProcedureStepID = step["00400100"]["Value"][0][
            "00400009"
        ]["Value"][0]
        await rest.services.performed.begin("1.2.3", document(scheduled))
        await rest.services.performed.change("1.2.3", document(ending()))
        (over,) = await rest.json("/worklists")
        assert over["Tags"]["ScheduledProcedureStepSequence"][0]["ScheduledProcedureStepStatus"] == "COMPLETED"

        assert (await rest.send("DELETE", created["Path"])).status_code == 200
        assert await rest.json("/worklists") == []
        assert (await rest.get(created["Path"])).status_code == 404
        assert (await rest.send("DELETE", created["Path"])).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"Tags": {}},
        {"Tags": []},
        {"Tags": {"PatientID": "A"}},  # no step
        {"Tags": {"ScheduledProcedureStepSequence": [STEP, STEP]}},
        {"Tags": {"ScheduledProcedureStepSequence": "US"}},
        {"Tags": {"ScheduledProcedureStepSequence": ["US"]}},
        {"Tags": TAGS | {"NoSuchAttribute": "A"}},
        {"Tags": TAGS | {"PatientID": 7}},
        {"Tags": TAGS | {"StudyInstanceUID": "a/b"}},
        {"Tags": TAGS | {"ReferencedStudySequence[0].StudyInstanceUID": "1.2"}},
        b"{",
    ],
)
async def test_what_is_no_step(tmp_path: Path, body: Any) -> None:
    async with open_rest(tmp_path) as rest:
        answer = await rest.post("/worklists/create", body)
        assert answer.status_code == 400
        assert answer.json()["Details"]
        assert await rest.json("/worklists") == []


async def test_formats_that_are_none(tmp_path: Path) -> None:
    async with open_rest(tmp_path) as rest:
        assert (await rest.get("/worklists?format=Long")).status_code == 400
        assert (await rest.get("/worklists/none?format=Long")).status_code == 400
