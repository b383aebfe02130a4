"""WADO-URI over a real store (PS3.18 chapter 9)."""

import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from PIL import Image

from dicomweb_server.dicomweb.context import Context, DicomwebOptions
from dicomweb_server.dicomweb.wado_uri import OPERATIONS
from dicomweb_server.http.routing import Service
from tests.app.dicomweb_harness import Archive, Instance, open_archive
from tests.builders import make_dataset, make_instance, write_part10
from tests.real_files import REAL_FILES
from tests.videos import COUNT, KINDS, video_instance


class Wado:
    """WADO-URI beside an archive."""

    def __init__(self, archive: Archive, client: httpx.AsyncClient) -> None:
        self.archive, self._client = archive, client

    async def get(self, one: Instance, accept: str | None = None, **query: Any) -> httpx.Response:
        known = {"requestType": "WADO", "studyUID": one.study, "seriesUID": one.series, "objectUID": one.uid}
        asked = {name: value for name, value in (known | query).items() if value is not None}
        headers = {"accept": accept} if accept else {}
        return await self._client.get("http://archive.example/wado?" + urlencode(asked), headers=headers)

    async def picture(self, one: Instance, accept: str | None = None, **query: Any) -> Image.Image:
        response = await self.get(one, accept, **query)
        assert response.status_code == 200, response.text
        return Image.open(io.BytesIO(response.content))


@pytest.fixture
async def wado(tmp_path: Path) -> AsyncIterator[Wado]:
    async with open_archive(tmp_path) as archive:
        app = Service("/wado", OPERATIONS, lambda: Context(archive.services, DicomwebOptions()))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app)) as client:
            del client.headers["accept"]
            yield Wado(archive, client)


async def test_an_image_unless_something_else_is_wanted(wado: Wado) -> None:
    (one,) = await wado.archive.add(make_instance(rows=8, columns=16))
    for accept in (None, "*/*", "image/*", 'multipart/related; type="application/octet-stream"'):
        response = await wado.get(one, accept)
        assert response.headers["content-type"] == "image/jpeg"
    assert (await wado.get(one, "image/png")).headers["content-type"] == "image/png"
    assert (await wado.get(one, "image/png", contentType="image/gif")).headers["content-type"] == "image/gif"


@pytest.mark.parametrize("query", [{}, {"transferSyntax": "*"}, {"transferSyntax": "1.2.840.10008.1.2.1"}])
async def test_the_instance_itself(wado: Wado, query: dict[str, str]) -> None:
    (one,) = await wado.archive.add(make_instance())
    # As OHIF asks.
    response = await wado.get(
        one, 'multipart/related; type="application/dicom"', contentType="application/dicom", **query
    )
    assert response.headers["content-type"].startswith("application/dicom;")
    assert response.content == one.data


async def test_size_region_window_and_frame(wado: Wado) -> None:
    (one,) = await wado.archive.add(make_instance(rows=8, columns=16, frames=2, bits_allocated=8))
    assert (await wado.picture(one, rows=4)).size == (8, 4)
    assert (await wado.picture(one, columns=4, rows=100)).size == (4, 2)
    assert (await wado.picture(one, region="0.5,0.5,1,1")).size == (8, 4)
    window: dict[str, Any] = {"windowCenter": 200, "windowWidth": 100, "contentType": "image/png"}
    first = await wado.picture(one, **window, frameNumber=1)
    second = await wado.picture(one, **window, frameNumber=2)
    assert first.getextrema() == (0, 0)
    assert second.getextrema()[1] == 255


@pytest.mark.parametrize(
    "query",
    [
        {"requestType": None}, {"requestType": "WADI"}, {"studyUID": None}, {"seriesUID": ""}, {"objectUID": None},
        {"frameNumber": 0}, {"frameNumber": 2}, {"frameNumber": "x"}, {"windowCenter": 1}, {"windowWidth": 1},
        {"windowCenter": 1, "windowWidth": 0}, {"region": "0,0,2,1"}, {"region": "1,1,0,0"}, {"region": "0,0,1"},
        {"rows": 0}, {"columns": 10**6}, {"imageQuality": 0}, {"annotation": "all"}, {"transferSyntax": "*"},
        {"anonymize": "yes"}, {"presentationUID": "1.2"}, {"contentType": "application/dicom", "transferSyntax": "x"},
        {"contentType": "///"}, {"presentationUID": "1.2", "presentationSeriesUID": "1.3", "region": "0,0,1,1"},
    ],
)  # fmt: skip
async def test_queries_that_make_no_sense(wado: Wado, query: dict[str, Any]) -> None:
    (one,) = await wado.archive.add(make_instance())
    response = await wado.get(one, **query)
    assert response.status_code == 400
    assert response.json()["detail"]


async def test_what_is_not_there_or_not_made(wado: Wado) -> None:
    one, other = await wado.archive.add(make_instance(), make_instance())
    assert (await wado.get(one, seriesUID=other.series)).status_code == 404
    assert (await wado.get(one, studyUID=other.study)).status_code == 404
    assert (await wado.get(one, contentType="application/dicom", anonymize="yes")).status_code == 406
    assert (await wado.get(one, contentType="audio/ogg")).status_code == 406
    assert (await wado.get(one, presentationUID="1.2", presentationSeriesUID="1.3")).status_code == 404


async def test_other_kinds(wado: Wado) -> None:
    document = make_dataset(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.104.1", MIMETypeOfEncapsulatedDocument="application/pdf"
    )
    document.EncapsulatedDocument = b"%PDF"
    raw = make_dataset(SOPClassUID="1.2.840.10008.5.1.4.1.1.66")
    report = next(path for path in REAL_FILES if path.name == "test-SR.dcm").read_bytes()
    pdf, odd, sr = await wado.archive.add(write_part10(document), write_part10(raw), report)
    assert (await wado.get(pdf)).content == b"%PDF"
    assert (await wado.get(pdf, contentType="application/dicom")).content == pdf.data
    assert (await wado.get(odd)).content == odd.data
    assert (await wado.get(sr)).headers["content-type"].startswith("text/html")
    assert (await wado.get(sr, contentType="text/plain")).text.startswith("Diagnosis")


async def test_a_video_as_a_picture(wado: Wado) -> None:
    (one,) = await wado.archive.add(video_instance(*KINDS[3]))
    assert (await wado.picture(one, contentType="image/png", frameNumber=COUNT, columns=80)).size == (80, 48)
    assert (await wado.get(one, contentType="image/png", frameNumber=COUNT + 1)).status_code == 400
    assert (await wado.get(one)).headers["content-type"] == "video/mp4"


async def test_a_report_as_a_picture(wado: Wado) -> None:
    (one,) = await wado.archive.add(next(path for path in REAL_FILES if path.name == "test-SR.dcm").read_bytes())
    assert (await wado.picture(one, contentType="image/jpeg", rows=400)).height == 400
    assert (await wado.get(one)).headers["content-type"].startswith("text/html")
