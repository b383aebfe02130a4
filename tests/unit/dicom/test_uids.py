import pytest

from dicomweb_server.dicom.uids import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    TRANSFER_SYNTAXES,
    is_valid_uid,
    require_uid,
    transfer_syntax,
    uid_from,
)
from dicomweb_server.errors import Reason, ServerError


@pytest.mark.parametrize("uid", ["1", "1.2.3", "1.2.840.10008.5.1.4.1.1.2", "1.02.3", "2.25." + "9" * 39, "1" * 64])
def test_a_uid_is_digits_and_dots(uid: str) -> None:
    assert is_valid_uid(uid)
    assert require_uid(uid, "StudyInstanceUID") == uid


@pytest.mark.parametrize(
    "uid",
    ["", ".", "1.", ".1", "1..2", "1.a", "../../etc", "1/2", "1.2 ", "1.2\n", "1.2\0", "1" * 65, "١.٢", "-1.2", "1\\2"],
)
def test_anything_else_is_none(uid: str) -> None:
    assert not is_valid_uid(uid)
    with pytest.raises(ServerError, match="SeriesInstanceUID") as caught:
        require_uid(uid, "SeriesInstanceUID")
    assert caught.value.reason is Reason.MISSING_UID
    assert uid not in caught.value.detail or not uid.strip(".1")


@pytest.mark.parametrize("raw", [b"1.2.3\0", b"1.2.3 ", b"1.2.3", b" 1.2.3\0\0"])
def test_padding_is_no_part_of_a_uid(raw: bytes) -> None:
    assert uid_from(raw) == "1.2.3"


def test_a_uid_of_other_bytes_stays_ill_formed() -> None:
    assert not is_valid_uid(uid_from(b"1.2.\xff"))


@pytest.mark.parametrize(
    ("uid", "explicit", "little_endian", "deflated", "encapsulated", "media_type"),
    [
        ("1.2.840.10008.1.2", False, True, False, False, "application/octet-stream"),
        ("1.2.840.10008.1.2.1", True, True, False, False, "application/octet-stream"),
        ("1.2.840.10008.1.2.1.99", True, True, True, False, "application/octet-stream"),
        ("1.2.840.10008.1.2.2", True, False, False, False, "application/octet-stream"),
        ("1.2.840.10008.1.2.4.50", True, True, False, True, "image/jpeg"),
        ("1.2.840.10008.1.2.4.70", True, True, False, True, "image/jpeg"),
        ("1.2.840.10008.1.2.4.80", True, True, False, True, "image/jls"),
        ("1.2.840.10008.1.2.4.90", True, True, False, True, "image/jp2"),
        ("1.2.840.10008.1.2.4.93", True, True, False, True, "image/jpx"),
        ("1.2.840.10008.1.2.4.202", True, True, False, True, "image/jphc"),
        ("1.2.840.10008.1.2.4.110", True, True, False, True, "image/jxl"),
        ("1.2.840.10008.1.2.4.100", True, True, False, True, "video/mpeg"),
        ("1.2.840.10008.1.2.4.102.1", True, True, False, True, "video/mp4"),
        ("1.2.840.10008.1.2.4.107", True, True, False, True, "video/H265"),
        ("1.2.840.10008.1.2.5", True, True, False, True, "image/dicom-rle"),
    ],
)
def test_a_transfer_syntax_says_how_data_is_encoded(
    uid: str, explicit: bool, little_endian: bool, deflated: bool, encapsulated: bool, media_type: str
) -> None:
    syntax = transfer_syntax(uid)
    assert syntax.encoding == (explicit, little_endian, deflated)
    assert (syntax.encapsulated, syntax.media_type) == (encapsulated, media_type)


@pytest.mark.parametrize("uid", ["1.2.3", "", "1.2.840.10008.1.2.7.1", "../x"])
def test_an_unknown_transfer_syntax_is_refused(uid: str) -> None:
    with pytest.raises(ServerError) as caught:
        transfer_syntax(uid)
    assert caught.value.reason is Reason.UNSUPPORTED_TRANSFER_SYNTAX
    assert ".." not in caught.value.detail


def test_our_tables_obey_our_rule() -> None:
    assert all(is_valid_uid(uid) and syntax.uid == uid and syntax.name for uid, syntax in TRANSFER_SYNTAXES.items())
    assert is_valid_uid(IMPLEMENTATION_CLASS_UID)
    assert len(IMPLEMENTATION_VERSION_NAME) <= 16
