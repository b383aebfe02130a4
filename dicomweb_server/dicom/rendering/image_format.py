"""ImageFormat: the media types that images are rendered to, and their encoders (PS3.18 §8.7.4)."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dicomweb_server.dicom.arrays import Image, imagecodecs, np

JPEG, PNG, GIF, WEBP, AVIF, JPEG_2000 = "image/jpeg", "image/png", "image/gif", "image/webp", "image/avif", "image/jp2"
PAM = "image/x-portable-arbitrarymap"

# The default first.
IMAGE_TYPES = (JPEG, PNG, GIF, WEBP, AVIF, JPEG_2000)
ANIMATED_TYPES = frozenset({GIF, WEBP, AVIF})


@dataclass(frozen=True, slots=True)
class Encoded:
    """A file of a media type."""

    media_type: str
    data: bytes


_NAMES: Mapping[str, str] = {
    JPEG: "JPEG",
    PNG: "PNG",
    GIF: "GIF",
    WEBP: "WEBP",
    AVIF: "AVIF",
    JPEG_2000: "JPEG2000",
}
# From here on JPEG keeps all of the colour, which text and edges in red and blue need.
_FINE_QUALITY = 90


def encoded(image: Image.Image, media_type: str, *, quality: int = 90, profile: bytes = b"") -> Encoded:
    """One image, gray of 8 or 16 bits or RGB, as a file."""
    if media_type == PAM:
        return Encoded(PAM, portable_arbitrary_map(image))
    if image.mode == "I;16" and media_type not in (PNG, JPEG_2000):
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    if media_type == JPEG and image.mode == "L" and not profile:  # the same bytes, without the detour through a file
        return Encoded(JPEG, bytes(imagecodecs.jpeg8_encode(np.asarray(image), level=quality)))
    buffer = io.BytesIO()
    image.save(buffer, _NAMES[media_type], **_settings(image, media_type, quality, profile))
    return Encoded(media_type, buffer.getvalue())


def animated(images: Sequence[Image.Image], media_type: str, milliseconds: float, *, quality: int = 90) -> Encoded:
    """Several images, one after the other, for ever."""
    buffer = io.BytesIO()
    settings = _settings(images[0], media_type, quality, b"")
    duration = max(20, round(milliseconds))
    images[0].save(
        buffer,
        _NAMES[media_type],
        save_all=True,
        append_images=list(images[1:]),
        duration=duration,
        loop=0,
        **settings,
    )
    return Encoded(media_type, buffer.getvalue())


def portable_arbitrary_map(image: Image.Image) -> bytes:
    """PAM, as the tools around Netpbm read it; 16 bits are big endian."""
    depth = 3 if image.mode == "RGB" else 1
    highest = 65535 if image.mode == "I;16" else 255
    data = image.tobytes("raw", "I;16B") if highest > 255 else image.tobytes()
    kind = "RGB" if depth == 3 else "GRAYSCALE"
    head = f"P7\nWIDTH {image.width}\nHEIGHT {image.height}\nDEPTH {depth}\nMAXVAL {highest}\nTUPLTYPE {kind}\nENDHDR\n"
    return head.encode("ascii") + data


def _settings(image: Image.Image, media_type: str, quality: int, profile: bytes) -> dict[str, object]:
    settings: dict[str, object] = {}
    if profile and media_type in (JPEG, PNG, WEBP, AVIF):
        settings["icc_profile"] = profile
    if media_type == JPEG:
        settings |= {"quality": quality, "subsampling": 0 if quality >= _FINE_QUALITY else 2}
        if image.mode == "L":
            del settings["subsampling"]
    elif media_type == PNG:
        settings["compress_level"] = 1
    elif media_type == WEBP:
        settings |= {"quality": quality, "method": 2}
    elif media_type == AVIF:
        settings |= {"quality": quality, "speed": 8, "max_threads": 1}
    elif media_type == JPEG_2000:
        settings |= _jpeg_2000_settings(image, quality)
    return settings


def _jpeg_2000_settings(image: Image.Image, quality: int) -> dict[str, object]:
    resolutions = max(1, min(6, min(image.size).bit_length() - 1))
    common: dict[str, object] = {"num_resolutions": resolutions, "no_jp2": False}
    if quality >= 100:
        return common | {"irreversible": False}
    # Signal to noise in dB: 30 to 50.
    return common | {"irreversible": True, "quality_mode": "dB", "quality_layers": [30 + quality / 5]}
