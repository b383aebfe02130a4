"""Contents in data URIs: images of every mode, documents, and what is neither."""

from base64 import b64decode, b64encode
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dicomweb_server.dicom import content
from dicomweb_server.dicom.content import content_of
from dicomweb_server.errors import Reason, ServerError


def uri(data: bytes, media_type: str) -> str:
    return f"data:{media_type};base64,{b64encode(data).decode()}"


def picture(mode: str, form: str = "PNG", size: tuple[int, int] = (3, 2)) -> str:
    pixels = np.arange(size[0] * size[1] * 4, dtype=np.uint8).reshape(size[1], size[0], 4)
    image = Image.fromarray(pixels, "RGBA").convert("RGB").convert(mode) if mode != "I;16" else _deep(size)
    stream = BytesIO()
    image.save(stream, form)
    return uri(stream.getvalue(), f"image/{form.lower()}")


def _deep(size: tuple[int, int]) -> Image.Image:
    return Image.fromarray((np.arange(size[0] * size[1]) * 1000).astype(np.uint16).reshape(size[1], size[0]))


@pytest.mark.parametrize(
    ("mode", "samples", "bits", "photometric"),
    [
        ("L", 1, 8, "MONOCHROME2"),
        ("1", 1, 8, "MONOCHROME2"),
        ("LA", 1, 8, "MONOCHROME2"),
        ("I;16", 1, 16, "MONOCHROME2"),
        ("RGB", 3, 8, "RGB"),
        ("RGBA", 3, 8, "RGB"),
        ("P", 3, 8, "RGB"),
    ],
)
def test_png(mode: str, samples: int, bits: int, photometric: str) -> None:
    made = content_of(picture(mode), encapsulate=False)
    values = {tag: attribute["Value"][0] for tag, attribute in made.attributes.items() if "Value" in attribute}
    assert (values["00280002"], values["00280100"], values["00280004"]) == (samples, bits, photometric)
    assert (values["00280010"], values["00280011"]) == (2, 3)
    assert len(made.bulk["content"][0].data) == 6 * samples * bits // 8
    if mode == "I;16":
        assert list(np.frombuffer(made.bulk["content"][0].data, "<u2")) == [0, 1000, 2000, 3000, 4000, 5000]


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpeg(mode: str) -> None:
    made = content_of(picture(mode, "JPEG"), encapsulate=False)
    assert made.attributes["00282110"]["Value"] == ["01"]
    assert made.bulk["content"][0].media_type == "application/octet-stream"
    kept = content_of(picture(mode, "JPEG"), encapsulate=True)
    assert kept.bulk["content"][0].media_type == "image/jpeg"


@pytest.mark.parametrize("media_type", ["application/pdf", "model/stl", "model/obj", "model/mtl", "text/xml"])
def test_documents(media_type: str) -> None:
    data = b"%PDF-1.4 and so on"
    made = content_of(uri(data, media_type), encapsulate=False)
    assert made.bulk["content"][0].data == data
    assert made.attributes["00080016"]["Value"][0].startswith("1.2.840.10008.5.1.4.1.1.104.")


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "nothing",
        "data:image/png;base64,%%%",
        "data:image/png;base64,ä",
        "data:image/png,abc",
        "data:text/plain;base64,AAAA",
        uri(b"", "image/png"),
        uri(b"\x89PNG\r\n\x1a\n", "image/png"),
        uri(b"GIF89a", "image/png"),
        uri(b"no pdf", "application/pdf"),
        picture("L").replace("image/png", "image/jpeg"),
        picture("RGB", size=(60, 60))[:160],
    ],
)
def test_what_is_nothing_known(wrong: str) -> None:
    with pytest.raises(ServerError) as caught:
        content_of(wrong, encapsulate=False)
    assert caught.value.reason is Reason.BAD_REQUEST
    assert caught.value.detail.startswith("Content: ")


def test_pixels_are_counted_before_they_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "_MOST_PIXELS", 5)
    with pytest.raises(ServerError) as caught:
        content_of(picture("L"), encapsulate=False)
    assert caught.value.reason is Reason.TOO_LARGE


@given(st.binary(max_size=200), st.sampled_from(["image/png", "image/jpeg"]), st.booleans())
def test_damaged_images_are_refused_or_decoded(noise: bytes, media_type: str, encapsulate: bool) -> None:
    form = "PNG" if media_type == "image/png" else "JPEG"
    begin = picture("RGB", form, (4, 4)).partition(",")[2]
    for data in (noise, b64decode(begin)[: len(noise)] + noise):
        try:
            made = content_of(uri(data, media_type), encapsulate=encapsulate)
        except ServerError:
            continue
        assert made.bulk
