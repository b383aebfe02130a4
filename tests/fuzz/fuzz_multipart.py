"""Whatever the body: however it is cut, the same parts come out of it, or the same error after the same parts."""

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.wire.multipart import Limits, PartBegin, PartData, PartEnd, Reader

LIMITS = Limits(header_bytes=200, header_fields=4, parts=20)


def fuzz(data: bytes) -> None:
    """The first byte says into how large pieces the rest is cut."""
    step, body = (data[0] % 17 + 1, data[1:]) if data else (1, b"")
    assert _read(body, len(body) or 1) == _read(body, step)


def _read(body: bytes, step: int) -> tuple[list[object], str]:
    """What is seen of a body: headers, contents, ends, and the error."""
    reader = Reader("b-1", LIMITS)
    seen: list[object] = []
    content = b""
    try:
        for start in range(0, len(body), step):
            for event in reader.feed(body[start : start + step]):
                if isinstance(event, PartData):
                    content += event.data
                    continue
                if isinstance(event, PartBegin):
                    content = b""
                    assert len(event.headers) <= LIMITS.header_fields
                seen.append((event, content if isinstance(event, PartEnd) else b""))
        reader.finish()
    except ServerError as error:
        if error.reason not in (Reason.BAD_REQUEST, Reason.TOO_LARGE):
            raise
        return seen, error.detail
    assert reader.ended
    return seen, ""


def seeds() -> list[bytes]:
    """Bodies with everything that a body may have."""
    part = b"\r\n--b-1\r\nContent-Type: a/b;\r\n c=d\r\nContent-Location: x\r\n\r\ncontent\r\n--b-"
    return [
        b"\x01--b-1--\r\n",
        b"\x03preamble" + part + b"1--\r\nepilogue",
        b"\x10" + part[2:] + b"1 \t" + part + b"1\r\n\r\n" + part + b"1--",
        b"\x02--b-1\r\n\r\n--b-1\r\n\r\n\r\n--b-1--",
        b"\x05--b-1\nContent-Type: a/b\n\nx\n--b-1--\n",
    ]
