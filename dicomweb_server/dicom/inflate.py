"""Inflate: deflated data sets (PS3.5 §A.5) into memory, bounded, because a few bytes can claim gigabytes."""

import zlib

from dicomweb_server.dicom.encoding import Buffer
from dicomweb_server.errors import Reason, ServerError

MAX_INFLATED = 1 << 30
# Deflate reaches about 1000 : 1 on zeros, and honest masks do; beyond this size only a bomb still does.
FREE_SIZE = 1 << 26
MAX_RATIO = 100
_STEP = 1 << 20


def inflate(buffer: Buffer, start: int) -> bytes:
    """The data set that is deflated from `start` on; ServerError if it is damaged or larger than it may become."""
    compressed = len(buffer) - start
    allowed = min(MAX_INFLATED, max(FREE_SIZE, MAX_RATIO * compressed))
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    pieces = []
    size = 0
    position = start
    try:
        while not stream.eof:
            if stream.unconsumed_tail:
                piece = stream.decompress(stream.unconsumed_tail, _STEP)
            elif position < len(buffer):
                piece = stream.decompress(buffer[position : position + _STEP], _STEP)
                position += _STEP
            else:
                raise ServerError(Reason.CANNOT_UNDERSTAND, "the deflated data set ends too early")
            size += len(piece)
            if size > allowed:
                problem = f"the deflated data set of {compressed} bytes grows beyond {allowed} bytes"
                raise ServerError(Reason.TOO_LARGE, problem)
            pieces.append(piece)
    except zlib.error as error:
        raise ServerError(Reason.CANNOT_UNDERSTAND, "the deflated data set is damaged") from error
    return b"".join(pieces)
