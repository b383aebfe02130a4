"""Whatever the bytes: a native instance becomes Explicit VR Little Endian with the same JSON, or is refused."""

from dicomweb_server.dicom.header import open_part10
from dicomweb_server.dicom.instance import parse_instance
from dicomweb_server.dicom.reencode import reencode
from dicomweb_server.errors import ServerError
from tests.fuzz import fuzz_header


def fuzz(data: bytes) -> None:
    """Re-encode what can be stored, and parse the result."""
    try:
        parsed = parse_instance(data)
        result = reencode(open_part10(data))
    except ServerError:
        return
    file = b"".join(result)
    assert len(file) == result.size
    again = parse_instance(file).record
    assert again.instance_uid == parsed.record.instance_uid
    assert b"".join(reencode(open_part10(file))) == file


def seeds() -> list[bytes]:
    """Those of the header: every encoding and shape."""
    return fuzz_header.seeds()
