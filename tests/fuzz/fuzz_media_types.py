"""Whatever the header: an Accept is understood or refused, and a choice is one of the offers that it allows."""

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.wire.media_types import (
    DICOM,
    DICOM_JSON,
    OCTET_STREAM,
    Offer,
    choose,
    parse_accept,
    parse_media_type,
)

OFFERS = (
    Offer(DICOM_JSON),
    Offer(DICOM, multipart=True, transfer_syntax="1.2.840.10008.1.2.1"),
    Offer("image/jpeg", multipart=True, transfer_syntax="1.2.840.10008.1.2.4.50", stored=True),
    Offer(OCTET_STREAM),
)


def fuzz(data: bytes) -> None:
    """The same bytes as Accept and as Content-Type."""
    text = data.decode("latin-1")
    try:
        ranges = parse_accept(text)
    except ServerError as error:
        if error.reason is not Reason.BAD_REQUEST:
            raise
    else:
        assert ranges
        assert all(0 <= one.quality <= 1 for one in ranges)
        _choose(text)
    try:
        media_type = parse_media_type(text)
    except ServerError as error:
        if error.reason is not Reason.BAD_REQUEST:
            raise
        return
    assert media_type.name == media_type.name.lower()
    assert parse_accept(media_type.name)


def _choose(text: str) -> None:
    ranges = parse_accept(text)
    try:
        chosen = choose(ranges, OFFERS)
    except ServerError as error:
        if error.reason is not Reason.NOT_ACCEPTABLE:
            raise
        return
    assert chosen in OFFERS
    # What is chosen stays acceptable when it is all there is.
    assert choose(ranges, (chosen,)) == chosen


def seeds() -> list[bytes]:
    """Headers of real clients."""
    return [
        b"*/*",
        b"application/dicom+json",
        b'multipart/related; type="application/octet-stream"; transfer-syntax="*"',
        b"multipart/related; type=image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50;q=0.9, application/*;q=0.1",
        b"text/html, image/gif, *; q=.2, */*; q=.2",
        b'multipart/related; type="application/dicom"; boundary="a \\"b"',
    ]
