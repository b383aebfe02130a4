"""Images, arrays and frames of the REST interface."""

import gzip
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dicomweb_server.dicom.orthanc_id import orthanc_id
from tests.app.dicomweb_harness import instance
from tests.app.rest_harness import Rest, open_rest
from tests.builders import make_dataset, make_instance, make_rle, write_part10


@pytest.fixture
async def rest(tmp_path: Path) -> AsyncIterator[Rest]:
    async with open_rest(tmp_path) as opened:
        yield opened


async def add(rest: Rest, data: bytes) -> str:
    """Store a file; its path."""
    await rest.store_by_dicomweb(data)
    one = instance(data)
    return "/instances/" + orthanc_id("P1", one.study, one.series, one.uid)


async def pixels(rest: Rest, path: str, **headers: str) -> Any:
    response = await rest.get(path, **headers)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "image/png"
    return np.asarray(Image.open(io.BytesIO(response.content)), dtype=int)


async def array(rest: Rest, path: str) -> Any:
    response = await rest.get(path)
    assert response.headers["content-type"] == "application/octet-stream"
    return np.load(io.BytesIO(response.content))


SIGNED = np.array([-300, -1, 0, 255, 256, 32767, -32768, 40], dtype="<i2").reshape(2, 4)


async def test_values_are_stretched_or_clamped(rest: Rest) -> None:
    data = make_instance(
        rows=2, columns=4, PixelRepresentation=1, PixelData=SIGNED.tobytes(), WindowCenter=1, WindowWidth=2
    )
    path = await add(rest, data)
    for below in ("", "/frames/0"):
        assert (await pixels(rest, f"{path}{below}/image-uint8") == np.clip(SIGNED, 0, 255)).all()
        assert (await pixels(rest, f"{path}{below}/image-uint16") == np.clip(SIGNED.astype(int), 0, 65535)).all()
        assert (await pixels(rest, f"{path}{below}/image-int16") == SIGNED.view("<u2")).all()
        stretched = (SIGNED.astype(float) + 32768) / 65535 * 255
        assert np.abs(await pixels(rest, f"{path}{below}/preview") - stretched).max() <= 0.51


async def test_rendered_with_window_and_size(rest: Rest) -> None:
    path = await add(rest, make_instance(WindowCenter=32, WindowWidth=65, PixelAspectRatio=[2, 1]))
    plain = await pixels(rest, path + "/rendered")
    assert plain.shape == (8, 8)
    assert np.abs(plain - (np.arange(64).reshape(8, 8) + 0.5) / 64 * 255).max() <= 1
    assert (await pixels(rest, path + "/rendered?window-center=200&window-width=10")).max() == 0
    assert (await pixels(rest, path + "/rendered?window-center=200")).max() < 255
    assert (await pixels(rest, path + "/rendered?width=4&height=100")).shape == (4, 4)
    assert (await pixels(rest, path + "/rendered?width=0&height=16&smooth=1")).shape == (16, 16)


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("*/*", "image/png"),
        ("image/jpeg", "image/jpeg"),
        ("image/x-portable-arbitrarymap", "image/x-portable-arbitrarymap"),
    ],
)
async def test_the_format_is_negotiated(rest: Rest, accept: str, media_type: str) -> None:
    path = await add(rest, make_instance())
    for name in ("preview", "rendered?quality=50", "image-uint8"):
        response = await rest.get(f"{path}/{name}", accept=accept)
        assert response.headers["content-type"] == media_type
    assert (await rest.get(path + "/preview", accept="image/tiff")).status_code == 406


async def test_arrays(rest: Rest) -> None:
    data = make_instance(frames=2, RescaleSlope=2, RescaleIntercept=-10)
    path = await add(rest, data)
    stored = np.arange(128, dtype=np.uint16).reshape(2, 8, 8, 1)
    rescaled = await array(rest, path + "/numpy")
    assert rescaled.dtype == np.float32
    assert (rescaled == stored * 2.0 - 10).all()
    raw = await array(rest, path + "/numpy?rescale=0")
    assert raw.dtype == np.uint16
    assert (raw == stored).all()
    assert (await array(rest, path + "/frames/1/numpy?rescale=false") == stored[1]).all()
    assert ((await array(rest, path + "/numpy?compress=1"))["arr_0"] == rescaled).all()


async def test_an_array_of_a_series(rest: Rest) -> None:
    kept: dict[str, Any] = {"StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.2.3"}
    await rest.store_by_dicomweb(*(make_instance(InstanceNumber=n, RescaleIntercept=n, **kept) for n in (2, 1)))
    series = "/series/" + orthanc_id("P1", "1.2", "1.2.3")
    found = await array(rest, series + "/numpy")
    assert found.shape == (2, 8, 8, 1)
    assert found[:, 0, 0, 0].tolist() == [1, 2]
    await rest.store_by_dicomweb(make_instance(rows=4, **kept))
    assert (await rest.get(series + "/numpy")).status_code == 400


async def test_colour(rest: Rest) -> None:
    path = await add(rest, make_instance(rows=2, columns=2, bits_allocated=8, samples_per_pixel=3))
    assert (await array(rest, path + "/numpy")).tolist() == np.arange(12).reshape(1, 2, 2, 3).tolist()
    assert (await pixels(rest, path + "/preview")).tolist() == np.arange(12).reshape(2, 2, 3).tolist()
    assert (await rest.get(path + "/image-uint8")).status_code == 415
    assert (await rest.get(path + "/matlab")).text == (
        "double(permute(reshape([ 0 1 2 3 4 5 6 7 8 9 10 11 ], [ 3 2 2 ]), [ 3 2 1 ]))"
    )


async def test_matlab(rest: Rest) -> None:
    path = await add(rest, make_instance(rows=2, columns=3, RescaleIntercept=5))
    response = await rest.get(path + "/matlab")
    assert (response.headers["content-type"], response.text) == ("text/plain", "double([ 0 1 2 ; 3 4 5 ])")


async def test_frames(rest: Rest) -> None:
    data = make_instance(frames=3, bits_allocated=8)
    path = await add(rest, data)
    assert await rest.json(path + "/frames") == [0, 1, 2]
    assert "raw.gz" in await rest.json(path + "/frames/1")
    raw = await rest.get(path + "/frames/1/raw")
    assert (raw.headers["content-type"], raw.content) == ("application/octet-stream", bytes(range(64, 128)))
    assert (await rest.get(path + "/frames/1/raw", range="bytes=1-2")).content == bytes((65, 66))
    packed = await rest.get(path + "/frames/1/raw.gz")
    assert packed.headers["content-type"] == "application/gzip"
    assert gzip.decompress(packed.content) == raw.content
    for name in ("raw", "raw.gz", "preview", "numpy", "matlab", "rendered"):
        assert (await rest.get(f"{path}/frames/3/{name}")).status_code == 404
        assert (await rest.get(f"{path}/frames/x/{name}")).status_code == 400


async def test_compressed_frames(rest: Rest) -> None:
    path = await add(rest, make_rle())
    assert (await rest.get(path + "/frames/0/raw")).headers["content-type"] == "image/dicom-rle"
    assert (await pixels(rest, path + "/image-uint8") == np.arange(64).reshape(8, 8)).all()


async def test_what_has_no_image(rest: Rest) -> None:
    path = await add(rest, write_part10(make_dataset()))
    assert (await rest.get(path + "/preview")).status_code == 415
    icon = await rest.get(path + "/preview?returnUnsupportedImage")
    assert (icon.status_code, icon.headers["content-type"]) == (200, "image/png")
    assert await rest.json(path + "/frames") == []
    assert (await rest.get(path + "/pdf")).status_code == 404
    assert (await rest.get("/instances/nothing/preview")).status_code == 404


@pytest.mark.parametrize(
    "query", ["quality=0", "quality=101", "quality=x", "width=-1", "width=99999", "window-center=x", "window-width=0"]
)
async def test_arguments_that_make_no_sense(rest: Rest, query: str) -> None:
    path = await add(rest, make_instance())
    assert (await rest.get(f"{path}/rendered?{query}")).status_code == 400


async def test_the_embedded_document(rest: Rest) -> None:
    dataset = make_dataset(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.104.1", MIMETypeOfEncapsulatedDocument="application/pdf"
    )
    dataset.EncapsulatedDocument = b"%PDF-1.7"
    path = await add(rest, write_part10(dataset))
    response = await rest.get(path + "/pdf")
    assert (response.headers["content-type"], response.content) == ("application/pdf", b"%PDF-1.7")
    assert response.headers["content-disposition"].startswith("attachment")
