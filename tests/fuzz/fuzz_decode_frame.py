"""Whatever the bytes of a frame: they become the samples that the data set describes, or are refused.

The first byte of the input chooses the transfer syntax and the description.
"""

from dataclasses import replace

from dicomweb_server.dicom.pixels.decode import decode_frame
from dicomweb_server.dicom.pixels.description import PixelDescription
from dicomweb_server.dicom.pixels.encode import Target, encode_frame, encoded_description
from dicomweb_server.errors import ServerError
from tests.images import described, image

_SYNTAXES = tuple(
    f"1.2.840.10008.1.2.{last}"
    for last in ("1", "1.98", "4.50", "4.51", "4.57", "4.70", "4.80", "4.81", "4.90", "4.91", "4.110", "4.112", "4.201",
                 "4.202", "5", "8.1")
)  # fmt: skip
_IMAGES = (described(8), described(12), described(8, samples=3), described(16, signed=True), described(32, rows=8))


def _cases() -> list[tuple[PixelDescription, bytes]]:
    cases = []
    for uid in _SYNTAXES:
        for description in _IMAGES:
            try:
                frame = encode_frame(image(description), description, Target(uid))
            except ServerError:
                continue
            cases.append((encoded_description(description, frame, Target(uid)), frame.data))
    native = replace(_IMAGES[2], photometric_interpretation="YBR_FULL_422")
    cases.append((native, bytes(native.decoded_size * 2 // 3)))
    cases.append((replace(_IMAGES[2], planar=True), bytes(native.decoded_size)))
    cases.append((described(12, allocated=12), bytes(native.decoded_size)))
    cases.append((described(1, allocated=1), bytes(native.decoded_size)))
    return cases


_CASES = _cases()


def fuzz(data: bytes) -> None:
    """Decode."""
    if not data:
        return
    description, _ = _CASES[data[0] % len(_CASES)]
    try:
        samples = decode_frame(data[1:], description)
    except ServerError:
        return
    assert (samples.shape, samples.dtype) == (description.shape, description.dtype)


def seeds() -> list[bytes]:
    """A frame of each transfer syntax and each description that it takes."""
    return [bytes([number]) + data for number, (_, data) in enumerate(_CASES)]
