"""PS3.18 §10.4.1.1.3, §10.4.1.1.5, §8.3.5, §8.7.4: rendered resources and thumbnails."""

import io
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from conformance.archive import FRAME_COUNT, Archive
from conformance.multipart import decode
from conformance.requirement import requires
from conformance.samples import Sample, add_pixels, make, sample
from conformance.service import Service, is_problem

GRADIENT = np.arange(256, dtype="<u2").reshape(16, 16)


def picture(response: httpx.Response) -> Image.Image:
    assert response.status_code == 200, f"{response.status_code}: {response.text[:300]}"
    return Image.open(io.BytesIO(response.content))


def gray(response: httpx.Response) -> Any:
    return np.asarray(picture(response).convert("L"), dtype=int)


def stored(service: Service, data: bytes = GRADIENT.tobytes(), **attributes: Any) -> Sample:
    """A stored image of 16 x 16 pixels of 16 bits that count upwards, unless said otherwise."""
    known: dict[str, Any] = {"BitsAllocated": 16}
    one = sample(add_pixels(make(), data, 16, 16, **known | attributes))
    assert service.store(one.data).status_code == 200
    return one


def rendered(service: Service, one: Sample, **query: str) -> Any:
    return gray(service.get(one.path + "/rendered", accept="image/png", query=query))


@requires("PS3.18 §8.7.4")
@pytest.mark.parametrize("accept", [None, "*/*", "image/*", "image/jpeg"])
def test_an_image_is_rendered_as_jpeg_by_default(service: Service, archive: Archive, accept: str | None) -> None:
    for path in (archive.ct[0].path, archive.ct[0].path + "/frames/1", archive.odd.path + "/frames/2"):
        response = service.get(path + "/rendered", accept=accept)
        assert response.headers["content-type"] == "image/jpeg"
        assert picture(response).format == "JPEG"


@requires("PS3.18 §8.7.4")
@pytest.mark.parametrize("media_type", ["image/gif", "image/png"])
def test_a_frame_is_rendered_as_what_is_asked_for(service: Service, archive: Archive, media_type: str) -> None:
    response = service.get(archive.odd.path + "/frames/1/rendered", accept=media_type)
    assert response.headers["content-type"] == media_type
    assert Image.MIME[str(picture(response).format)] == media_type


@requires("PS3.18 §8.7.4", "O")
def test_a_multi_frame_image_is_an_animation_if_that_is_asked_for(service: Service, archive: Archive) -> None:
    animation: Any = picture(service.get(archive.odd.path + "/rendered", accept="image/gif"))
    assert animation.n_frames == FRAME_COUNT


@requires("PS3.18 §10.4.1.1.3", "O")
def test_several_frames_come_as_parts(service: Service, archive: Archive) -> None:
    accept = 'multipart/related; type="image/png"'
    parts = decode(service.get(archive.odd.path + "/frames/1,3/rendered", accept=accept))
    assert [part.content_type for part in parts] == ["image/png", "image/png"]


@requires("PS3.18 §10.4.1.1.3", "O")
def test_a_study_and_a_series_are_represented(service: Service, archive: Archive) -> None:
    for path in (archive.ct[0].study_path, archive.ct[0].series_path):
        assert picture(service.get(path + "/rendered", accept="image/jpeg")).format == "JPEG"


@requires("PS3.18 §8.7.4")
def test_what_is_no_image_is_text_or_a_document_or_refused(service: Service, archive: Archive) -> None:
    report = service.get(archive.report.path + "/rendered")
    assert report.status_code == 406 or report.headers["content-type"].startswith("text/html")
    document = service.get(archive.pdf.path + "/rendered")
    assert document.status_code == 406 or document.headers["content-type"] == "application/pdf"
    for one in (archive.report, archive.pdf):
        response = service.get(one.path + "/rendered", accept="image/jpeg")
        # "The origin server may support additional Rendered Media Types."
        assert is_problem(response) if response.status_code == 406 else picture(response).format == "JPEG"


@requires("PS3.18 §8.3.5.1.2")
def test_quality_makes_jpeg_smaller_and_leaves_png_alone(service: Service, archive: Archive) -> None:
    def size(accept: str, quality: str) -> int:
        return len(service.get(archive.colour.path + "/rendered", accept=accept, query={"quality": quality}).content)

    assert size("image/jpeg", "10") < size("image/jpeg", "100")
    assert size("image/png", "10") == size("image/png", "100")


@requires("PS3.18 §8.3.5.1.3")
@pytest.mark.parametrize(("size", "expected"), [("40,100", (40, 20)), ("100,40", (80, 40)), ("3,3", (3, 2))])
def test_a_viewport_is_met_at_one_side(service: Service, size: str, expected: tuple[int, int]) -> None:
    one = sample(add_pixels(make(), bytes(8 * 16), 8, 16))
    service.store(one.data)
    assert picture(service.get(one.path + "/rendered", query={"viewport": size})).size == expected


@requires("PS3.18 §8.3.5.1.3")
def test_a_region_is_shown_alone_and_negative_sizes_flip(service: Service) -> None:
    one = stored(service)
    whole = rendered(service, one)
    assert (rendered(service, one, viewport="4,4,4,8,4,4") == whole[8:12, 4:8]).all()
    assert (rendered(service, one, viewport="16,16,0,0,-16,16") == whole[:, ::-1]).all()
    assert (rendered(service, one, viewport="16,16,0,0,16,-16") == whole[::-1]).all()


@requires("PS3.18 §8.3.5")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("viewport", "0,1"), ("viewport", "1"), ("viewport", "-1,1"), ("viewport", "a,b"),
        ("viewport", "4,4,9,9,99,99"),
        ("window", "1"), ("window", "1,2,unknown"), ("window", "1,0,linear"), ("window", "a,b,linear"),
        ("quality", "0"), ("quality", "101"), ("quality", "x"), ("annotation", "nothing"), ("iccprofile", "x"),
    ],
)  # fmt: skip
def test_parameters_that_cannot_be_obeyed_answer_400(service: Service, archive: Archive, name: str, value: str) -> None:
    response = service.get(archive.ct[0].path + "/rendered", query={name: value})
    assert response.status_code == 400
    assert is_problem(response)


@requires("PS3.18 §8.3.5.1.3", "B")
@pytest.mark.parametrize("size", ["1000000000,1", "16384,16384", "99999,99999"])
def test_enormous_viewports_are_refused(service: Service, archive: Archive, size: str) -> None:
    assert service.get(archive.ct[0].path + "/rendered", query={"viewport": size}).status_code == 400


@requires("PS3.18 §8.3.5.1.4")
@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ("100,50,linear", np.clip((GRADIENT - 99.5) / 49 + 0.5, 0, 1)),
        ("100,50,linear-exact", np.clip((GRADIENT - 100.0) / 50 + 0.5, 0, 1)),
        ("100,50,sigmoid", 1 / (1 + np.exp(-4 * (GRADIENT - 100.0) / 50))),
    ],
)
def test_the_window_that_is_asked_for(service: Service, window: str, expected: Any) -> None:
    assert np.abs(rendered(service, stored(service), window=window) - 255 * expected).max() <= 1


@requires("PS3.3 §C.11.2")
def test_the_first_stored_window_is_used(service: Service) -> None:
    one = stored(service, WindowCenter=[100, 1], WindowWidth=[50, 2])
    assert np.abs(rendered(service, one) - 255 * np.clip((GRADIENT - 99.5) / 49 + 0.5, 0, 1)).max() <= 1


@requires("PS3.3 §C.11.1")
def test_the_modality_transformation_comes_before_the_window(service: Service) -> None:
    one = stored(service, RescaleSlope=2, RescaleIntercept=-100, WindowCenter=100, WindowWidth=50)
    values = GRADIENT.astype(float) * 2 - 100
    assert np.abs(rendered(service, one) - 255 * np.clip((values - 99.5) / 49 + 0.5, 0, 1)).max() <= 1


@requires("PS3.3 §C.7.6.3.1.2")
def test_monochrome1_is_shown_inverted(service: Service) -> None:
    one = stored(service, PhotometricInterpretation="MONOCHROME1")
    assert np.abs(rendered(service, one) - (255 - GRADIENT)).max() <= 1


@requires("PS3.3 §C.7.6.3.1.5")
def test_palettes_give_their_colours(service: Service) -> None:
    ramp = np.arange(256, dtype="<u2")
    tables: dict[str, Any] = {}
    for colour, values in (("Red", ramp), ("Green", ramp[::-1]), ("Blue", ramp * 0 + 7)):
        tables[f"{colour}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        tables[f"{colour}PaletteColorLookupTableData"] = (values * 256).astype("<u2").tobytes()
    data = GRADIENT.astype(np.uint8).tobytes()
    one = stored(service, data, BitsAllocated=8, PhotometricInterpretation="PALETTE COLOR", **tables)
    shown = np.asarray(picture(service.get(one.path + "/rendered", accept="image/png")).convert("RGB"), dtype=int)
    assert np.abs(shown - np.stack([GRADIENT, 255 - GRADIENT, GRADIENT * 0 + 7], axis=-1).astype(int)).max() <= 1


@requires("PS3.3 §C.7.6.3.1.2")
@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize(
    ("photometric", "samples", "expected"),
    [("RGB", (10, 200, 30), (10, 200, 30)), ("YBR_FULL", (76, 85, 255), (254, 0, 0))],
)
def test_colours_of_every_layout(
    service: Service, planar: int, photometric: str, samples: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    data = b"".join(bytes([value]) * 256 for value in samples) if planar else bytes(samples) * 256
    one = stored(
        service, data, BitsAllocated=8, SamplesPerPixel=3, PhotometricInterpretation=photometric,
        PlanarConfiguration=planar,
    )  # fmt: skip
    shown = np.asarray(picture(service.get(one.path + "/rendered", accept="image/png")), dtype=int)
    assert np.abs(shown - np.array(expected)).max() <= 1


@requires("PS3.18 §8.3.5.1.5", "O")
@pytest.mark.parametrize(("value", "embedded"), [("no", False), ("yes", True), ("srgb", True), ("adobergb", True)])
def test_an_icc_profile_is_embedded_as_asked_for(
    service: Service, archive: Archive, value: str, embedded: bool
) -> None:
    shown = picture(service.get(archive.colour.path + "/rendered", query={"iccprofile": value}))
    assert ("icc_profile" in shown.info) is embedded


@requires("PS3.18 §8.3.5.1.1")
def test_nothing_is_written_into_an_image_unasked(service: Service) -> None:
    one = stored(service, bytes(512), WindowCenter=100, WindowWidth=50)
    assert rendered(service, one, viewport="256,256").max() == 0
    assert rendered(service, one, viewport="256,256", annotation="patient").max() > 0


@requires("PS3.18 §10.4.1.1.5")
def test_a_thumbnail_is_one_small_jpeg(service: Service, archive: Archive) -> None:
    one = archive.ct[0]
    for path in (one.study_path, one.series_path, one.path, one.path + "/frames/1"):
        response = service.get(path + "/thumbnail")
        assert response.headers["content-type"] == "image/jpeg"
        assert max(picture(response).size) <= 512


@requires("PS3.18 §10.4.1.1.5")
def test_a_thumbnail_obeys_its_viewport(service: Service, archive: Archive) -> None:
    shown = picture(service.get(archive.odd.path + "/thumbnail", query={"viewport": "64,32"}))
    assert shown.size == (32, 32)


@requires("PS3.18 §10.4.1.1.3")
@pytest.mark.parametrize("name", ["rendered", "thumbnail"])
def test_what_is_not_there_answers_404(service: Service, archive: Archive, name: str) -> None:
    for path in ("/studies/1.2.3.4.5", archive.odd.path + "/frames/99", archive.ct[0].series_path + ".9"):
        assert service.get(f"{path}/{name}").status_code == 404


@requires("PS3.18 §10.4.1.1.3", "B")
@pytest.mark.parametrize(
    "attributes",
    [
        {"Rows": 65535, "Columns": 65535},
        {"PhotometricInterpretation": "PALETTE COLOR"},
        {"Rows": 0},
        {"SamplesPerPixel": 9},
        {"HighBit": 40},
    ],
)
def test_images_that_make_no_sense_answer_4xx(service: Service, attributes: dict[str, Any]) -> None:
    one = sample(add_pixels(make(), bytes(512), 16, 16, **attributes))
    service.store(one.data)
    response = service.get(one.path + "/rendered")
    assert 400 <= response.status_code < 500
    assert is_problem(response)
