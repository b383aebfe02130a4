"""Accept headers as clients send them, and what is chosen for them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.wire.media_types import (
    DICOM,
    DICOM_JSON,
    DICOM_XML,
    EXPLICIT_LITTLE_ENDIAN,
    OCTET_STREAM,
    MediaRange,
    MediaType,
    Offer,
    choose,
    parse_accept,
    parse_media_type,
)

JPEG = "1.2.840.10008.1.2.4.50"

CONTENT_TYPES = [
    ("application/dicom", MediaType("application/dicom")),
    (" Application/DICOM ", MediaType("application/dicom")),
    (
        'multipart/related; type="application/dicom"; boundary=b',
        MediaType("multipart/related", {"type": "application/dicom", "boundary": "b"}),
    ),
    (
        'multipart/related;TYPE=application/dicom;boundary="a b"',
        MediaType("multipart/related", {"type": "application/dicom", "boundary": "a b"}),
    ),
    ('a/b; c="d\\"e\\\\f"', MediaType("a/b", {"c": 'd"e\\f'})),
    ("a/b; c=1; c=2", MediaType("a/b", {"c": "1"})),
    ("a/b;", MediaType("a/b")),
    ("a/b; ; c=", MediaType("a/b", {"c": ""})),
]


@pytest.mark.parametrize(("text", "expected"), CONTENT_TYPES)
def test_reads_a_content_type(text: str, expected: MediaType) -> None:
    assert parse_media_type(text) == expected


@pytest.mark.parametrize(
    "text", ["", "dicom", "/dicom", "a/", "a/b c", 'a/b; c="d', "a/b; c=d e", "a/b, c/d", "a/b; =c", "é/b"]
)
def test_refuses_a_malformed_content_type(text: str) -> None:
    with pytest.raises(ServerError) as caught:
        parse_media_type(text)
    assert caught.value.reason is Reason.BAD_REQUEST
    assert "Content-Type" in caught.value.detail


ACCEPTS = [
    ("", (MediaRange("*/*"),)),
    ("*/*", (MediaRange("*/*"),)),
    ("*", (MediaRange("*/*"),)),
    (" , ", (MediaRange("*/*"),)),
    ("*; q=.2, */*; q=0.3", (MediaRange("*/*", quality=0.2), MediaRange("*/*", quality=0.3))),
    ("application/json", (MediaRange("application/json"),)),
    (
        'multipart/related; type="application/octet-stream"; transfer-syntax="*"',
        (MediaRange("multipart/related", OCTET_STREAM, "*"),),
    ),
    (
        "MULTIPART/Related;Type=Application/Dicom;Transfer-Syntax=1.2;q=0.5,image/*",
        (MediaRange("multipart/related", DICOM, "1.2", 0.5), MediaRange("image/*")),
    ),
    ('multipart/related; type="*/*"', (MediaRange("multipart/related", "*/*"),)),
    ("a/b;q=0", (MediaRange("a/b", quality=0.0),)),
    ("a/b;q=1.000", (MediaRange("a/b"),)),
]


@pytest.mark.parametrize(("text", "expected"), ACCEPTS)
def test_reads_an_accept(text: str, expected: tuple[MediaRange, ...]) -> None:
    assert parse_accept(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        'multipart/related; type="application/dicom',
        "/",
        "a/",
        "/b",
        "a",
        "*/b",
        "a/b; q=2",
        "a/b; q=x",
        "a/b; q=0.1234",
        "a/b; q=-1",
        "a/b c/d",
        'multipart/related; type="a b"',
        'a/b; type="é/x"',
        "a/b" + ", a/b" * 64,
        "a/" + "b" * 8192,
        "a/b; type=x; é=1",
        "a/b;q=",
        'a/b;q="',
    ],
)
def test_refuses_a_malformed_accept(text: str) -> None:
    with pytest.raises(ServerError) as caught:
        parse_accept(text)
    assert caught.value.reason is Reason.BAD_REQUEST
    assert "Accept" in caught.value.detail


@given(st.text(alphabet='ab*/;,="\\ q.01\t\x00é', max_size=80))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        assert parse_accept(text)
    except ServerError as error:
        assert error.reason is Reason.BAD_REQUEST  # noqa: PT017 - either is right


JSON_OFFER = Offer(DICOM_JSON)
XML_OFFER = Offer(DICOM_XML, multipart=True)
METADATA = (JSON_OFFER, XML_OFFER)
# A native image: frames as they are, alone or as parts.
NATIVE = (
    Offer(OCTET_STREAM, multipart=True, transfer_syntax=EXPLICIT_LITTLE_ENDIAN, stored=True),
    Offer(OCTET_STREAM, transfer_syntax=EXPLICIT_LITTLE_ENDIAN, stored=True),
)
# A JPEG image that nobody can decode.
COMPRESSED = (
    Offer("image/jpeg", multipart=True, transfer_syntax=JPEG, stored=True),
    Offer("image/jpeg", transfer_syntax=JPEG, stored=True),
)
# An instance stored in implicit VR: explicit by default, as stored on request.
INSTANCE = (
    Offer(DICOM, multipart=True, transfer_syntax=EXPLICIT_LITTLE_ENDIAN),
    Offer(DICOM, multipart=True, transfer_syntax="1.2.840.10008.1.2", stored=True),
    Offer(DICOM, transfer_syntax=EXPLICIT_LITTLE_ENDIAN),
)

CHOICES: list[tuple[str, tuple[Offer, ...], Offer | None]] = [
    ("", METADATA, JSON_OFFER),
    ("*/*", METADATA, JSON_OFFER),
    ("application/dicom+json", METADATA, JSON_OFFER),
    ("application/json", METADATA, JSON_OFFER),
    ("application/*", METADATA, JSON_OFFER),
    ('multipart/related; type="application/dicom+xml"', METADATA, XML_OFFER),
    ("multipart/related", METADATA, XML_OFFER),
    ("multipart/*", METADATA, XML_OFFER),
    ("application/dicom+json; q=0.5, multipart/related; type=application/dicom+xml", METADATA, XML_OFFER),
    ("application/dicom+json; q=0, */*", METADATA, XML_OFFER),
    ("*/*; q=0.9, application/dicom+json; q=0.1", METADATA, XML_OFFER),
    ("*/*, multipart/related; type=application/dicom+xml", METADATA, XML_OFFER),
    ("application/*, multipart/related; type=application/dicom+xml", METADATA, XML_OFFER),
    ("application/*, multipart/*", METADATA, JSON_OFFER),
    ("multipart/related; type=application/dicom+xml, application/dicom+json", METADATA, JSON_OFFER),
    ("multipart/related, application/dicom+json", METADATA, JSON_OFFER),
    ("application/dicom+xml", METADATA, None),
    ("image/png", METADATA, None),
    ("*/*; q=0", METADATA, None),
    ("", NATIVE, NATIVE[0]),
    ('multipart/related; type="*/*"', NATIVE, NATIVE[0]),
    ('multipart/related; type="application/octet-stream"; transfer-syntax="*"', NATIVE, NATIVE[0]),
    (f"multipart/related; type=application/octet-stream; transfer-syntax={EXPLICIT_LITTLE_ENDIAN}", NATIVE, NATIVE[0]),
    ("application/octet-stream", NATIVE, NATIVE[1]),
    ("application/octet-stream; transfer-syntax=*", NATIVE, NATIVE[1]),
    ("image/jpeg, multipart/related; type=application/octet-stream; q=0.1", NATIVE, NATIVE[0]),
    ("multipart/related; type=image/jpeg", NATIVE, None),
    ("multipart/related; type=application/octet-stream; transfer-syntax=1.2.840.10008.1.2.4.90", NATIVE, None),
    ("", COMPRESSED, COMPRESSED[0]),
    ('multipart/related; type="application/octet-stream"; transfer-syntax=*', COMPRESSED, COMPRESSED[0]),
    (f'multipart/related; type="application/octet-stream"; transfer-syntax={JPEG}', COMPRESSED, COMPRESSED[0]),
    ('multipart/related; type="application/octet-stream"', COMPRESSED, None),
    ("application/octet-stream", COMPRESSED, None),
    (f'multipart/related; type="image/jpeg"; transfer-syntax={JPEG}', COMPRESSED, COMPRESSED[0]),
    ('multipart/related; type="image/dicom+jpeg"', COMPRESSED, COMPRESSED[0]),
    ('multipart/related; type="image/*"', COMPRESSED, COMPRESSED[0]),
    ("image/jpeg", COMPRESSED, COMPRESSED[1]),
    ("", INSTANCE, INSTANCE[0]),
    ('multipart/related; type="application/dicom"', INSTANCE, INSTANCE[0]),
    ('multipart/related; type="application/dicom"; transfer-syntax=*', INSTANCE, INSTANCE[1]),
    ("application/dicom", INSTANCE, INSTANCE[2]),
    (
        "multipart/related; type=application/dicom; transfer-syntax=1.2.840.10008.1.2.4.90, "
        "multipart/related; type=application/dicom; transfer-syntax=1.2.840.10008.1.2.1; q=0.4",
        INSTANCE,
        INSTANCE[0],
    ),
]


@pytest.mark.parametrize(("accept", "offers", "expected"), CHOICES)
def test_chooses(accept: str, offers: tuple[Offer, ...], expected: Offer | None) -> None:
    if expected is not None:
        assert choose(parse_accept(accept), offers) == expected
        return
    with pytest.raises(ServerError) as caught:
        choose(parse_accept(accept), offers)
    assert caught.value.reason is Reason.NOT_ACCEPTABLE
    assert offers[0].described() in caught.value.detail


def test_describes_itself() -> None:
    assert INSTANCE[0].content_type("x") == 'multipart/related; type="application/dicom"; boundary=x'
    assert INSTANCE[0].part_type() == f"application/dicom; transfer-syntax={EXPLICIT_LITTLE_ENDIAN}"
    assert JSON_OFFER.content_type() == "application/dicom+json"
    assert JSON_OFFER.described() == "application/dicom+json"
