"""QIDO-RS over a real store: resources, media types, paging and order (PS3.18 §10.6)."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree

import pytest
import pytest_asyncio

from tests.app.dicomweb_harness import JSON, ROOT, Archive, open_archive, parts_of
from tests.app.qido_harness import found, qido_files, search, warnings

_XML = 'multipart/related; type="application/dicom+xml"'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def archive(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Archive]:
    async with open_archive(tmp_path_factory.mktemp("store")) as opened:
        await opened.add(*qido_files())
        yield opened


pytestmark = pytest.mark.asyncio(loop_scope="module")


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
        assert response.headers["content-type"] == JSON


class TestMediaTypes:
    @pytest.mark.parametrize(
        "accept", [None, "*/*", JSON, "application/json", "application/*", f"{_XML};q=0.5, {JSON}"]
    )
    async def test_json(self, archive: Archive, accept: str | None) -> None:
        response = await archive.get("/studies", accept)
        assert response.headers["content-type"] == JSON
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
        response = await archive.get(f"/studies?accept={quote(_XML)}", JSON)
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
        await small.add(*qido_files())
        response = await small.get("/instances")
        assert len(response.json()) == 2
        assert "There are 4 additional results" in warnings(response)
        assert len((await small.get("/instances?limit=100&offset=3")).json()) == 2
