"""Fields, parameters, service URL and warnings as they are read from and written to HTTP."""

import pytest

from dicomweb_server.errors import ServerError
from dicomweb_server.http.headers import accept_text, accepted, header, joined_header, parameters
from dicomweb_server.http.service_url import ServiceUrl
from dicomweb_server.http.warning import warning
from dicomweb_server.wire.media_types import MediaRange

SCOPE = {"headers": [(b"accept", b"a/b"), (b"host", b"h:1"), (b"accept", b"c/d")], "query_string": b""}


def test_fields() -> None:
    assert header(SCOPE, b"accept") == "a/b"
    assert header(SCOPE, b"range") is None
    assert joined_header(SCOPE, b"accept") == "a/b, c/d"
    assert joined_header(SCOPE, b"range") == ""


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (b"", []),
        (b"a=1&a=2&b=", [("a", "1"), ("a", "2"), ("b", "")]),
        (b"a=%C3%A4%2C+x", [("a", "ä, x")]),
        (b"a=%zz&=&&", [("a", "%zz"), ("", "")]),
    ],
)
def test_parameters(query: bytes, expected: list[tuple[str, str]]) -> None:
    assert parameters({"headers": [], "query_string": query}) == expected


def test_too_many_parameters() -> None:
    with pytest.raises(ServerError, match="more than 1000"):
        parameters({"headers": [], "query_string": b"a=1&" * 1001})


def test_the_accept_parameter_wins() -> None:
    assert accept_text(SCOPE) == "a/b, c/d"
    assert accept_text(SCOPE | {"query_string": b"accept=x%2Fy&n=1&accept=z/z"}) == "x/y, z/z"
    assert accept_text(SCOPE | {"query_string": b"noaccept=x/y"}) == "a/b, c/d"
    assert accepted({"headers": [], "query_string": b"accept=x/y"}) == (MediaRange("x/y"),)


def test_the_url_of_the_service() -> None:
    url = ServiceUrl("/dicom-web")
    assert url.root({"headers": [(b"host", b"h:1")]}) == "http://h:1/dicom-web"
    assert (
        url.root({"headers": [(b"host", b"h")], "scheme": "https", "server": ("x", 444)}) == "https://h:444/dicom-web"
    )
    assert url.root({"headers": [(b"host", b"h:1")], "root_path": "/below"}) == "http://h:1/below/dicom-web"
    forwarded = [(b"host", b"h:1"), (b"x-forwarded-host", b"pacs.example")]
    assert url.root({"headers": forwarded, "client": ("127.0.0.1", 5)}) == "http://pacs.example/dicom-web"
    assert url.root({"headers": forwarded, "client": ("10.0.0.1", 5)}) == "http://h:1/dicom-web"
    assert ServiceUrl("/dicom-web", "https://pacs.example/d/").root({"headers": forwarded}) == "https://pacs.example/d"


def test_a_warning() -> None:
    name, value = warning("http://h/d", 'a "b" \\', "c\r\nX: y")
    assert name == b"warning"
    assert value == b'299 http://h/d: "a \\"b\\" \\\\", 299 http://h/d: "c??X: y"'
