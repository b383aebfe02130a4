"""encode_frame: decoded samples to a frame of a transfer syntax. Never loses anything where the syntax does not say so.

Runs in a process of its own, like decoding.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from dicomweb_server.dicom.arrays import imagecodecs, np
from dicomweb_server.dicom.pixels.description import PixelDescription, SampleKind
from dicomweb_server.dicom.pixels.jpeg_2000 import encode_high_throughput, encode_jpeg_2000
from dicomweb_server.dicom.pixels.jpeg_ls import encode_jpeg_ls
from dicomweb_server.dicom.pixels.native import Samples, native_bytes
from dicomweb_server.dicom.pixels.rle import encode_rle
from dicomweb_server.dicom.uids import TRANSFER_SYNTAXES, TransferSyntax
from dicomweb_server.errors import Reason, ServerError

_PREFIX = "1.2.840.10008.1.2."
LOSSLESS_QUALITY = 100


@dataclass(frozen=True, slots=True)
class Target:
    """A transfer syntax to encode in. `quality`, from 1 to 100, counts where it may lose something."""

    transfer_syntax_uid: str
    quality: int = 90


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """One frame, and how its samples are described now.

    `method`: Lossy Image Compression Method (PS3.3 §C.7.6.1.1.5.1), "" if nothing is lost.
    """

    data: bytes
    photometric_interpretation: str
    method: str = ""

    def pack(self) -> bytes:
        """All of it as bytes to be kept."""
        return b"\0".join((self.photometric_interpretation.encode("ascii"), self.method.encode("ascii"), self.data))

    @classmethod
    def unpack(cls, packed: bytes) -> EncodedFrame:
        """The frame that `pack` wrote."""
        color, method, data = packed.split(b"\0", 2)
        return cls(data, color.decode("ascii"), method.decode("ascii"))


Encoder = Callable[[Samples, PixelDescription, Target], EncodedFrame]


def can_encode(transfer_syntax_uid: str) -> bool:
    """Whether there is an encoder for a transfer syntax at all."""
    syntax = TRANSFER_SYNTAXES.get(transfer_syntax_uid)
    return syntax is not None and (
        transfer_syntax_uid in _ENCODERS or (not syntax.encapsulated and not _is_jpip(syntax))
    )


def may_lose(transfer_syntax_uid: str) -> bool:
    """Whether what is encoded in a transfer syntax may lose something."""
    return transfer_syntax_uid in _LOSSY


def _is_jpip(syntax: TransferSyntax) -> bool:
    """Without pixels of its own: they are at a URL."""
    return "JPIP" in syntax.name


def encode_frame(samples: Samples, description: PixelDescription, target: Target) -> EncodedFrame:
    """A frame of samples that a decoded description describes. ServerError(NOT_ACCEPTABLE) if there can be none."""
    encoder = _ENCODERS.get(target.transfer_syntax_uid)
    if encoder is None:
        syntax = TRANSFER_SYNTAXES.get(target.transfer_syntax_uid)
        if syntax is None or syntax.encapsulated:
            raise _impossible(target, "this server has no encoder for it")
        encoder = _native
    if description.kind is not SampleKind.INTEGER and encoder not in (_native, _frame_deflate):
        raise _impossible(target, "the pixels are floating point numbers")
    if description.bits_allocated == 1 and encoder not in (_native, _frame_deflate):
        raise _impossible(target, "the pixels are single bits")
    try:
        return encoder(np.ascontiguousarray(samples), description, target)
    except ServerError:
        raise
    except Exception as error:  # an edge: each library has errors of its own
        raise _impossible(target, f"the encoder refuses them ({type(error).__name__})") from error


def _impossible(target: Target, problem: str) -> ServerError:
    syntax = TRANSFER_SYNTAXES.get(target.transfer_syntax_uid)
    name = f"{target.transfer_syntax_uid} ({syntax.name})" if syntax else "an unknown transfer syntax"
    return ServerError(Reason.NOT_ACCEPTABLE, f"the pixels cannot be encoded in {name}: {problem}")


def _native(samples: Samples, description: PixelDescription, _target: Target) -> EncodedFrame:
    return EncodedFrame(native_bytes(samples, description), description.photometric_interpretation)


def _frame_deflate(samples: Samples, description: PixelDescription, _target: Target) -> EncodedFrame:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    data = compressor.compress(native_bytes(samples, description)) + compressor.flush()
    return EncodedFrame(data, description.photometric_interpretation)


def _rle(samples: Samples, description: PixelDescription, _target: Target) -> EncodedFrame:
    return EncodedFrame(encode_rle(samples), description.photometric_interpretation)


def _used_bits(samples: Samples, description: PixelDescription) -> int:
    """The precision of the stream: Bits Stored, or more where the values do not keep to it."""
    if not samples.size:
        return description.bits_stored
    low, high = int(samples.min()), int(samples.max())
    needed = max(high.bit_length(), (~low).bit_length() if low < 0 else 0) + (samples.dtype.kind == "i")
    return max(description.bits_stored, needed)


def _patterns(samples: Samples, bits: int) -> Samples:
    """Samples as the bits they are stored in, for codecs that know no sign; as bytes where those are enough."""
    if samples.dtype.kind == "i":
        samples = samples.view(samples.dtype.str.replace("i", "u"))
        samples = samples & samples.dtype.type((1 << bits) - 1)
    return samples.astype(np.uint8) if bits <= 8 else samples


def _jpeg_baseline(samples: Samples, description: PixelDescription, target: Target) -> EncodedFrame:
    if samples.dtype != np.uint8:
        raise _impossible(target, "it has samples of 8 bits without sign only")
    return _dct(samples, description, target)


def _jpeg_extended(samples: Samples, description: PixelDescription, target: Target) -> EncodedFrame:
    if samples.dtype == np.uint8:
        return _dct(samples, description, target)
    if samples.dtype != np.uint16 or _used_bits(samples, description) > 12 or description.samples != 1:
        raise _impossible(target, "it has gray samples of at most 12 bits without sign, or colors of 8 bits")
    data = imagecodecs.jpeg8_encode(samples, level=target.quality, bitspersample=12)
    return EncodedFrame(bytes(data), description.photometric_interpretation, "ISO_10918_1")


def _dct(samples: Samples, description: PixelDescription, target: Target) -> EncodedFrame:
    color = description.photometric_interpretation
    _check_no_palette(color, target)
    if description.samples == 1:
        data = imagecodecs.jpeg8_encode(samples, level=target.quality)
        return EncodedFrame(bytes(data), color, "ISO_10918_1")
    if description.samples != 3 or color not in ("RGB", "YBR_FULL"):
        raise _impossible(target, f"it does not have {description.samples} samples of {color}")
    space = "RGB" if color == "RGB" else "YCBCR"
    data = imagecodecs.jpeg8_encode(
        samples, level=target.quality, colorspace=space, outcolorspace="YCBCR", subsampling="422"
    )
    return EncodedFrame(bytes(data), "YBR_FULL_422", "ISO_10918_1")


def _check_no_palette(color: str, target: Target) -> None:
    if color.startswith("PALETTE"):
        raise _impossible(target, "places in a palette must not change, and it loses something")


def _jpeg_lossless(samples: Samples, description: PixelDescription, target: Target) -> EncodedFrame:
    bits = _used_bits(samples, description)
    patterns = _patterns(_at_most_16(samples, target), bits)
    space = "RGB" if description.samples == 3 else None
    data = imagecodecs.jpeg8_encode(
        patterns, lossless=True, predictor=1, bitspersample=max(bits, 2), colorspace=space, outcolorspace=space
    )
    return EncodedFrame(bytes(data), description.photometric_interpretation)


def _at_most_16(samples: Samples, target: Target) -> Samples:
    if samples.dtype.itemsize > 2:
        raise _impossible(target, f"it has samples of at most 16 bits, not {8 * samples.dtype.itemsize}")
    return samples


def _jpeg_ls(samples: Samples, description: PixelDescription, target: Target) -> EncodedFrame:
    bits = max(_used_bits(_at_most_16(samples, target), description), 2)
    return EncodedFrame(encode_jpeg_ls(_patterns(samples, bits), bits), description.photometric_interpretation)


def _near_lossless(samples: Samples, description: PixelDescription, target: Target) -> EncodedFrame:
    bits = max(_used_bits(_at_most_16(samples, target), description), 2)
    _check_no_palette(description.photometric_interpretation, target)
    # At quality 90 an error of 2 of 255; for each bit more it doubles, like the noise.
    error = min(round((LOSSLESS_QUALITY - target.quality) / 5 * 2.0 ** max(bits - 8, 0)), (1 << bits) // 2 - 1, 255)
    if description.is_signed and max(int(samples.max()), -int(samples.min()) - 1) + error >= 1 << bits - 1:
        raise _impossible(target, "samples at the end of their range might change their sign")
    method = "ISO_14495_1" if error else ""
    return EncodedFrame(
        encode_jpeg_ls(_patterns(samples, bits), bits, error), description.photometric_interpretation, method
    )


def _jpeg_2000_lossless(samples: Samples, description: PixelDescription, target: Target) -> EncodedFrame:
    bits = _used_bits(samples, description)
    mixed = _is_rgb(description)
    if bits > (16 if mixed else 24):
        raise _impossible(target, f"this server writes samples of at most 24 bits, colors of 16, not of {bits}")
    color = "YBR_RCT" if mixed else description.photometric_interpretation
    return EncodedFrame(encode_jpeg_2000(samples, bits, mix_components=mixed), color)


def _jpeg_2000(samples: Samples, description: PixelDescription, target: Target) -> EncodedFrame:
    if target.quality >= LOSSLESS_QUALITY:
        return _jpeg_2000_lossless(samples, description, target)
    bits = _used_bits(_at_most_16(samples, target), description)
    _check_no_palette(description.photometric_interpretation, target)
    mixed = _is_rgb(description)
    color = "YBR_ICT" if mixed else description.photometric_interpretation
    data = encode_jpeg_2000(samples, bits, mix_components=mixed, quality=target.quality)
    return EncodedFrame(data, color, "ISO_15444_1")


def _high_throughput(samples: Samples, description: PixelDescription, _target: Target) -> EncodedFrame:
    mixed = _is_rgb(description)
    color = "YBR_RCT" if mixed else description.photometric_interpretation
    return EncodedFrame(encode_high_throughput(samples, _used_bits(samples, description), mix_components=mixed), color)


def _is_rgb(description: PixelDescription) -> bool:
    return description.samples == 3 and description.photometric_interpretation == "RGB"


def _jpeg_xl_lossless(samples: Samples, description: PixelDescription, target: Target) -> EncodedFrame:
    bits = _used_bits(_at_most_16(samples, target), description)
    if description.is_signed:
        raise _impossible(target, "it has samples without sign only")
    data = imagecodecs.jpegxl_encode(
        _patterns(samples, bits), lossless=True, effort=3, bitspersample=bits, usecontainer=False, numthreads=1
    )
    return EncodedFrame(bytes(data), description.photometric_interpretation)


def _jpeg_xl(samples: Samples, description: PixelDescription, target: Target) -> EncodedFrame:
    if target.quality >= LOSSLESS_QUALITY:
        return _jpeg_xl_lossless(samples, description, target)
    bits = _used_bits(_at_most_16(samples, target), description)
    _check_no_palette(description.photometric_interpretation, target)
    if description.is_signed or not (_is_rgb(description) or description.samples == 1):
        raise _impossible(target, "it has gray or RGB samples without sign only")
    # The distance that libjxl itself gives for qualities of JPEG from 30 on.
    distance = 0.1 + (LOSSLESS_QUALITY - target.quality) * 0.09
    data = imagecodecs.jpegxl_encode(
        _patterns(samples, bits), distance=distance, effort=3, bitspersample=bits, usecontainer=False, numthreads=1
    )
    color = "XYB" if description.samples == 3 else description.photometric_interpretation
    return EncodedFrame(bytes(data), color, "ISO_18181_1")


def _jpeg_xl_of_jpeg(_samples: Samples, _description: PixelDescription, target: Target) -> EncodedFrame:
    raise _impossible(target, "it is made of JPEG Baseline only")  # by `recompress`


_ENCODERS: dict[str, Encoder] = {
    _PREFIX + "1.98": _native,
    _PREFIX + "4.50": _jpeg_baseline,
    _PREFIX + "4.51": _jpeg_extended,
    _PREFIX + "4.57": _jpeg_lossless,
    _PREFIX + "4.70": _jpeg_lossless,
    _PREFIX + "4.80": _jpeg_ls,
    _PREFIX + "4.81": _near_lossless,
    _PREFIX + "4.90": _jpeg_2000_lossless,
    _PREFIX + "4.91": _jpeg_2000,
    _PREFIX + "4.110": _jpeg_xl_lossless,
    _PREFIX + "4.111": _jpeg_xl_of_jpeg,
    _PREFIX + "4.112": _jpeg_xl,
    _PREFIX + "4.201": _high_throughput,
    _PREFIX + "4.202": _high_throughput,
    _PREFIX + "4.203": _high_throughput,
    _PREFIX + "5": _rle,
    _PREFIX + "8.1": _frame_deflate,
}


_LOSSY = frozenset(_PREFIX + last for last in ("4.50", "4.51", "4.81", "4.91", "4.112", "4.203"))


def stored_bits(description: PixelDescription, target: Target) -> int:
    """Bits Stored of what is encoded. PS3.5 §8.2.1: JPEG of 12 bits says 12; its codecs go beyond the ends of fewer."""
    wide = target.transfer_syntax_uid == _PREFIX + "4.51" and description.bits_allocated > 8
    return 12 if wide else description.bits_stored


def encoded_description(description: PixelDescription, frame: EncodedFrame, target: Target) -> PixelDescription:
    """How the frames are described when they are encoded: what `decode_frame` needs to read them again."""
    return replace(
        description,
        photometric_interpretation=frame.photometric_interpretation,
        transfer_syntax_uid=target.transfer_syntax_uid,
        bits_stored=stored_bits(description, target),
    )
