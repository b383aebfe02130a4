"""…/modify and …/anonymize: what is refused, and in which words."""

from collections.abc import AsyncIterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.app.rest_harness import Rest, open_rest
from tests.app.test_rest_modification import LEVELS, Stored, refusal
from tests.builders import write_part10


@pytest.fixture
async def rest(tmp_path: Path) -> AsyncIterator[Rest]:
    async with open_rest(tmp_path) as opened, opened.services.jobs.running():
        yield opened


@pytest.fixture
async def stored(rest: Rest) -> Stored:
    made = Stored()
    await rest.store_by_dicomweb(*map(write_part10, made.datasets))
    return made


IDENTIFIERS = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")


async def test_identifiers_need_force(rest: Rest, stored: Stored) -> None:
    paths = [f"/{level}/{stored.id_at(level)}/{verb}" for level in LEVELS for verb in ("modify", "anonymize")]
    for path, name in product(paths, IDENTIFIERS):
        for body, what in (({"Replace": {name: "1.2.3"}}, "replaced"), ({"Keep": [name]}, "kept")):
            problem = f'Marking tag "{name}" as to be {what} requires the "Force" option to be set to true'
            assert await refusal(rest, path, body) == (400, problem)
        assert (await refusal(rest, path, {"Remove": [name]}))[0] == 400
        assert (await refusal(rest, path, {"Remove": [name], "Force": True}))[0] == 400


WRONG: list[Any] = [
    b"nonsense",
    [],
    {"Replace": ["x"]},
    {"Replace": {"Nope": "x"}},
    {"Replace": {"PatientName": 5}},
    {"Replace": {"PatientName": ["x"]}},
    {"Replace": {"RequestAttributesSequence": "x"}},
    {"Replace": {"10,20": "x", "PatientID": "y"}, "Force": True},
    {"Remove": "PatientName"},
    {"Remove": [5]},
    {"Remove": ["Nope"]},
    {"Keep": ["Nope"]},
    {"Keep": {"PatientName": 1}},
    {"Force": "yes"},
    {"KeepSource": 1},
    {"Transcode": "1.2.3"},
    {"Transcode": 5},
    {"PrivateCreator": 5},
    {"Replace": {"StudyInstanceUID": "a/b"}, "Force": True},
    {"Remove": ["PatientName"] * 10_001},
]


@pytest.mark.parametrize("verb", ["modify", "anonymize"])
async def test_wrong_requests_are_refused(rest: Rest, stored: Stored, verb: str) -> None:
    for level, body in product(LEVELS, WRONG):
        status, details = await refusal(rest, f"/{level}/{stored.id_at(level)}/{verb}", body)
        assert status == 400, body
        assert details


WRONG_ANONYMIZATIONS: list[Any] = [
    {"DicomVersion": "1999"},
    {"DicomVersion": 5},
    {"Options": ["Nope"]},
    {"Options": "RetainUIDs"},
    {"Options": ["RetainLongitudinalFullDates", "RetainLongitudinalModifiedDates"]},
    {"Options": ["RetainUIDs"]},
    {"Options": ["CleanPixelData"]},
    {"Keep": ["PatientID"], "Force": True},
    {"Replace": {"SOPInstanceUID": "1.2"}, "Force": True},
    {"Secret": 5},
]


async def test_wrong_anonymizations_are_refused(rest: Rest, stored: Stored) -> None:
    for body in WRONG_ANONYMIZATIONS:
        assert (await refusal(rest, f"/studies/{stored.study}/anonymize", body))[0] == 400, body


async def test_every_edition_that_scripts_name_is_taken(rest: Rest, stored: Stored) -> None:
    for version in ("2008", "2017c", "2021b", "2023b", "2026d"):
        response = await rest.post(f"/instances/{stored.instances[0]}/anonymize", {"DicomVersion": version})
        assert response.status_code == 200


async def test_a_patient_cannot_be_modified_without_a_new_id(rest: Rest, stored: Stored) -> None:
    problem = "When modifying a patient, her PatientID is required to be modified"
    assert await refusal(rest, f"/patients/{stored.patient}/modify", {}) == (400, problem)


async def test_unknown_resources_are_not_found(rest: Rest, stored: Stored) -> None:
    public_id = "0" * 8 + "-00000000" * 4
    for level, verb, one in product(LEVELS, ("modify", "anonymize"), ("nope", public_id)):
        assert (await rest.post(f"/{level}/{one}/{verb}", {})).status_code == 404
    for path in ("/tools/bulk-modify", "/tools/bulk-anonymize"):
        assert (await rest.post(path, {"Resources": [stored.study, public_id]})).status_code == 404
        assert (await rest.post(path, {})).status_code == 400
    assert (await rest.post("/tools/bulk-modify", {"Resources": [], "Level": "Nope"})).status_code == 400
