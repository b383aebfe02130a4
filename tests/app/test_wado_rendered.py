"""WADO-RS rendered resources and thumbnails over a real store."""

import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset

from conformance.patience import until
from dicomweb_server.services.delete import Scope
from tests.app.dicomweb_harness import Archive, Instance, open_archive, split_parts
from tests.builders import fake_jpeg, make_dataset, make_encapsulated, make_instance, write_part10
from tests.real_files import REAL_FILES, tolerant_pydicom

PR = "1.2.840.10008.5.1.4.1.1.11.1"
SEG = "1.2.840.10008.5.1.4.1.1.66.4"


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Archive]:
    async with open_archive(tmp_path) as opened:
        yield opened


def picture(response: httpx.Response) -> Image.Image:
    assert response.status_code == 200, response.text
    return Image.open(io.BytesIO(response.content))


def gray(response: httpx.Response) -> Any:
    return np.asarray(picture(response).convert("L"), dtype=int)


def real(name: str) -> bytes:
    return next(path for path in REAL_FILES if path.name == name).read_bytes()


def item(**attributes: Any) -> Dataset:
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def reference(one: Instance, **more: Any) -> Dataset:
    return item(ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.2", ReferencedSOPInstanceUID=one.uid, **more)


async def test_every_level_has_a_picture(archive: Archive) -> None:
    (one,) = await archive.add(make_instance(rows=16, columns=32))
    for path in (one.study_path, one.series_path, one.path, one.path + "/frames/1"):
        response = await archive.get(path + "/rendered")
        assert response.headers["content-type"] == "image/jpeg"
        assert picture(response).size == (32, 16)
        small = await archive.get(path + "/thumbnail")
        assert small.headers["content-type"] == "image/jpeg"
        assert picture(small).size == (256, 128)
    assert (await archive.get("/studies/1.2.3/rendered")).status_code == 404


async def test_the_pixels_are_those_of_the_window(archive: Archive) -> None:
    (one,) = await archive.add(make_instance(WindowCenter=32, WindowWidth=33))
    expected = np.clip(np.floor(((np.arange(64) - 31.5) / 32 + 0.5) * 255 + 0.5), 0, 255).reshape(8, 8)
    assert gray(await archive.get(one.path + "/rendered", "image/png")).tolist() == expected.astype(int).tolist()
    asked = gray(await archive.get(one.path + "/rendered?window=10,20,linear-exact", "image/png"))
    assert np.abs(asked - np.clip(np.arange(64) / 20 * 255, 0, 255).reshape(8, 8)).max() <= 0.51


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("image/*", "image/jpeg"),
        ("image/gif", "image/gif"),
        ("image/webp,image/png;q=0.5", "image/webp"),
        ("image/avif", "image/avif"),
        ("image/jp2", "image/jp2"),
    ],
)
async def test_the_format_is_negotiated(archive: Archive, accept: str, media_type: str) -> None:
    (one,) = await archive.add(make_instance())
    response = await archive.get(one.path + "/rendered", accept)
    assert response.headers["content-type"] == media_type
    assert Image.MIME[str(picture(response).format)] == media_type


async def test_the_parameter_wins_over_the_header(archive: Archive) -> None:
    (one,) = await archive.add(make_instance())
    header = 'multipart/related; type="application/octet-stream"'
    response = await archive.get(one.path + "/rendered?accept=image%2Fpng", header)
    assert response.headers["content-type"] == "image/png"
    assert (await archive.get(one.path + "/rendered", header)).status_code == 406


@pytest.mark.parametrize(
    ("query", "size"),
    [("viewport=16,16", (16, 8)), ("viewport=8,8,0,0,4,4", (8, 8)), ("viewport=100,50,,,-16,", (100, 50))],
)
async def test_viewports(archive: Archive, query: str, size: tuple[int, int]) -> None:
    (one,) = await archive.add(make_instance(rows=8, columns=16))
    assert picture(await archive.get(f"{one.path}/rendered?{query}")).size == size


async def test_a_negative_width_flips(archive: Archive) -> None:
    (one,) = await archive.add(make_instance())
    plain = gray(await archive.get(one.path + "/rendered", "image/png"))
    flipped = gray(await archive.get(one.path + "/rendered?viewport=8,8,0,0,-8,8", "image/png"))
    assert (flipped == plain[:, ::-1]).all()


@pytest.mark.parametrize(
    "query",
    [
        "viewport=0,8", "viewport=8", "viewport=-8,8", "viewport=a,b", "viewport=8,8,0,0,0,0", "viewport=8,8,4,4,9,9",
        "viewport=99999,99999", "viewport=16384,16384", "viewport=1e3,1", "viewport=8,8,nan,0,1,1",
        "viewport=8,8,1,1,1,1,1",
        "window=1", "window=1,2,cubic", "window=1,0,sigmoid", "window=1,0.5,linear", "window=x,y,linear",
        "window=1e400,1,linear", "window=1,nan,linear", "quality=0", "quality=101", "quality=x",
        "annotation=everything",
        "iccprofile=maybe", "quality=50&quality=60", "overlays=perhaps",
    ],
)  # fmt: skip
async def test_parameters_that_make_no_sense(archive: Archive, query: str) -> None:
    (one,) = await archive.add(make_instance())
    response = await archive.get(f"{one.path}/rendered?{query}")
    assert response.status_code == 400
    assert query.partition("=")[0] in response.json()["detail"] or "region" in response.json()["detail"]


@pytest.mark.parametrize(("frames", "status"), [("0", 400), ("4", 404), ("1000000000", 404), ("x", 400)])
async def test_frames_that_are_not_there(archive: Archive, frames: str, status: int) -> None:
    (one,) = await archive.add(make_instance(frames=3))
    for name in ("rendered", "thumbnail"):
        assert (await archive.get(f"{one.path}/frames/{frames}/{name}")).status_code == status


async def test_several_frames_are_parts_or_an_animation(archive: Archive) -> None:
    (one,) = await archive.add(make_instance(frames=3, FrameTime=50, bits_allocated=8))
    path = one.path + "/frames/1,3/rendered"
    parts = split_parts(await archive.get(path))
    assert [part.media_type for part in parts] == ["image/jpeg", "image/jpeg"]
    assert [part.headers["content-location"].rsplit("/", 2)[1] for part in parts] == ["1", "3"]
    animation: Any = picture(await archive.get(path, "image/gif"))
    assert (animation.n_frames, animation.info["duration"]) == (2, 50)
    whole: Any = picture(await archive.get(one.path + "/rendered", "image/gif"))
    assert whole.n_frames == 3
    assert (await archive.get(path, "image/jpeg")).status_code == 406


async def test_all_of_a_series_as_parts(archive: Archive) -> None:
    kept: dict[str, Any] = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.1"}
    await archive.add(*(make_instance(InstanceNumber=n, **kept) for n in (1, 2, 3)))
    response = await archive.get("/studies/1.2.3/series/1.2.3.1/rendered", 'multipart/related; type="image/png"')
    assert len(split_parts(response)) == 3


async def test_the_middle_stands_for_a_series(archive: Archive) -> None:
    kept: dict[str, Any] = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.1"}
    instances = await archive.add(
        *(make_instance(InstanceNumber=n, rows=n, **kept) for n in (1, 2, 3)),
        write_part10(make_dataset(StudyInstanceUID="1.2.3", SeriesNumber=0, SOPClassUID="1.2.840.10008.5.1.4.1.1.66")),
    )
    for path in (instances[0].study_path, instances[0].series_path):
        assert picture(await archive.get(path + "/rendered")).size == (8, 2)


async def test_clients_that_have_it_are_told_so(archive: Archive) -> None:
    (one,) = await archive.add(make_instance())
    for name in ("rendered?window=1,2,linear", "thumbnail"):
        tag = (await archive.get(f"{one.path}/{name}")).headers["etag"]
        assert (await archive.get(f"{one.path}/{name}", if_none_match=tag)).status_code == 304
        assert (await archive.get(f"{one.path}/{name}", "image/png", if_none_match=tag)).status_code == 200
        other = await archive.get(f"{one.path}/{name}&viewport=9,9".replace("thumbnail&", "thumbnail?"))
        assert other.headers["etag"] != tag


def holds(path: Path, content: bytes) -> bool:
    """Whether a file ends with this; not yet, while it is written."""
    try:
        return path.read_bytes().endswith(content)
    except OSError:
        return False


async def test_thumbnails_are_made_once_and_go_with_the_instance(archive: Archive, tmp_path: Path) -> None:
    (one,) = await archive.add(make_instance())
    first = await archive.get(one.series_path + "/thumbnail")
    # It is written after the answer.
    await until(lambda: [path for path in (tmp_path / "derived").rglob("*") if holds(path, first.content)])
    (kept,) = [path for path in (tmp_path / "derived").rglob("*") if path.is_file()]
    assert (await archive.get(one.study_path + "/thumbnail")).content == first.content
    await archive.services.delete.delete(Scope(one.study))
    await archive.services.delete.sweep()
    assert not kept.exists()
    assert (await archive.get(one.series_path + "/thumbnail")).status_code == 404


async def test_reports_are_pages(archive: Archive) -> None:
    (one,) = await archive.add(real("test-SR.dcm"))
    page = await archive.get(one.path + "/rendered")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "<h1>Diagnosis</h1>" in page.text
    assert (await archive.get(one.path + "/rendered", "text/plain")).text.startswith("Diagnosis")
    assert picture(await archive.get(one.path + "/thumbnail?viewport=64,64")).size == (64, 64)


async def test_an_ecg_is_a_drawing(archive: Archive) -> None:
    (one,) = await archive.add(real("waveform_ecg.dcm"))
    drawing = await archive.get(one.path + "/rendered")
    assert drawing.headers["content-type"] == "image/svg+xml"
    assert drawing.text.startswith("<svg")


async def test_documents_are_as_they_are(archive: Archive) -> None:
    pdf = b"%PDF-1.4 " + bytes(range(200)) + b"\0"
    dataset = make_dataset(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.104.1", MIMETypeOfEncapsulatedDocument="application/pdf"
    )
    dataset.EncapsulatedDocument = pdf
    (one,) = await archive.add(write_part10(dataset))
    response = await archive.get(one.path + "/rendered")
    assert (response.headers["content-type"], response.content) == ("application/pdf", pdf)
    ranged = await archive.get(one.path + "/rendered", range="bytes=0-3")
    assert (ranged.status_code, ranged.content) == (206, b"%PDF")
    (part,) = split_parts(await archive.get(one.path + "/rendered", 'multipart/related; type="application/pdf"'))
    assert part.body == pdf
    assert (await archive.get(one.path + "/rendered", "image/png")).status_code == 406


async def test_videos_are_as_they_are(archive: Archive) -> None:
    video = fake_jpeg(b"not really a video")
    data = make_encapsulated([video], transfer_syntax_uid="1.2.840.10008.1.2.4.102", NumberOfFrames=25)
    (one,) = await archive.add(data)
    response = await archive.get(one.path + "/rendered")
    assert (response.headers["content-type"], response.content) == ("video/mp4", video)
    assert picture(await archive.get(one.path + "/thumbnail")).size == (256, 256)


async def test_a_presentation_state_is_applied(archive: Archive) -> None:
    kept: dict[str, Any] = {"StudyInstanceUID": "1.2.3", "WindowCenter": 32, "WindowWidth": 64}
    (image,) = await archive.add(make_instance(**kept))
    series = item(SeriesInstanceUID=image.series, ReferencedImageSequence=[reference(image)])
    dataset = make_dataset(
        StudyInstanceUID="1.2.3", SOPClassUID=PR, Modality="PR", ReferencedSeriesSequence=[series],
        SoftcopyVOILUTSequence=[item(WindowCenter=32, WindowWidth=64)], PresentationLUTShape="INVERSE",
        ImageHorizontalFlip="Y", ImageRotation=90,
    )  # fmt: skip
    (state,) = await archive.add(write_part10(dataset))
    plain = gray(await archive.get(image.path + "/rendered", "image/png"))
    query = f"?presentationSeriesUID={state.series}&presentationUID={state.uid}"
    for path in (image.path + "/rendered" + query, state.path + "/rendered"):
        shown = gray(await archive.get(path, "image/png"))
        assert np.abs(shown - np.rot90(255 - plain, -1)[:, ::-1]).max() <= 1
    missing = await archive.get(image.path + "/rendered?presentationSeriesUID=1.9&presentationUID=1.9.1")
    assert missing.status_code == 404
    other = await archive.get(f"{image.path}/rendered?presentationSeriesUID={image.series}&presentationUID={image.uid}")
    assert other.status_code == 400


async def test_a_mask_is_subtracted_as_a_state_of_x_ray_images_wants(archive: Archive) -> None:
    pixels = np.random.default_rng(1).integers(0, 4096, (4, 8, 8)).astype("<u2")
    data = make_instance(frames=4, BitsStored=12, HighBit=11, StudyInstanceUID="1.2.3", PixelData=pixels.tobytes())
    (image,) = await archive.add(data)
    series = item(SeriesInstanceUID=image.series, ReferencedImageSequence=[reference(image, ReferencedFrameNumber=3)])
    dataset = make_dataset(
        StudyInstanceUID="1.2.3", SOPClassUID="1.2.840.10008.5.1.4.1.1.11.5", ReferencedSeriesSequence=[series],
        MaskSubtractionSequence=[item(MaskOperation="AVG_SUB", MaskFrameNumbers=[1, 2], ApplicableFrameRange=[3, 4])],
        SoftcopyVOILUTSequence=[item(WindowCenter=0, WindowWidth=4000, VOILUTFunction="LINEAR_EXACT")],
        FrameDisplayShutterSequence=[item(ShutterShape="CIRCULAR", CenterOfCircularShutter=[4, 4],
                                          RadiusOfCircularShutter=20)],
    )  # fmt: skip
    (state,) = await archive.add(write_part10(dataset))
    query = f"?presentationSeriesUID={state.series}&presentationUID={state.uid}"
    for path, number in ((state.path, 3), (image.path + "/frames/4", 4)):
        response = await archive.get(path + "/rendered" + (query if number == 4 else ""), "image/png")
        value = pixels[number - 1] - pixels[:2].mean(axis=0)
        assert np.abs(gray(response) - np.clip(value / 4000 + 0.5, 0, 1) * 255).max() <= 0.51
    plain = gray(await archive.get(f"{image.path}/frames/1/rendered{query}", "image/png"))
    assert np.abs(plain - np.clip(pixels[0] / 4000 + 0.5, 0, 1) * 255).max() <= 0.51


async def test_segments_lie_on_their_image(archive: Archive) -> None:
    (image,) = await archive.add(make_instance(StudyInstanceUID="1.2.3", WindowCenter=32, WindowWidth=64))
    frame = item(
        SegmentIdentificationSequence=[item(ReferencedSegmentNumber=1)],
        DerivationImageSequence=[item(SourceImageSequence=[reference(image)])],
    )
    data = make_instance(
        bits_allocated=1, StudyInstanceUID="1.2.3", SOPClassUID=SEG, Modality="SEG", SegmentationType="BINARY",
        BitsStored=1, HighBit=0, SegmentSequence=[item(SegmentNumber=1)], PixelData=b"\x0f" * 8,
        PerFrameFunctionalGroupsSequence=[frame],
    )  # fmt: skip
    (segmentation,) = await archive.add(data)
    plain = gray(await archive.get(image.path + "/rendered", "image/png"))
    shown = np.asarray(picture(await archive.get(segmentation.path + "/rendered", "image/png")), dtype=int)
    assert (shown[:, 4:, 0] == plain[:, 4:]).all()
    assert (shown[:, :4, 0] > shown[:, :4, 2]).all()


@pytest.mark.parametrize(
    "attributes",
    [
        {"PhotometricInterpretation": "PALETTE COLOR", "bits_allocated": 8},
        {"PhotometricInterpretation": "PALETTE COLOR", "RedPaletteColorLookupTableDescriptor": [0, 0, 16]},
        {"Rows": 65535, "Columns": 65535},
        {"Rows": 0},
        {"PixelData": None},
        {"HighBit": 77},
        {"SamplesPerPixel": 4},
        {"VOILUTSequence": [Dataset()]},
    ],
)
async def test_images_that_cannot_be_rendered(archive: Archive, attributes: dict[str, Any]) -> None:
    (one,) = await archive.add(make_instance(**attributes))
    for name in ("rendered", "thumbnail"):
        response = await archive.get(f"{one.path}/{name}")
        icon = name == "thumbnail" and response.status_code == 200
        assert icon or (400 <= response.status_code < 500 and response.json()["detail"])


async def test_all_real_images_are_rendered_or_refused(archive: Archive) -> None:
    for path in REAL_FILES[::4]:
        data = path.read_bytes()
        if (await archive.post(data, content_type="application/dicom")).status_code not in (200, 202):
            continue
        with tolerant_pydicom():
            dataset = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True, force=True)
        one = (
            f"/studies/{dataset.StudyInstanceUID}/series/{dataset.SeriesInstanceUID}/instances/{dataset.SOPInstanceUID}"
        )
        assert (await archive.get(one + "/rendered?viewport=32,32")).status_code in (200, 400, 406), path.name
