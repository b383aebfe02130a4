"""QIDO-RS over a real store: the attributes of an answer (PS3.18 §10.6.3)."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.app.dicomweb_harness import ROOT, Archive, open_archive
from tests.app.qido_harness import qido_files, search, warnings


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def archive(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Archive]:
    async with open_archive(tmp_path_factory.mktemp("store")) as opened:
        await opened.add(*qido_files())
        yield opened


pytestmark = pytest.mark.asyncio(loop_scope="module")


class TestReturnedAttributes:
    async def test_of_a_study(self, archive: Archive) -> None:
        (study,) = await search(archive, "/studies?StudyInstanceUID=1.1")
        assert study["00080005"]["Value"] == ["ISO_IR 192"]
        assert study["00080056"]["Value"] == ["ONLINE"]
        assert study["00080061"]["Value"] == ["CT", "SR"]
        assert study["00081190"]["Value"] == [f"{ROOT}/studies/1.1"]
        assert study["00201206"]["Value"] == [2]
        assert study["00201208"]["Value"] == [4]
        assert study.keys() >= {"00080020", "00080030", "00080050", "00080090", "0020000D", "00200010"}
        assert study.keys() >= {"00100010", "00100020", "00100030", "00100040"}
        assert list(study) == sorted(study)
        assert (await archive.get(study["00081190"]["Value"][0].removeprefix(ROOT))).status_code == 200

    async def test_empty_modalities_are_left_out_and_other_required_attributes_are_not(self, archive: Archive) -> None:
        (study,) = await search(archive, "/studies?StudyInstanceUID=1.3")
        assert "00080061" not in study
        assert study["00100020"] == {"vr": "LO"}

    async def test_of_a_series(self, archive: Archive) -> None:
        series, report = await search(archive, "/studies/1.1/series")
        assert series["00080060"]["Value"] == ["CT"]
        assert series["0020000E"]["Value"] == ["1.1.1"]
        assert series["00200011"]["Value"] == [1]
        assert series["00201209"]["Value"] == [3]
        assert series["00400244"]["Value"] == ["20240131"]
        assert series["00400275"]["Value"][0]["00400009"]["Value"] == ["SPS1"]
        assert series["00081190"]["Value"] == [f"{ROOT}/studies/1.1/series/1.1.1"]
        assert report["0008103E"]["Value"] == ["Report"]
        assert "00100010" not in series
        assert "00400275" not in report

    async def test_of_an_instance(self, archive: Archive) -> None:
        instance = (await search(archive, "/studies/1.1/series/1.1.1/instances"))[0]
        assert instance["00080018"]["Value"] == ["1.1.1.1"]
        assert instance["00080016"]["Value"] == ["1.2.840.10008.5.1.4.1.1.2"]
        assert instance["00200013"]["Value"] == [1]
        assert instance["00280010"]["Value"] == [8]
        assert instance["00280100"]["Value"] == [16]
        assert instance["00083002"]["Value"] == ["1.2.840.10008.1.2.1"]
        assert instance["00081190"]["Value"] == [f"{ROOT}/studies/1.1/series/1.1.1/instances/1.1.1.1"]
        assert "00280008" not in instance
        assert "00080060" not in instance

    async def test_relational_searches_answer_their_parents_too(self, archive: Archive) -> None:
        assert (await search(archive, "/studies/1.1/instances"))[0]["00080060"]["Value"] == ["CT"]
        instance = (await search(archive, "/instances"))[0]
        assert instance["00100020"]["Value"] == ["P_2"]
        assert instance["00080060"]["Value"] == ["MR"]
        series = (await search(archive, "/series"))[0]
        assert series["00080061"]["Value"] == ["MR"]

    async def test_keys_come_back(self, archive: Archive) -> None:
        query = "InstitutionName=&ProcedureCodeSequence=&StudyComments=&StudyInstanceUID=1.1"
        (study,) = await search(archive, f"/studies?{query}")
        assert study["00080080"] == {"vr": "LO"}
        assert study["00081032"]["Value"][0]["00080100"]["Value"] == ["CODE"]
        assert study["00324000"] == {"vr": "LT"}

    async def test_includefield(self, archive: Archive) -> None:
        fields = "includefield=SOPClassesInStudy,00081032&includefield=00081032&includefield=PatientAge"
        (study,) = await search(archive, f"/studies?StudyInstanceUID=1.1&{fields}")
        assert study["00080062"]["Value"] == ["1.2.840.10008.5.1.4.1.1.2"]
        assert study["00081032"]["Value"][0]["00080100"]["Value"] == ["CODE"]
        assert "00101010" not in study

    async def test_includefield_all(self, archive: Archive) -> None:
        (study,) = await search(archive, "/studies?StudyInstanceUID=1.1&includefield=all")
        assert "00081032" in study
        assert not {"00080060", "00280010", "7FE00010", "00080018"} & study.keys()
        instance = (await search(archive, "/studies/1.1/instances?includefield=all"))[0]
        assert instance["00180050"]["Value"] == [1]
        assert instance["7FE00010"]["BulkDataURI"].startswith(f"{ROOT}/studies/1.1/series/1.1.1/instances/1.1.1.1/bulk")
        assert list(instance) == sorted(instance)

    async def test_lower_levels_are_not_returned(self, archive: Archive) -> None:
        response = await archive.get("/studies?includefield=00080060,SOPInstanceUID&StudyInstanceUID=1.1&Modality=CT")
        (study,) = response.json()
        assert not {"00080060", "00080018"} & study.keys()
        assert "00080060 belongs to a lower level" in warnings(response)

    async def test_a_private_attribute_and_its_creator(self, archive: Archive) -> None:
        for query in ("includefield=00091001", "includefield=00094401&00090044=ACME", "00091001=&00090010=ACME"):
            (study,) = await search(archive, f"/studies?StudyInstanceUID=1.2&{query}")
            assert study["00091001"]["Value"] == ["private value"]
            assert study["00090010"]["Value"] == ["ACME"]

    async def test_an_unknown_field_is_warned_of(self, archive: Archive) -> None:
        response = await archive.get("/studies?includefield=Nonsense&_=1")
        assert response.status_code == 200
        assert f'299 {ROOT}: "The attribute Nonsense in includefield is unknown' in warnings(response)
        assert "The parameter _ is unknown" in warnings(response)

    async def test_urls_behind_a_proxy(self, archive: Archive) -> None:
        forwarded = {"forwarded": 'proto=https;host="pacs.example"', "x_forwarded_prefix": "/deep"}
        response = await archive.get("/studies?StudyInstanceUID=1.1", **forwarded)
        assert response.json()[0]["00081190"]["Value"][0].startswith("https://pacs.example/")
