"""Whatever the bytes: an instance is parsed or refused by a ServerError, and what is parsed agrees with itself."""

import json

from dicomweb_server.dicom.header import read_header
from dicomweb_server.dicom.instance import parse_instance
from dicomweb_server.dicom.part10 import file_meta
from dicomweb_server.dicom.uids import is_valid_uid
from dicomweb_server.errors import ServerError
from tests.builders import NATIVE, fake_jpeg, make_encapsulated, make_instance
from tests.encoded import SOP_CLASS, encoded, identity, item, sequence


def fuzz(data: bytes) -> None:
    """Parse twice, because the second time comes from the memo; then read the header another way."""
    try:
        parsed = parse_instance(data)
    except ServerError:
        return
    assert parse_instance(data) == parsed
    record = parsed.record
    assert all(map(is_valid_uid, (record.study_uid, record.series_uid, record.instance_uid, record.sop_class_uid)))
    assert b"\2" not in parsed.metadata
    metadata = json.loads(parsed.metadata.replace(b"\1", b"http://host"), parse_constant=_no_constant)
    assert list(metadata) == sorted(metadata)
    for tag, attribute in metadata.items():
        assert (len(tag), tag) == (8, tag.upper())
        assert len(attribute) <= 2, tag
    read_header(data)


def _no_constant(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


def seeds() -> list[bytes]:
    """Small files of every encoding and shape."""
    found = [make_instance(transfer_syntax_uid=uid, rows=2, columns=2) for uid in NATIVE]
    found.append(make_encapsulated([fake_jpeg(b"a"), fake_jpeg(b"b")]))
    for order, uid in (("<", "1.2.840.10008.1.2.1"), ("<", "1.2.840.10008.1.2"), (">", "1.2.840.10008.1.2.2")):
        explicit = uid != "1.2.840.10008.1.2"
        head, tail = identity(explicit=explicit, order=order)
        name = encoded(0x00100010, "PN" if explicit else "", b"A^B=C ", order=order)
        vr = "SQ" if explicit else ""
        inner = sequence(0x00081140, item(name, order=order), vr=vr, order=order)
        outer = sequence(
            0x00400275, item(inner, defined=False, order=order), item(order=order), defined=False, vr=vr, order=order
        )
        found.append(file_meta(SOP_CLASS, "1.2.3.4.5", uid) + head + tail + outer)
    return found
