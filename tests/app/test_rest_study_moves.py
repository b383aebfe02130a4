"""/studies/{id}/split and merge: series and instances that move from one study to another."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.app.rest_harness import Rest, open_rest
from tests.app.test_rest_modification import Stored, done, files, refusal
from tests.builders import write_part10
from tests.editing import item


@pytest.fixture
async def rest(tmp_path: Path) -> AsyncIterator[Rest]:
    async with open_rest(tmp_path) as opened, opened.services.jobs.running():
        yield opened


async def store(rest: Rest, stored: Stored) -> Stored:
    await rest.store_by_dicomweb(*map(write_part10, stored.datasets))
    return stored


async def test_a_series_gets_a_study_of_its_own(rest: Rest) -> None:
    stored = await store(rest, Stored())
    body = {
        "Series": [stored.series[1]],
        "Replace": {"PatientName": "Split", "PatientID": "SP", "StudyID": "77"},
        "Remove": ["StudyDescription"],
    }
    answer = await done(rest, f"/studies/{stored.study}/split", body)
    assert {*answer} == {"Description", "FailedInstancesCount", "InstancesCount", "TargetStudy", "TargetStudyUID"}
    made = await files(rest, answer["TargetStudy"])
    assert len(made) == 2
    for one in made:
        assert (one.PatientID, one.StudyID, one.StudyInstanceUID) == ("SP", "77", answer["TargetStudyUID"])
        assert "StudyDescription" not in one
        assert one.SOPInstanceUID not in stored.uids
        assert one.SeriesInstanceUID not in stored.series_uids
        assert one.ReferencedImageSequence[0].ReferencedSOPInstanceUID == stored.uids[0]
    assert (await rest.json(f"/studies/{stored.study}"))["Series"] == [stored.series[0]]


async def test_instances_are_split_off_and_merged_back(rest: Rest) -> None:
    stored = await store(rest, Stored())
    body = {"Instances": stored.instances[:1], "KeepSource": True}
    answer = await done(rest, f"/studies/{stored.study}/split", body)
    assert len(await files(rest, stored.study)) == 4
    merged = await done(rest, f"/studies/{stored.study}/merge", {"Resources": [answer["TargetStudy"]]})
    assert (merged["TargetStudy"], merged["InstancesCount"]) == (stored.study, 1)
    assert (await rest.get(f"/studies/{answer['TargetStudy']}")).status_code == 404
    assert len(await files(rest, stored.study)) == 5
    assert len((await rest.json(f"/studies/{stored.study}"))["Series"]) == 3


async def test_what_is_merged_gets_patient_and_study_of_the_target(rest: Rest) -> None:
    issuer = [item(LocalNamespaceEntityID="für uns")]
    target = await store(rest, Stored("T", PatientName="Ziel^Jörg", IssuerOfAccessionNumberSequence=issuer))
    other = await store(
        rest, Stored("O", SpecificCharacterSet="ISO_IR 192", PatientName="山田", OtherPatientIDs="X", StudyID="9")
    )
    body = {"Resources": [other.series[0], other.instances[3]], "KeepSource": True}
    answer = await done(rest, f"/studies/{target.study}/merge", body)
    assert answer["InstancesCount"] == 3
    made = await files(rest, target.study)
    assert len(made) == 7
    for one in made:
        assert (str(one.PatientName), one.PatientID, one.StudyID) == ("Ziel^Jörg", "T", "1")
        assert one.IssuerOfAccessionNumberSequence[0].LocalNamespaceEntityID == "für uns"
        assert "OtherPatientIDs" not in one
    assert len(await files(rest, other.study)) == 4


async def test_wrong_moves_are_refused(rest: Rest) -> None:
    stored, other = await store(rest, Stored()), await store(rest, Stored("O"))
    split, merge = f"/studies/{stored.study}/split", f"/studies/{stored.study}/merge"
    problem = 'Both the "Series" and the "Instances" fields are missing'
    nothings: list[dict[str, Any]] = [{}, {"Series": []}]
    for nothing in nothings:
        assert await refusal(rest, split, nothing) == (400, problem)
    wrong: list[dict[str, Any]] = [
        {"Series": [stored.series[0]], "Replace": {"SeriesInstanceUID": "1.2"}},
        {"Series": [stored.series[0]], "Replace": {"StudyInstanceUID": "1.2"}},
        {"Series": [stored.series[0]], "Replace": {"ReferencedStudySequence[0].ReferencedSOPInstanceUID": "1.2"}},
        {"Series": [stored.series[0]], "Remove": ["Modality"]},
        {"Series": [stored.series[0]], "Remove": ["0010,*"]},
        {"Series": [stored.series[0]], "KeepSource": 5},
        {"Series": stored.series[0]},
        {"Series": [other.series[0]]},
    ]
    for body in wrong:
        assert (await refusal(rest, split, body))[0] == 400, body
    assert (await rest.post(split, {"Series": ["nope"]})).status_code == 404
    assert (await rest.post(split, {"Instances": [stored.series[0]]})).status_code == 404
    assert (await refusal(rest, merge, {}))[0] == 400
    for public_id in ("nope", stored.study, stored.series[0], stored.patient):
        assert (await rest.post(merge, {"Resources": [public_id]})).status_code == 404
    assert len(await rest.json("/instances")) == 8
