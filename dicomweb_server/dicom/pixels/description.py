"""PixelDescription: what the Image Pixel module says of the frames of an instance (PS3.3 §C.7.6.3)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from dicomweb_server.dicom.arrays import np
from dicomweb_server.dicom.header import Header
from dicomweb_server.dicom.uids import EXPLICIT_VR_LITTLE_ENDIAN
from dicomweb_server.errors import Reason, ServerError

MAX_FRAME_SIZE = 1 << 30  # bytes of one decoded frame

_UNPRINTABLE = re.compile(rb"[^ -~]")

_SAMPLES, _PHOTOMETRIC, _PLANAR, _FRAMES = 0x00280002, 0x00280004, 0x00280006, 0x00280008
_ROWS, _COLUMNS = 0x00280010, 0x00280011
_ALLOCATED, _STORED, _HIGH_BIT, _REPRESENTATION = 0x00280100, 0x00280101, 0x00280102, 0x00280103

# The transfer syntaxes whose codecs turn color into luminance and chrominance for themselves, and give back RGB.
_LOSSY_JPEG = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in (*range(50, 57), *range(59, 65)))
_LOSSY_JPEG_XL = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in (111, 112))
_CODEC_COLORS = frozenset({"YBR_ICT", "YBR_RCT", "XYB"})
# Subsampled, or with a range of its own: made full, or RGB, when decoded.
_DECODED_COLORS = {"YBR_FULL_422": "YBR_FULL", "YBR_PARTIAL_422": "RGB", "YBR_PARTIAL_420": "RGB"}


class SampleKind(Enum):
    """Which of the three elements holds the pixels (PS3.3 §C.7.6.24, §C.7.6.25)."""

    INTEGER = 0x7FE00010
    FLOAT = 0x7FE00008
    DOUBLE = 0x7FE00009


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelDescription:
    """How the samples of a frame are stored, and in which transfer syntax. `planar`: color by plane, not by pixel."""

    rows: int
    columns: int
    samples: int = 1
    bits_allocated: int = 8
    bits_stored: int = 8
    high_bit: int = 7
    is_signed: bool = False
    photometric_interpretation: str = "MONOCHROME2"
    planar: bool = False
    frames: int = 1
    transfer_syntax_uid: str = EXPLICIT_VR_LITTLE_ENDIAN
    kind: SampleKind = SampleKind.INTEGER

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of decoded samples."""
        kind = "f" if self.kind is not SampleKind.INTEGER else "i" if self.is_signed else "u"
        return np.dtype(f"<{kind}{self.sample_size}")

    @property
    def sample_size(self) -> int:
        """How many bytes a decoded sample has."""
        return next((size for size in (1, 2, 4) if self.bits_allocated <= 8 * size), 8)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a decoded frame: (rows, columns), and the samples if there are several."""
        return (self.rows, self.columns) if self.samples == 1 else (self.rows, self.columns, self.samples)

    @property
    def decoded_size(self) -> int:
        """How many bytes a decoded frame has."""
        return self.rows * self.columns * self.samples * self.sample_size

    @property
    def frame_bits(self) -> int:
        """How many bits a native frame has (YBR_FULL_422 aside)."""
        return self.rows * self.columns * self.samples * self.bits_allocated

    @property
    def is_subsampled(self) -> bool:
        """Two pixels share their chrominance (PS3.3 §C.7.6.3.1.2)."""
        return self.samples == 3 and self.photometric_interpretation.endswith("_422")

    def decoded(self) -> PixelDescription:
        """How `decode_frame` gives the frame: native, its bits right-aligned, its color by pixel."""
        return replace(
            self,
            high_bit=self.bits_stored - 1,
            photometric_interpretation=self._decoded_color(),
            planar=False,
            transfer_syntax_uid=EXPLICIT_VR_LITTLE_ENDIAN,
        )

    def _decoded_color(self) -> str:
        color = self.photometric_interpretation
        if self.samples != 3:
            return color
        if color in _CODEC_COLORS:
            return "RGB"
        if self.transfer_syntax_uid in _LOSSY_JPEG | _LOSSY_JPEG_XL and color.startswith("YBR_FULL"):
            return "RGB"
        return _DECODED_COLORS.get(color, color)


def describe_pixels(header: Header) -> PixelDescription:
    """The description of an instance; ServerError: NOT_FOUND without pixel data, NOT_ACCEPTABLE if it is impossible."""
    if header.pixel_data is None:
        raise ServerError(Reason.NOT_FOUND, "the instance has no pixel data")
    kind = SampleKind(header.pixel_data.tag)
    bits = {SampleKind.FLOAT: 32, SampleKind.DOUBLE: 64}.get(kind) or header.integer(_ALLOCATED) or 0
    stored = header.integer(_STORED) or bits
    high_bit = header.integer(_HIGH_BIT)
    raw_color = _UNPRINTABLE.sub(b"", header.layout.get(_PHOTOMETRIC, b"")).strip().decode("ascii")
    samples = header.integer(_SAMPLES) or 1
    described = PixelDescription(
        rows=header.integer(_ROWS) or 0,
        columns=header.integer(_COLUMNS) or 0,
        samples=samples,
        bits_allocated=bits,
        bits_stored=stored if stored <= bits else bits,
        high_bit=stored - 1 if high_bit is None else high_bit,
        is_signed=kind is not SampleKind.INTEGER or header.integer(_REPRESENTATION) == 1,
        photometric_interpretation=raw_color or ("RGB" if samples == 3 else "MONOCHROME2"),
        planar=samples > 1 and header.integer(_PLANAR) == 1,
        frames=max(header.integer(_FRAMES) or 1, 1),
        transfer_syntax_uid=header.transfer_syntax_uid,
        kind=kind,
    )
    _check(described)
    return described


def undecodable(problem: str) -> ServerError:
    """The pixels cannot be decoded, and why."""
    return ServerError(Reason.NOT_ACCEPTABLE, f"the pixels cannot be decoded: {problem}")


def _check(described: PixelDescription) -> None:
    if not described.rows or not described.columns:
        raise undecodable(f"the image has {described.rows} rows and {described.columns} columns")
    if not 1 <= described.bits_allocated <= 64 or described.samples > 4:
        layout = f"{described.samples} samples of {described.bits_allocated} bits"
        raise undecodable(f"a pixel has {layout}; expected at most 4 of at most 64")
    if not described.bits_stored - 1 <= described.high_bit < described.bits_allocated:
        raise undecodable(f"{described.bits_stored} bits are stored, the highest being bit {described.high_bit}")
    if described.decoded_size > MAX_FRAME_SIZE:
        size = described.decoded_size
        raise ServerError(Reason.TOO_LARGE, f"a decoded frame has {size} bytes, the limit is {MAX_FRAME_SIZE}")
