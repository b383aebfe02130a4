"""QIDO-RS over a real store: resources, matching, returned attributes, paging (PS3.18 §10.6)."""

import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import pytest
import pytest_asyncio
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence

from tests.app.dicomweb_harness import ROOT, Archive, open_archive, parts_of
from tests.builders import make_dataset, make_instance, write_part10

_XML = 'multipart/related; type="application/dicom+xml"'
_JSON = "application/dicom+json"


def _item(**attributes: Any) -> Dataset:
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return item


def _files() -> list[bytes]:
    """Three studies: CT and SR of a Müller in two series, MR of a Yamada, and one of nobody in particular."""
    request = [_item(ScheduledProcedureStepID="SPS1", RequestedProcedureID="RP1")]
    first: dict[str, Any] = {
        "StudyInstanceUID": "1.1",
        "PatientName": "Müller^Jörg",
        "PatientID": "P%1",
        "StudyDate": "20240131",
        "StudyTime": "101530",
        "AccessionNumber": "A1",
        "StudyDescription": "Thorax",
        "ProcedureCodeSequence": [_item(CodeValue="CODE", CodingSchemeDesignator="99X", CodeMeaning="Code")],
    }
    ct = first | {
        "SeriesInstanceUID": "1.1.1",
        "SeriesNumber": 1,
        "Modality": "CT",
        "RequestAttributesSequence": DicomSequence(request),
        "PerformedProcedureStepStartDate": "20240131",
    }
    files = [make_instance(**ct, SOPInstanceUID=f"1.1.1.{n}", InstanceNumber=n, SliceThickness=n) for n in (1, 2, 3)]
    sr = first | {"SeriesInstanceUID": "1.1.2", "SeriesNumber": 2, "Modality": "SR", "SeriesDescription": "Report"}
    files.append(make_instance(**sr, SOPInstanceUID="1.1.2.1"))
    yamada = {
        "SpecificCharacterSet": "ISO_IR 192",
        "StudyInstanceUID": "1.2",
        "SeriesInstanceUID": "1.2.1",
        "SOPInstanceUID": "1.2.1.1",
        "PatientName": "Yamada^Tarou=山田^太郎",
        "PatientID": "P_2",
        "StudyDate": "20240201",
        "StudyTime": "08",
        "Modality": "MR",
    }
    dataset = make_dataset(**yamada)
    dataset.private_block(0x0009, "ACME", create=True).add_new(1, "LO", "private value")
    files.append(write_part10(dataset))
    nobody: dict[str, Any] = dict.fromkeys(
        ("PatientName", "PatientID", "Modality", "StudyDate", "AccessionNumber", "SeriesNumber")
    )
    files.append(make_instance(StudyInstanceUID="1.3", SeriesInstanceUID="1.3.1", SOPInstanceUID="1.3.1.1", **nobody))
    return files


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def archive(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Archive]:
    async with open_archive(tmp_path_factory.mktemp("store")) as opened:
        await opened.add(*_files())
        yield opened


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def search(archive: Archive, path: str) -> list[dict[str, Any]]:
    response = await archive.get(path)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == _JSON
    found: list[dict[str, Any]] = response.json()
    return found


async def found(archive: Archive, path: str, tag: str = "0020000D") -> list[str]:
    """The first value of a UID in each match."""
    return [match[tag]["Value"][0] for match in await search(archive, path)]


def warnings(response: Any) -> str:
    text: str = response.headers.get("warning", "")
    return text


class TestResources:
    @pytest.mark.parametrize(
        ("path", "tag", "expected"),
        [
            ("/studies", "0020000D", ["1.2", "1.1", "1.3"]),
            ("/studies/1.1/series", "0020000E", ["1.1.1", "1.1.2"]),
            ("/studies/1.1/series/1.1.1/instances", "00080018", ["1.1.1.1", "1.1.1.2", "1.1.1.3"]),
            ("/studies/1.1/instances", "00080018", ["1.1.1.1", "1.1.1.2", "1.1.1.3", "1.1.2.1"]),
            ("/series", "0020000E", ["1.2.1", "1.1.1", "1.1.2", "1.3.1"]),
            ("/instances", "00080018", ["1.2.1.1", "1.1.1.1", "1.1.1.2", "1.1.1.3", "1.1.2.1", "1.3.1.1"]),
        ],
    )
    async def test_each_answers_a_search_in_order(
        self, archive: Archive, path: str, tag: str, expected: list[str]
    ) -> None:
        assert await found(archive, path, tag) == expected
        assert await found(archive, path, tag) == expected

    async def test_patients(self, archive: Archive) -> None:
        matches = await search(archive, "/patients?PatientName=yamada*")
        assert [match["00100020"]["Value"] for match in matches] == [["P_2"]]
        assert matches[0]["00201200"]["Value"] == [1]
        assert len(await search(archive, "/patients")) == 3

    @pytest.mark.parametrize(
        ("path", "count"),
        [("/studies/count", 3), ("/series/count?Modality=CT", 1), ("/instances/count", 6), ("/patients/count", 3)],
    )
    async def test_counts(self, archive: Archive, path: str, count: int) -> None:
        response = await archive.get(path)
        assert response.headers["content-type"] == "application/json"
        assert response.json() == {"count": count}

    @pytest.mark.parametrize("path", ["/studies/9/series", "/studies/1.1/series/9/instances", "/studies/9/instances"])
    async def test_below_unknown_parents_there_is_nothing(self, archive: Archive, path: str) -> None:
        response = await archive.get(path)
        assert (response.status_code, response.content) == (200, b"[]")

    async def test_a_series_of_another_study_has_nothing(self, archive: Archive) -> None:
        assert await search(archive, "/studies/1.2/series/1.1.1/instances") == []

    async def test_a_path_that_is_no_uid(self, archive: Archive) -> None:
        response = await archive.get("/studies/abc/series")
        assert response.status_code == 400
        assert "the study in the path" in response.json()["detail"]

    async def test_head(self, archive: Archive) -> None:
        response = await archive.send("HEAD", "/studies")
        assert (response.status_code, response.content) == (200, b"")
        assert response.headers["content-type"] == _JSON


class TestMediaTypes:
    @pytest.mark.parametrize(
        "accept", [None, "*/*", _JSON, "application/json", "application/*", f"{_XML};q=0.5, {_JSON}"]
    )
    async def test_json(self, archive: Archive, accept: str | None) -> None:
        response = await archive.get("/studies", accept)
        assert response.headers["content-type"] == _JSON
        assert len(response.json()) == 3

    async def test_xml(self, archive: Archive) -> None:
        response = await archive.get("/studies?PatientName=Yamada*", _XML)
        (part,) = parts_of(response)
        assert part.media_type == "application/dicom+xml"
        model = ElementTree.fromstring(part.body)
        for tag, value in (("0020000D", "1.2"), ("00081190", f"{ROOT}/studies/1.2")):
            assert model.findtext(f"{{*}}DicomAttribute[@tag='{tag}']/{{*}}Value") == value

    async def test_xml_of_nothing(self, archive: Archive) -> None:
        response = await archive.get("/studies?PatientName=Nobody", _XML)
        assert (response.status_code, response.content) == (204, b"")

    async def test_the_parameter_wins_over_the_header(self, archive: Archive) -> None:
        response = await archive.get(f"/studies?accept={quote(_XML)}", _JSON)
        assert response.headers["content-type"].startswith("multipart/related")

    @pytest.mark.parametrize("path", ["/studies", "/studies/count", "/studies?PatientName=Nobody"])
    async def test_others_are_not_acceptable(self, archive: Archive, path: str) -> None:
        response = await archive.get(path, "image/png")
        assert response.status_code == 406
        assert response.headers["content-type"] == "application/problem+json"

    async def test_no_match_is_an_empty_array(self, archive: Archive) -> None:
        response = await archive.get("/studies?PatientName=Nobody")
        assert (response.status_code, response.content) == (200, b"[]")

    async def test_compression_when_asked_for(self, archive: Archive) -> None:
        response = await archive.get("/instances", accept_encoding="gzip")
        assert response.headers["content-encoding"] == "gzip"
        assert len(response.json()) == 6


class TestMatching:
    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("PatientName=M%C3%BCller%5EJ%C3%B6rg", ["1.1"]),
            ("PatientName=MULLER*", ["1.1"]),
            ("00100010=muller*", ["1.1"]),
            ("PatientName=%E5%B1%B1%E7%94%B0*", ["1.2"]),
            ("PatientName=*=%E5%B1%B1*", ["1.2"]),
            ("PatientName=tarou&fuzzymatching=true", ["1.2"]),
            ("PatientName=tarou&fuzzymatching=false", []),
            ("PatientID=P%251", ["1.1"]),
            ("PatientID=p%251", []),
            ("PatientID=P_*", ["1.2"]),
            ("PatientID=P%25", []),
            ("PatientID=' OR 1=1 --", []),
            ("StudyDate=20240101-20240131", ["1.1"]),
            ("StudyDate=20240131-", ["1.2", "1.1"]),
            ("StudyTime=10", ["1.1", "1.3"]),
            ("StudyTime=0800-0859", ["1.2"]),
            ("StudyDate=20240131-20240201&StudyTime=1000-0900&combineddatetime=true", ["1.2", "1.1"]),
            ("ModalitiesInStudy=SR", ["1.1"]),
            ("ModalitiesInStudy=MR%5CSR", ["1.2", "1.1"]),
            ("ModalitiesInStudy=MR,SR", ["1.2", "1.1"]),
            ("Modality=CT", ["1.1"]),
            ("StudyInstanceUID=1.1,1.2", ["1.2", "1.1"]),
            ("StudyInstanceUID=1.1%5C1.2", ["1.2", "1.1"]),
            ('PatientID=""&emptyvaluematching=true', ["1.3"]),
            ('Modality=""&emptyvaluematching=true', ["1.3"]),
            ("PatientID=P_2,P%251&multiplevaluematching=true", ["1.2", "1.1"]),
            ("PatientID=P_2,P%251", []),
            ("PatientID=", ["1.2", "1.1", "1.3"]),
            ("NumberOfStudyRelatedInstances=4", ["1.1"]),
            ("ProcedureCodeSequence.CodeValue=CODE", ["1.1"]),
            ("RequestAttributesSequence.ScheduledProcedureStepID=SPS1", ["1.1"]),
            ("00091001=private*&00090010=ACME", ["1.2"]),
            ("00093301=private*&00090033=ACME", ["1.2"]),
            ("00091001=private*&00090010=OTHER", []),
        ],
    )
    async def test_studies(self, archive: Archive, query: str, expected: list[str]) -> None:
        assert await found(archive, f"/studies?{query}") == expected

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("Modality=SR", ["1.1.2"]),
            ("SeriesInstanceUID=1.1.1", ["1.1.1"]),
            ("SeriesNumber=2", ["1.1.2"]),
            ("PerformedProcedureStepStartDate=20240131", ["1.1.1"]),
            ("RequestAttributesSequence.ScheduledProcedureStepID=SPS*", ["1.1.1"]),
            ("00400275.00401001=RP1", ["1.1.1"]),
            ("00400275.00401001=RP1&00400275.00400009=SPS1", ["1.1.1"]),
            ("00400275.00401001=RP1&00400275.00400009=SPS2", []),
            ("PatientName=muller*", ["1.1.1", "1.1.2"]),
        ],
    )
    async def test_series(self, archive: Archive, query: str, expected: list[str]) -> None:
        assert await found(archive, f"/studies/1.1/series?{query}", "0020000E") == expected
        assert await found(archive, f"/series?{query}&StudyInstanceUID=1.1", "0020000E") == expected

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("SOPInstanceUID=1.1.1.2", ["1.1.1.2"]),
            ("InstanceNumber=3", ["1.1.1.3"]),
            ("SliceThickness=2", ["1.1.1.2"]),
            ("SOPClassUID=1.2.3", []),
            ("InstanceNumber=1&Modality=SR", ["1.1.2.1"]),
        ],
    )
    async def test_instances(self, archive: Archive, query: str, expected: list[str]) -> None:
        assert await found(archive, f"/studies/1.1/instances?{query}", "00080018") == expected

    @pytest.mark.parametrize(
        ("query", "detail"),
        [
            ("Patientname=x", "parameter Patientname: the case of letters counts"),
            ("PatientNam=x", "key PatientNam: expected a keyword"),
            ("StudyDate=yesterday", "key StudyDate: expected YYYYMMDD"),
            ("PatientID=1&00100020=1", "key 00100020: the attribute is given twice"),
            ("limit=-1", "parameter limit"),
            ("fuzzymatching=maybe", "parameter fuzzymatching: expected true or false"),
            ("PatientID=%FF", "not UTF-8"),
            ("00091001=x", "needs its private creator"),
        ],
    )
    async def test_refusals_say_why(self, archive: Archive, query: str, detail: str) -> None:
        response = await archive.get(f"/studies?{query}")
        assert response.status_code == 400
        assert detail in response.json()["detail"]


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


class TestPaging:
    async def test_limit_and_offset(self, archive: Archive) -> None:
        everything = await found(archive, "/instances", "00080018")
        for offset in range(len(everything) + 2):
            page = await found(archive, f"/instances?limit=2&offset={offset}", "00080018")
            assert page == everything[offset : offset + 2]

    @pytest.mark.parametrize(
        ("path", "remaining"),
        [
            ("/studies?limit=1", 2),
            ("/studies?limit=0", 3),
            ("/studies?limit=1&offset=1", 1),
            ("/series?limit=1", 3),
            ("/instances?limit=2", 4),
            ("/instances?limit=1&Modality=CT", 2),
            ("/instances?limit=1&InstanceNumber=1", 3),
            ("/instances?limit=1&SliceThickness=*", 5),
            ("/studies?limit=1&includefield=all", 2),
            ("/studies/1.1/series/1.1.1/instances?limit=1", 2),
        ],
    )
    async def test_what_remains_is_told(self, archive: Archive, path: str, remaining: int) -> None:
        response = await archive.get(path)
        assert warnings(response) == f'299 {ROOT}: "There are {remaining} additional results that can be requested"'

    async def test_nothing_remains_and_no_warning(self, archive: Archive) -> None:
        for path in ("/studies", "/studies?limit=3", "/studies?limit=101&offset=0"):
            assert warnings(await archive.get(path)) == ""

    @pytest.mark.parametrize("offset", [3, 10**6, 2**63, 2**64])
    async def test_past_the_end(self, archive: Archive, offset: int) -> None:
        response = await archive.get(f"/studies?offset={offset}")
        assert (response.status_code, response.content) == (200, b"[]")

    @pytest.mark.parametrize(
        ("path", "total"),
        [
            ("/studies?count=true&limit=1", "3"),
            ("/studies?count=true&offset=10", "3"),
            ("/studies?count=true&PatientID=X", "0"),
            ("/instances?count=true&limit=0&SliceThickness=2", "1"),
            ("/studies?count=true&includefield=all", "3"),
        ],
    )
    async def test_total(self, archive: Archive, path: str, total: str) -> None:
        response = await archive.get(path)
        assert response.headers["x-total-count"] == total

    async def test_no_total_without_asking(self, archive: Archive) -> None:
        assert "x-total-count" not in (await archive.get("/studies")).headers

    @pytest.mark.parametrize(
        ("path", "tag", "expected"),
        [
            ("/studies?orderby=StudyDate", "0020000D", ["1.3", "1.1", "1.2"]),
            ("/studies?orderby=-PatientName", "0020000D", ["1.2", "1.1", "1.3"]),
            ("/studies?orderby=-00201208", "0020000D", ["1.1", "1.2", "1.3"]),
            (
                "/studies/1.1/instances?orderby=-SeriesNumber,-InstanceNumber&limit=2",
                "00080018",
                ["1.1.2.1", "1.1.1.3"],
            ),
            (
                "/series?orderby=PatientID,SeriesNumber&includefield=all",
                "0020000E",
                ["1.3.1", "1.1.1", "1.1.2", "1.2.1"],
            ),
        ],
    )
    async def test_order(self, archive: Archive, path: str, tag: str, expected: list[str]) -> None:
        assert await found(archive, path, tag) == expected


async def test_the_server_s_own_limit(tmp_path: Path) -> None:
    async with open_archive(tmp_path, search_limit=2) as small:
        await small.add(*_files())
        response = await small.get("/instances")
        assert len(response.json()) == 2
        assert "There are 4 additional results" in warnings(response)
        assert len((await small.get("/instances?limit=100&offset=3")).json()) == 2


class TestHostileInput:
    @pytest.mark.parametrize(
        ("query", "statuses"),
        [
            ("&".join(f"{0x00100000 + n:08X}=x" for n in range(2500)), {400, 413}),
            ("&".join(["includefield=PatientID"] * 2500), {400, 413}),
            ("includefield=" + ",".join(f"{n:08X}" for n in range(5000)), {400, 413}),
            ("PatientName=" + "*a" * 4000, {200}),
            ("PatientID=" + "*a?" * 2700 + "b", {200}),
            ("PatientID=" + "[" * 8000, {200}),
            ("StudyInstanceUID=" + ",".join(f"1.{n}" for n in range(4000)), {200}),
            ("ModalitiesInStudy=" + ",".join(f"M{n}" for n in range(4000)), {200}),
            ("StudyDate=" + "-" * 8000, {400}),
            ("&".join(["x"] * 600), {400}),
            ("PatientID=" + "9" * 20_000, {400}),
        ],
    )
    async def test_is_answered_at_once(self, archive: Archive, query: str, statuses: Sequence[int]) -> None:
        started = time.perf_counter()
        response = await archive.get(f"/studies?{query}")
        assert response.status_code in statuses
        assert time.perf_counter() - started < 1
