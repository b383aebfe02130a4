"""The multipart reader: what a body says, however it is cut into chunks; and the writer, read back."""

from email import message_from_bytes
from email.policy import HTTP

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.wire import multipart
from dicomweb_server.wire.multipart import End, Event, Limits, PartBegin, PartData, PartEnd, Reader

Part = tuple[dict[str, str], bytes]


def read(
    body: bytes, boundary: str = "b", cut: int | None = None, limits: Limits = multipart.DEFAULT_LIMITS
) -> list[Part]:
    """The complete parts of a body fed in chunks of `cut` bytes."""
    parts, _ = read_until_error(body, boundary, cut, limits)
    if isinstance(_, ServerError):
        raise _
    return parts


def read_until_error(
    body: bytes, boundary: str = "b", cut: int | None = None, limits: Limits = multipart.DEFAULT_LIMITS
) -> tuple[list[Part], ServerError | None]:
    reader = Reader(boundary, limits)
    events: list[Event] = []
    error = None
    step = cut or len(body) or 1
    try:
        for start in range(0, len(body), step):
            events.extend(reader.feed(body[start : start + step]))
        reader.finish()
    except ServerError as failure:
        error = failure
    return assembled(events), error


def assembled(events: list[Event]) -> list[Part]:
    parts: list[Part] = []
    headers: dict[str, str] | None = None
    content = b""
    ended = False
    for event in events:
        assert not ended
        if isinstance(event, PartBegin):
            assert headers is None
            headers, content = dict(event.headers), b""
        elif isinstance(event, PartData):
            assert headers is not None
            assert len(event.data) > 0
            content += event.data
        elif isinstance(event, PartEnd):
            assert headers is not None
            parts.append((headers, content))
            headers = None
        else:
            assert isinstance(event, End)
            ended = True
    return parts


ACCEPTED: list[tuple[str, bytes, list[Part]]] = [
    ("one part", b"--b\r\nA: 1\r\n\r\nxyz\r\n--b--\r\n", [({"a": "1"}, b"xyz")]),
    ("no line break at the end", b"--b\r\nA: 1\r\n\r\nxyz\r\n--b--", [({"a": "1"}, b"xyz")]),
    ("two parts", b"--b\r\n\r\nx\r\n--b\r\n\r\ny\r\n--b--", [({}, b"x"), ({}, b"y")]),
    ("no parts", b"--b--\r\n", []),
    ("preamble and epilogue", b"some words\r\n--b\r\n\r\nx\r\n--b--\r\nmore\r\n--b\r\n\r\nz", [({}, b"x")]),
    ("preamble like a boundary", b"--bb\r\n--b\r\n\r\nx\r\n--b--", [({}, b"x")]),
    ("padding", b"--b \t \r\n\r\nx\r\n--b \t\r\n\r\ny\r\n--b--  \r\n", [({}, b"x"), ({}, b"y")]),
    ("empty part", b"--b\r\nA: 1\r\n\r\n\r\n--b--", [({"a": "1"}, b"")]),
    ("part without a body", b"--b\r\nA: 1\r\n\r\n--b--", [({"a": "1"}, b"")]),
    ("neither fields nor body", b"--b\r\n\r\n--b--", [({}, b"")]),
    ("line breaks in the content", b"--b\r\n\r\n\r\n\r\nx\r\r\n\n\r\n--b--", [({}, b"\r\n\r\nx\r\r\n\n")]),
    (
        "content like a delimiter",
        b"--b\r\n\r\n\r\n--bx\r\n--b-x\r\n--b \tx\r\n--b--",
        [({}, b"\r\n--bx\r\n--b-x\r\n--b \tx")],
    ),
    ("two parts without a body", b"--b\r\nA: 1\r\n\r\n--b\r\n\r\n--b--", [({"a": "1"}, b""), ({}, b"")]),
    ("delimiter half, then one", b"--b\r\n\r\nx\r\n--b\r\r\n--b--", [({}, b"x\r\n--b\r")]),
    ("half a delimiter, doubled", b"--b\r\n\r\nx\r\n--\r\n--b--", [({}, b"x\r\n--")]),
    ("folded and repeated fields", b"--b\r\nA: 1,\r\n  2\r\na: 3\r\n\r\nx\r\n--b--", [({"a": "1,  2, 3"}, b"x")]),
    ("field without value, colon in value", b"--b\r\nA:\r\nB: c:d\r\n\r\nx\r\n--b--", [({"a": "", "b": "c:d"}, b"x")]),
]


@pytest.mark.parametrize("cut", [None, 1, 2, 3, 7])
@pytest.mark.parametrize(("body", "parts"), [row[1:] for row in ACCEPTED], ids=[row[0] for row in ACCEPTED])
def test_reads_parts_however_they_are_cut(body: bytes, parts: list[Part], cut: int | None) -> None:
    assert read(body, cut=cut) == parts


REFUSED: list[tuple[str, bytes, list[Part], Reason, str]] = [
    ("nothing", b"", [], Reason.BAD_REQUEST, "no line with the boundary"),
    ("no delimiter", b"hello\r\n", [], Reason.BAD_REQUEST, "no line with the boundary"),
    ("LF only", b"--b\nA: 1\n\nxyz\n--b--\n", [], Reason.BAD_REQUEST, "LF alone"),
    ("LF after a later delimiter", b"--b\r\n\r\nx\r\n--b\nA: 1", [], Reason.BAD_REQUEST, "LF alone"),
    ("LF in the header", b"--b\r\nA: 1\n\nxyz\r\n--b--", [], Reason.BAD_REQUEST, "LF alone"),
    ("cut in the content", b"--b\r\n\r\nx\r\n--b\r\n\r\ny", [({}, b"x")], Reason.BAD_REQUEST, "ended inside part 2"),
    ("cut in the header", b"--b\r\n\r\nx\r\n--b\r\nA: ", [({}, b"x")], Reason.BAD_REQUEST, "ended inside part 2"),
    ("cut after the header", b"--b\r\nA: 1\r\n\r\n", [], Reason.BAD_REQUEST, "ended inside part 1"),
    ("cut in the delimiter", b"--b\r\n\r\nx\r\n--b-", [], Reason.BAD_REQUEST, "ended inside part 1"),
    ("no field", b"--b\r\nno field\r\n\r\nx\r\n--b--", [], Reason.BAD_REQUEST, "no field"),
    ("space in a name", b"--b\r\nA : 1\r\n\r\nx\r\n--b--", [], Reason.BAD_REQUEST, "no field"),
    ("header too long", b"--b\r\n\r\nx\r\n--b\r\nA: " + b"1" * 100, [({}, b"x")], Reason.TOO_LARGE, "exceeds 50 bytes"),
    ("too many fields", b"--b\r\nA:\r\nB:\r\nC:\r\nD:\r\n\r\nx", [], Reason.TOO_LARGE, "exceeds 3 fields"),
    (
        "too many parts",
        b"--b\r\n\r\nx" * 1 + b"\r\n--b\r\n\r\nx" * 3,
        [({}, b"x")] * 3,
        Reason.TOO_LARGE,
        "more than 3 parts",
    ),
]


@pytest.mark.parametrize("cut", [None, 1, 5])
@pytest.mark.parametrize(("body", "parts", "reason", "words"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_says_what_is_wrong_after_the_complete_parts(
    body: bytes, parts: list[Part], reason: Reason, words: str, cut: int | None
) -> None:
    found, error = read_until_error(body, cut=cut, limits=Limits(header_bytes=50, header_fields=3, parts=3))
    assert found == parts
    assert error is not None
    assert error.reason is reason
    assert words in error.detail


@pytest.mark.parametrize("boundary", ["", "x" * 201, "a\r\nb", 'a"b', "a;b", "ends with ", "ä", "a\n"])
def test_refuses_boundaries_that_are_none(boundary: str) -> None:
    with pytest.raises(ServerError, match="boundary"):
        Reader(boundary)


@pytest.mark.parametrize(
    "boundary",
    [
        "x",
        "x" * 70,
        "d5386de0-6b24-4364-83e2-5caa6d353282-d5386de0-6b24-4364-83e2-5caa6d353282",
        "a b",
        "'()+_,-./:=?",
        "0",
    ],
)
def test_accepts_every_boundary_of_the_rfc(boundary: str) -> None:
    body = f"--{boundary}\r\n\r\nx\r\n--{boundary}--".encode()
    assert read(body, boundary) == [({}, b"x")]


def test_nothing_after_the_end_is_read() -> None:
    reader = Reader("b")
    assert list(reader.feed(b"--b\r\n\r\nx\r\n--b--"))[-1] == End()
    assert reader.ended
    assert list(reader.feed(b"\r\n--b\r\n\r\nx")) == []
    reader.finish()


def test_data_is_not_copied() -> None:
    reader = Reader("b")
    list(reader.feed(b"--b\r\n\r\n"))
    list(reader.feed(b"some"))
    chunk = b"x" * 10_000
    events = list(reader.feed(chunk))
    assert len(events) == 1
    assert isinstance(events[0], PartData)
    assert events[0].data.obj is chunk


def test_long_padding_is_content() -> None:
    body = b"--b\r\n\r\nx\r\n--b" + b" " * 1000 + b"\r\n--b--"
    found, error = read_until_error(body, cut=1)
    assert error is None
    assert found == [({}, b"x\r\n--b" + b" " * 1000)]


# What a hostile body is made of: everything that means something to the reader.
PIECES = st.sampled_from(
    [b"\r", b"\n", b"\r\n", b"-", b"--", b"b", b"--b", b"\r\n--b", b"--b--", b" ", b":", b"A: 1", b"x"]
)


@given(st.lists(PIECES, max_size=60).map(b"".join), st.lists(st.integers(1, 9), min_size=1, max_size=20))
def test_any_chunking_gives_the_same(body: bytes, sizes: list[int]) -> None:
    whole = read_until_error(body)
    reader = Reader("b")
    events: list[Event] = []
    error: ServerError | None = None
    try:
        start = turn = 0
        while start < len(body):
            events.extend(reader.feed(body[start : start + sizes[turn % len(sizes)]]))
            start, turn = start + sizes[turn % len(sizes)], turn + 1
        reader.finish()
    except ServerError as failure:
        error = failure
    assert assembled(events) == whole[0]
    assert (error and error.detail) == (whole[1] and whole[1].detail)


@given(
    st.lists(
        st.tuples(st.dictionaries(st.sampled_from(["a", "content-type"]), st.just("v")), st.binary(max_size=300)),
        max_size=5,
    ),
    st.integers(1, 50),
)
def test_reads_what_the_writer_wrote(parts: list[Part], cut: int) -> None:
    boundary = b"0123456789abcdef0123456789abcdef"
    heads = [
        multipart.part_head(boundary, [(name.encode(), value.encode()) for name, value in headers.items()])
        for headers, _ in parts
    ]
    body = b"".join(head + content + multipart.PART_TAIL for head, (_, content) in zip(heads, parts, strict=True))
    body += multipart.closing(boundary)
    assert len(body) == multipart.content_length(boundary, heads, [len(content) for _, content in parts])
    assert read(body, boundary.decode(), cut) == parts


def test_the_writer_satisfies_another_reader() -> None:
    body = (
        multipart.part_head(b"frontier", [(b"Content-Type", b"application/dicom")]) + b"\x00\xff" + multipart.PART_TAIL
    )
    body += multipart.closing(b"frontier")
    head = b'Content-Type: multipart/related; boundary="frontier"\r\n\r\n'
    message = message_from_bytes(head + body, policy=HTTP)
    (part,) = message.iter_parts()
    assert part.get_content_type() == "application/dicom"
    assert part.get_payload(decode=True) == b"\x00\xff"
