"""…/modify and …/anonymize: what comes of them, synchronously and as jobs, and what is refused."""

import asyncio
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian, generate_uid

from dicomweb_server.dicom.orthanc_id import orthanc_id
from dicomweb_server.services.jobs import JobState
from tests.app.rest_harness import Rest, open_rest
from tests.builders import make_dataset, write_part10
from tests.editing import item

LEVELS = ("patients", "studies", "series", "instances")


@pytest.fixture
async def rest(tmp_path: Path) -> AsyncIterator[Rest]:
    async with open_rest(tmp_path) as opened, opened.services.jobs.running():
        yield opened


class Stored:
    """A study of two series with two instances each, which refer to each other; Orthanc's identifiers of all."""

    def __init__(self, patient_id: str = "P1", **attributes: Any) -> None:
        study, series = generate_uid(), [generate_uid(), generate_uid()]
        uids = [(one, generate_uid()) for one in series for _ in range(2)]
        self.datasets = [
            make_dataset(
                PatientID=patient_id,
                StudyInstanceUID=study,
                SeriesInstanceUID=series_uid,
                SOPInstanceUID=uid,
                ReferencedImageSequence=[item(ReferencedSOPInstanceUID=uids[0][1])],
                **attributes,
            )
            for series_uid, uid in uids
        ]
        self.study_uid, self.series_uids, self.uids = study, series, [uid for _, uid in uids]
        self.patient = orthanc_id(patient_id)
        self.study = orthanc_id(patient_id, study)
        self.series = [orthanc_id(patient_id, study, one) for one in series]
        self.instances = [orthanc_id(patient_id, study, *pair) for pair in uids]

    def id_at(self, level: str) -> str:
        return dict(zip(LEVELS, (self.patient, self.study, self.series[0], self.instances[0]), strict=True))[level]


@pytest.fixture
async def stored(rest: Rest) -> Stored:
    made = Stored()
    await rest.store_by_dicomweb(*map(write_part10, made.datasets))
    return made


async def files(rest: Rest, study: str) -> list[Dataset]:
    """All instances of a study, by number."""
    listed = await rest.json(f"/studies/{study}/instances")
    found = [await rest.get(f"/instances/{one['ID']}/file") for one in listed]
    return [dcmread(BytesIO(one.content)) for one in found]


async def done(rest: Rest, path: str, body: Any) -> Any:
    response = await rest.post(path, body)
    assert response.status_code == 200, response.text
    return response.json()


async def refusal(rest: Rest, path: str, body: Any) -> tuple[int, str]:
    response = await rest.post(path, body)
    return response.status_code, response.json()["Details"]


async def test_a_study_becomes_another_one(rest: Rest, stored: Stored) -> None:
    answer = await done(rest, f"/studies/{stored.study}/modify", {"Replace": {"StudyDescription": "new"}})
    assert answer == {
        "Description": "REST API",
        "FailedInstancesCount": 0,
        "ID": answer["ID"],
        "InstancesCount": 4,
        "IsAnonymization": False,
        "ParentResources": [stored.study],
        "PatientID": stored.patient,
        "Path": f"/studies/{answer['ID']}",
        "Type": "Study",
    }
    made = await files(rest, answer["ID"])
    assert {one.StudyDescription for one in made} == {"new"}
    assert len({one.SeriesInstanceUID for one in made}) == 2
    assert not {uid for one in made for uid in (one.SOPInstanceUID, one.SeriesInstanceUID)} & {
        *stored.uids,
        *stored.series_uids,
    }
    referred = {one.ReferencedImageSequence[0].ReferencedSOPInstanceUID for one in made}
    assert len(referred) == 1
    assert referred <= {one.SOPInstanceUID for one in made}
    assert len(await files(rest, stored.study)) == 4


async def test_a_series_stays_in_its_study(rest: Rest, stored: Stored) -> None:
    answer = await done(rest, f"/series/{stored.series[0]}/modify", {"Replace": {"SeriesDescription": "new"}})
    assert (answer["Type"], answer["InstancesCount"]) == ("Series", 2)
    study = await rest.json(f"/studies/{stored.study}")
    assert {*study["Series"]} == {*stored.series, answer["ID"]}


async def test_a_patient_becomes_another_one(rest: Rest, stored: Stored) -> None:
    body = {"Replace": {"PatientID": "N1", "PatientName": "New^Name"}, "Force": True}
    answer = await done(rest, f"/patients/{stored.patient}/modify", body)
    assert (answer["ID"], answer["Type"]) == (orthanc_id("N1"), "Patient")
    patient = await rest.json(f"/patients/{answer['ID']}")
    assert patient["MainDicomTags"]["PatientName"] == "New^Name"
    assert stored.study not in patient["Studies"]


@pytest.mark.parametrize("level", LEVELS[:3])
async def test_anonymized_resources_tell_nothing(rest: Rest, stored: Stored, level: str) -> None:
    answer = await done(rest, f"/{level}/{stored.id_at(level)}/anonymize", {})
    assert answer["IsAnonymization"] is True
    study = answer["ID"]
    if level == "patients":
        [study] = (await rest.json(f"/patients/{answer['ID']}"))["Studies"]
    elif level == "series":
        study = (await rest.json(f"/series/{answer['ID']}"))["ParentStudy"]
    made = await files(rest, study)
    assert len(made) == answer["InstancesCount"]
    for one in made:
        assert "Doe" not in str(one)
        assert one.PatientIdentityRemoved == "YES"
        assert one.StudyDate == ""
    assert (await rest.json(f"/patients/{answer['PatientID']}"))["MainDicomTags"]["PatientName"].startswith(
        "Anonymized"
    )


async def test_the_client_s_secret_brings_what_belongs_together_together(rest: Rest, stored: Stored) -> None:
    other = Stored()
    await rest.store_by_dicomweb(*map(write_part10, other.datasets))
    body = {"Secret": "of this project"}
    first = await done(rest, f"/studies/{stored.study}/anonymize", body)
    again = await done(rest, f"/studies/{stored.study}/anonymize", body)
    second = await done(rest, f"/studies/{other.study}/anonymize", body)
    assert first["ID"] == again["ID"] != second["ID"]
    assert first["PatientID"] == second["PatientID"]
    assert (await done(rest, f"/studies/{stored.study}/anonymize", {}))["PatientID"] != first["PatientID"]


async def test_sources_go_last_if_they_are_to_go(rest: Rest, stored: Stored) -> None:
    answer = await done(rest, f"/studies/{stored.study}/anonymize", {"KeepSource": False})
    assert len(await files(rest, answer["ID"])) == 4
    assert (await rest.get(f"/studies/{stored.study}")).status_code == 404
    series = await done(
        rest, f"/studies/{answer['ID']}/modify", {"Replace": {"StudyID": "2"}, "KeepSource": False, "Permissive": True}
    )
    assert [one["ID"] for one in await rest.json("/studies?expand")] == [series["ID"]]


@pytest.mark.parametrize("verb", ["modify", "anonymize"])
async def test_a_single_instance_becomes_a_file(rest: Rest, stored: Stored, verb: str) -> None:
    path = f"/instances/{stored.instances[0]}/{verb}"
    response = await rest.post(path, {"Replace": {"StudyDescription": "new"}})
    assert response.headers["content-type"] == "application/dicom"
    made = dcmread(BytesIO(response.content))
    assert made.StudyDescription == "new"
    assert made.SOPInstanceUID != stored.uids[0]
    assert (made.StudyInstanceUID == stored.study_uid) == (verb == "modify")
    assert len(await rest.json("/instances")) == 4


async def test_a_replaced_parent_makes_an_instance_belong_elsewhere(rest: Rest, stored: Stored) -> None:
    path, before = f"/instances/{stored.instances[0]}/modify", stored.datasets[0]
    for replaced, kept in (
        ({"PatientID": "N"}, set()),
        ({"StudyInstanceUID": "1.2"}, {"PatientID"}),
        ({"SeriesInstanceUID": "1.2"}, {"PatientID", "StudyInstanceUID"}),
        ({"SOPInstanceUID": "1.2"}, {"PatientID", "StudyInstanceUID", "SeriesInstanceUID"}),
    ):
        made = dcmread(BytesIO((await rest.post(path, {"Replace": replaced, "Force": True})).content))
        identity = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
        assert {name for name in identity if made[name].value == before[name].value} == kept
    body = {"Keep": ["SOPInstanceUID"], "Force": True}
    assert dcmread(BytesIO((await rest.post(path, body)).content)).SOPInstanceUID == stored.uids[0]


async def test_a_dry_run_tells_what_would_change(rest: Rest, stored: Stored) -> None:
    path = f"/instances/{stored.instances[0]}/anonymize"
    report = await done(rest, path, {"DryRun": True, "Keep": ["StudyDate"]})
    assert {"Path": "0010,0010", "Name": "PatientName", "Type": "PN", "Action": "replaced"} in report
    assert {line["Path"] for line in report} >= {"0008,0018", "0008,1140[0].0008,1155", "0012,0062"}
    assert "StudyDate" not in {line["Name"] for line in report}
    status, details = await refusal(rest, f"/studies/{stored.study}/anonymize", {"DryRun": True})
    assert (status, details) == (400, "DryRun is offered for a single instance")


async def test_kept_uids_overwrite_the_originals(rest: Rest, stored: Stored) -> None:
    keep = ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"]
    body = {"Replace": {"StudyDescription": "new"}, "Keep": keep, "Force": True, "KeepSource": False}
    answer = await done(rest, f"/studies/{stored.study}/modify", body)
    assert answer["ID"] == stored.study
    made = await files(rest, stored.study)
    assert sorted(one.SOPInstanceUID for one in made) == sorted(stored.uids)
    assert {one.StudyDescription for one in made} == {"new"}
    assert (await rest.json(f"/studies/{stored.study}"))["MainDicomTags"]["StudyDescription"] == "new"


async def test_a_study_is_given_to_another_patient_in_place(rest: Rest, stored: Stored) -> None:
    keep = ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"]
    body = {"Replace": {"PatientID": "P2", "PatientName": "Roe"}, "Keep": keep, "Force": True}
    answer = await done(rest, f"/studies/{stored.study}/modify", body)
    assert answer["PatientID"] == orthanc_id("P2")
    assert {one.PatientID for one in await files(rest, answer["ID"])} == {"P2"}
    assert (await rest.get(f"/patients/{stored.patient}")).status_code == 404


async def test_nothing_is_found_of_what_was_taken_out_in_place(rest: Rest, stored: Stored) -> None:
    keep = ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"]
    answer = await done(rest, f"/studies/{stored.study}/anonymize", {"Keep": keep, "Force": True})
    assert len(await rest.json("/instances")) == 4
    shown = [
        (await rest.get(path)).text
        for path in (
            answer["Path"],
            f"{answer['Path']}/series",
            f"/patients/{answer['PatientID']}",
            "/dicom-web/studies?includefield=all",
            "/dicom-web/series?includefield=all",
        )
    ]
    secrets = ("Doe", "Synthetic", "19700101", "20240131", "A1")
    assert not [secret for secret in secrets if any(f'"{secret}' in text for text in shown)]
    path = "/dicom-web/studies?StudyDescription=Synthetic*"
    assert (await rest.get(path, accept="application/dicom+json")).status_code in (200, 204)
    assert "0020000D" not in (await rest.get(path, accept="application/dicom+json")).text


async def test_names_are_corrected_in_place(rest: Rest, stored: Stored) -> None:
    keep = ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"]
    body = {"Replace": {"PatientName": "Right^Name"}, "Remove": ["PatientBirthDate"], "Keep": keep, "Force": True}
    await done(rest, f"/studies/{stored.study}/modify", body)
    patient = await rest.json(f"/patients/{stored.patient}")
    assert patient["MainDicomTags"]["PatientName"] == "Right^Name"
    assert not patient["MainDicomTags"].get("PatientBirthDate")


async def test_transcoded_on_the_way(rest: Rest, stored: Stored) -> None:
    body = {"Transcode": ImplicitVRLittleEndian}
    made = dcmread(BytesIO((await rest.post(f"/instances/{stored.instances[0]}/modify", body)).content))
    assert made.file_meta.TransferSyntaxUID == ImplicitVRLittleEndian
    answer = await done(rest, f"/studies/{stored.study}/anonymize", body)
    assert {one.file_meta.TransferSyntaxUID for one in await files(rest, answer["ID"])} == {ImplicitVRLittleEndian}


async def test_many_resources_at_once(rest: Rest, stored: Stored) -> None:
    body: dict[str, Any] = {"Resources": stored.series, "Replace": {"SeriesDescription": "new"}}
    answer = await done(rest, "/tools/bulk-modify", body)
    assert (answer["InstancesCount"], answer["ParentResources"]) == (4, stored.series)
    by_type: dict[str, list[str]] = {}
    for one in answer["Resources"]:
        by_type.setdefault(one["Type"], []).append(one["ID"])
    assert {name: len(ids) for name, ids in by_type.items()} == {"Instance": 4, "Series": 2, "Study": 1, "Patient": 1}
    assert sorted(by_type["Series"]) == sorted(stored.series)
    answer = await done(rest, "/tools/bulk-modify", body | {"Level": "Series"})
    assert not {one["ID"] for one in answer["Resources"] if one["Type"] == "Series"} & {*stored.series}
    anonymized = await done(rest, "/tools/bulk-anonymize", {"Resources": [stored.series[0], stored.instances[2]]})
    assert anonymized["InstancesCount"] == 5  # the first request has put two more into the series
    empty = await done(rest, "/tools/bulk-modify", {"Resources": []})
    assert (empty["InstancesCount"], empty["Resources"]) == (0, [])


async def test_jobs_are_shown_as_orthanc_shows_them(rest: Rest, stored: Stored) -> None:
    body = {"Asynchronous": True, "UserData": {"a": 1}, "Secret": "hush"}
    answer = await done(rest, f"/studies/{stored.study}/anonymize", body)
    await rest.services.jobs.wait(answer["ID"])
    job = await rest.json(answer["Path"])
    assert (job["Type"], job["State"], job["UserData"]) == ("ResourceModification", "Success", {"a": 1})
    assert {"ID", "PatientID", "Path", "Type", "InstancesCount", "FailedInstancesCount"} <= {*job["Content"]}
    assert "hush" not in str(job)


async def test_what_was_made_of_what_is_told(rest: Rest, stored: Stored) -> None:
    assert (await rest.send("PUT", f"/studies/{stored.study}/labels/kept", "")).status_code == 200
    answer = await done(rest, f"/studies/{stored.study}/anonymize", {"KeepLabels": True})
    study = await rest.json(answer["Path"])
    assert study["AnonymizedFrom"] == stored.study
    assert (await rest.json(f"/patients/{study['ParentPatient']}"))["AnonymizedFrom"] == stored.patient
    assert {(await rest.json(f"/series/{one}"))["AnonymizedFrom"] for one in study["Series"]} == {*stored.series}
    instances = await rest.json(f"{answer['Path']}/instances")
    assert {one["AnonymizedFrom"] for one in instances} == {*stored.instances}
    assert await rest.json(f"{answer['Path']}/labels") == ["kept"]
    assert (await rest.get(f"{answer['Path']}/metadata/AnonymizedFrom")).text == stored.study
    modified = await done(rest, f"/series/{stored.series[0]}/modify", {"Replace": {"SeriesDescription": "x"}})
    assert (await rest.json(modified["Path"]))["ModifiedFrom"] == stored.series[0]
    assert "ModifiedFrom" not in await rest.json(f"/studies/{stored.study}")


async def test_what_cannot_be_read_fails_the_job_or_is_left_out(rest: Rest, stored: Stored) -> None:
    listed = await rest.services.resources.instances(
        await rest.services.resources.identify_any(stored.study),
    )
    await rest.store.blobs.remove([listed[1].key])
    response = await rest.post(f"/studies/{stored.study}/anonymize", {})
    assert response.status_code == 500
    answer = await done(rest, f"/studies/{stored.study}/anonymize", {"Permissive": True, "KeepSource": False})
    assert (answer["FailedInstancesCount"], answer["InstancesCount"]) == (1, 4)
    assert len(await files(rest, answer["ID"])) == 3
    left = await rest.json(f"/studies/{stored.study}/instances")
    lost = listed[1]
    assert [one["ID"] for one in left] == [orthanc_id("P1", lost.study_uid, lost.series_uid, lost.instance_uid)]


async def test_a_cancelled_job_keeps_the_sources(rest: Rest, stored: Stored) -> None:
    body = {"Asynchronous": True, "KeepSource": False}
    answer = await done(rest, f"/studies/{stored.study}/anonymize", body)
    await rest.post(f"/jobs/{answer['ID']}/cancel")
    job = await rest.services.jobs.wait(answer["ID"])
    there = (await rest.get(f"/studies/{stored.study}")).status_code == 200
    assert there or job.state is JobState.SUCCESS
    await asyncio.sleep(0)
