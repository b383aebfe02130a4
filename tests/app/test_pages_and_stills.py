"""Pictures of what is no image: videos, PDF, structured reports; by WADO-RS and REST."""

import io
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image, ImageDraw

from dicomweb_server.dicom.orthanc_id import orthanc_id
from tests.app.dicomweb_harness import Instance, instance
from tests.app.rest_harness import Rest, open_rest
from tests.builders import make_dataset, write_part10
from tests.unit.dicom.rendering.test_rendered_documents import content, report
from tests.videos import COLUMNS, COUNT, KINDS, ROWS, picture_of, video_instance

HD = KINDS[3]


@pytest.fixture
async def rest(tmp_path: Path) -> AsyncIterator[Rest]:
    async with open_rest(tmp_path) as opened:
        yield opened


async def add(rest: Rest, data: bytes) -> Instance:
    await rest.store_by_dicomweb(data)
    return instance(data)


def rest_path(one: Instance) -> str:
    return "/instances/" + orthanc_id("P1", one.study, one.series, one.uid)


def shown(response: httpx.Response, media_type: str = "image/png") -> Image.Image:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == media_type
    return Image.open(io.BytesIO(response.content)).convert("RGB")


def pdf(text: str = "Report") -> bytes:
    page = Image.new("RGB", (620, 877), "white")
    ImageDraw.Draw(page).text((60, 60), text, fill="black", font_size=60)
    made = io.BytesIO()
    page.save(made, "PDF", resolution=75)
    return made.getvalue()


def document(data: bytes) -> bytes:
    dataset = make_dataset(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.104.1", MIMETypeOfEncapsulatedDocument="application/pdf", Modality="DOC"
    )
    dataset.EncapsulatedDocument = data + b"\0" * (len(data) % 2)
    return write_part10(dataset)


@pytest.mark.parametrize("kind", [KINDS[1], HD, KINDS[6]])
async def test_a_video_as_a_picture(rest: Rest, kind: tuple[str, str, str]) -> None:
    one = await add(rest, video_instance(*kind))
    first, root = picture_of(1).astype(int), f"/dicom-web{one.path}"
    for response in (
        await rest.get(f"{root}/rendered", accept="image/png"),
        await rest.get(f"/dicom-web{one.study_path}/rendered", accept="image/png"),
        await rest.get(f"{root}/frames/1/rendered", accept="image/png"),
        await rest.get(rest_path(one) + "/preview"),
        await rest.get(rest_path(one) + "/rendered"),
    ):
        assert np.abs(np.asarray(shown(response), int) - first).mean() < 8
    fourth = shown(await rest.get(f"{root}/frames/4/rendered", accept="image/png"))
    assert np.abs(np.asarray(fourth, int) - picture_of(4)).mean() < 8
    small = shown(await rest.get(f"{root}/thumbnail"), "image/jpeg")
    assert (small.size, small.getpixel((10, 140))) != ((256, 256), (38, 44, 52))
    assert small.size == (256, 256 * ROWS // COLUMNS + 1)
    missing = await rest.get(f"{root}/frames/{COUNT + 1}/rendered", accept="image/png")
    assert missing.status_code == 404
    several = await rest.get(f"{root}/frames/1,2/rendered", accept="image/png")
    assert several.status_code == 406
    stream = await rest.get(f"{root}/rendered")
    assert stream.headers["content-type"].startswith("video/")


async def test_without_a_decoder_a_video_has_an_icon(
    rest: Rest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one = await add(rest, video_instance(*HD))
    monkeypatch.setitem(sys.modules, "av", None)
    refused = await rest.get(f"/dicom-web{one.path}/rendered", accept="image/jpeg")
    assert (refused.status_code, "dicomweb-server[video]" in refused.json()["detail"]) == (406, True)
    assert shown(await rest.get(f"/dicom-web{one.path}/thumbnail"), "image/jpeg").size == (256, 256)
    assert not [path for path in (tmp_path / "derived").rglob("*") if path.is_file()]
    assert (await rest.get(rest_path(one) + "/preview")).status_code == 415
    assert shown(await rest.get(rest_path(one) + "/preview?returnUnsupportedImage")).size == (256, 256)


async def test_the_first_page_of_a_pdf(rest: Rest) -> None:
    one = await add(rest, document(pdf()))
    root = f"/dicom-web{one.path}/rendered"
    page = shown(await rest.get(root, accept="image/png"))
    assert page.size[0] in (1240, 1241)
    assert page.convert("L").crop((100, 100, 600, 260)).getextrema() == (0, 255)
    assert shown(await rest.get(f"{root}?viewport=200,200", accept="image/jpeg"), "image/jpeg").size == (142, 200)
    assert shown(await rest.get(rest_path(one) + "/preview")).size == page.size
    assert (await rest.get(root)).headers["content-type"] == "application/pdf"
    # It may name the patient, as thumbnails must not (PS3.18 §10.4.3.3.4).
    assert shown(await rest.get(f"/dicom-web{one.path}/thumbnail"), "image/jpeg").size == (256, 256)


@pytest.mark.parametrize("data", [b"%PDF-1.7 nothing", pdf()[:700], b"<html>"])
async def test_what_is_no_pdf_has_no_page(rest: Rest, data: bytes) -> None:
    one = await add(rest, document(data))
    refused = await rest.get(f"/dicom-web{one.path}/rendered", accept="image/jpeg")
    assert (refused.status_code, "PDF" in refused.json()["detail"]) == (406, True)
    assert (await rest.get(rest_path(one) + "/preview")).status_code == 415


async def test_a_report_as_a_picture(rest: Rest) -> None:
    long = " ".join(f"word{number}" for number in range(2000))
    one = await add(rest, report(content("TEXT", "Finding", TextValue=long)))
    root = f"/dicom-web{one.path}/rendered"
    page = shown(await rest.get(root, accept="image/png"))
    assert page.size == (1240, 1754)
    assert np.asarray(page).min() < 60
    assert page.crop((0, 0, 90, 1754)).getextrema() == ((255, 255),) * 3
    assert (await rest.get(root)).headers["content-type"].startswith("text/html")
    assert (await rest.get(root, accept="text/html, image/*;q=0.5")).headers["content-type"].startswith("text/html")
