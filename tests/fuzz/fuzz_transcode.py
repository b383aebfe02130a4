"""Whatever the bytes: an instance comes in another transfer syntax, with losses too, or there is a reason."""

from functools import lru_cache
from typing import Any

from dicomweb_server.dicom.header import read_header
from dicomweb_server.dicom.pixels.description import describe_pixels
from dicomweb_server.dicom.pixels.encode import Target
from dicomweb_server.dicom.pixels.lossy import with_instance_uid
from dicomweb_server.dicom.pixels.transcode import transcode
from dicomweb_server.errors import ServerError
from tests.builders import NATIVE, make_instance
from tests.unit.dicom.pixels.test_lossy import ORIGINAL, group

_LARGEST = 1 << 20  # bytes of a frame: larger ones are a matter of limits, not of parsing
_LOSSY, _LOSSLESS = Target("1.2.840.10008.1.2.4.91", 50), Target("1.2.840.10008.1.2.5")


def fuzz(data: bytes) -> None:
    """Transcode, and take the result as what it says it is."""
    try:
        if describe_pixels(read_header(data)).decoded_size > _LARGEST:
            return
        for target in (_LOSSY, _LOSSLESS):
            made = transcode(data, target)
            assert read_header(made).transfer_syntax_uid == target.transfer_syntax_uid
            describe_pixels(read_header(with_instance_uid(made, "1.2.3")))
    except ServerError:
        return


@lru_cache(maxsize=1)
def seeds() -> list[bytes]:
    """Enhanced images in every native encoding, and compressed."""
    groups: dict[str, Any] = {
        "SharedFunctionalGroupsSequence": [group(ORIGINAL)],
        "PerFrameFunctionalGroupsSequence": [group(ORIGINAL)],
    }
    native = [
        make_instance(transfer_syntax_uid=uid, rows=16, columns=16, ImageType=ORIGINAL, **groups) for uid in NATIVE
    ]
    return [*native, *(transcode(data, _LOSSY) for data in native)]
