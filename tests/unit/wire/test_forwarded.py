"""The URL of the service as the client of a request sees it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomweb_server.errors import ServerError
from dicomweb_server.wire.forwarded import Forwarded, parse_forwarded, parse_proxies, service_root

LOOPBACK = parse_proxies()
NOBODY = parse_proxies(())


def root(
    *headers: tuple[str, str], peer: str | None = "127.0.0.1", scheme: str = "http", port: int | None = 8042
) -> str:
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    return service_root(raw, scheme=scheme, server=("127.0.0.1", port), path="/dicom-web", peer=peer, proxies=LOOPBACK)


ROWS: list[tuple[list[tuple[str, str]], str]] = [
    ([("Host", "pacs.example:8042")], "http://pacs.example:8042/dicom-web"),
    ([("Host", "pacs.example")], "http://pacs.example:8042/dicom-web"),
    ([("Host", "[::1]:8042")], "http://[::1]:8042/dicom-web"),
    ([("Host", "[::1]")], "http://[::1]:8042/dicom-web"),
    ([], "http://127.0.0.1:8042/dicom-web"),
    ([("Host", 'evil.example/"><script>')], "http://127.0.0.1:8042/dicom-web"),
    ([("Host", "a b")], "http://127.0.0.1:8042/dicom-web"),
    ([("Host", "h:99999")], "http://127.0.0.1:8042/dicom-web"),
    ([("Host", "h"), ("Forwarded", "for=1.2.3.4;proto=https;host=pacs.example")], "https://pacs.example/dicom-web"),
    (
        [("Host", "h"), ("Forwarded", 'for="[::1]:4"; Host="pacs.example:444"; Proto=HTTPS, for=2')],
        "https://pacs.example:444/dicom-web",
    ),
    ([("Host", "h"), ("Forwarded", 'host="a\\.b"')], "http://a.b/dicom-web"),
    ([("Host", "h:1"), ("Forwarded", "host=<x>;proto=gopher")], "http://h:1/dicom-web"),
    ([("Host", "h:1"), ("Forwarded", "nonsense")], "http://h:1/dicom-web"),
    ([("Host", "h:1"), ("Forwarded", 'host="a')], "http://h:1/dicom-web"),
    ([("Host", "h:1"), ("Forwarded", "host=a b")], "http://h:1/dicom-web"),
    ([("Host", "h:1"), ("Forwarded", "proto=https;")], "https://h:1/dicom-web"),
    (
        [("Host", "h"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "a.example, b.example")],
        "https://a.example/dicom-web",
    ),
    ([("Host", "h"), ("X-Forwarded-Proto", "https")], "https://h/dicom-web"),
    ([("Host", "h"), ("X-Forwarded-Host", "a"), ("X-Forwarded-Port", "8443")], "http://a:8443/dicom-web"),
    ([("Host", "h"), ("X-Forwarded-Host", "a:1"), ("X-Forwarded-Port", "8443")], "http://a:1/dicom-web"),
    ([("Host", "h"), ("X-Forwarded-Host", "a"), ("X-Forwarded-Port", "0")], "http://h/dicom-web"),
    ([("Host", "h"), ("X-Forwarded-Host", "a"), ("X-Forwarded-Port", "x")], "http://a/dicom-web"),
    ([("Host", "h:1"), ("X-Forwarded-Prefix", "/pacs/")], "http://h:1/pacs/dicom-web"),
    ([("Host", "h:1"), ("X-Forwarded-Prefix", '/a"b')], "http://h:1/dicom-web"),
    ([("Host", "h:1"), ("X-Forwarded-Prefix", "//evil.example")], "http://h:1/dicom-web"),
    ([("Host", "h:1"), ("X-Forwarded-Host", "a" * 3000)], "http://h:1/dicom-web"),
    ([("Host", "h:1"), ("Forwarded", "host=a"), ("Forwarded", "host=b")], "http://a/dicom-web"),
]


@pytest.mark.parametrize(("headers", "expected"), ROWS)
def test_service_root(headers: list[tuple[str, str]], expected: str) -> None:
    assert root(*headers) == expected


def test_default_ports_are_left_out() -> None:
    assert root(("Host", "h"), port=80) == "http://h/dicom-web"
    assert root(("Host", "h"), port=443, scheme="https") == "https://h/dicom-web"
    assert root(("Host", "h"), port=None) == "http://h/dicom-web"


def test_an_address_without_host() -> None:
    assert (
        service_root([], scheme="http", server=("::1", 8042), path="/d", peer=None, proxies=NOBODY)
        == "http://[::1]:8042/d"
    )
    assert service_root([], scheme="http", server=None, path="/d", peer=None, proxies=NOBODY) == "http://localhost/d"


@pytest.mark.parametrize(
    ("peer", "believed"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        (None, True),
        ("10.0.0.1", False),
        ("testclient", False),
        ("fe80::1%eth0", False),
    ],
)
def test_only_proxies_are_believed(peer: str | None, believed: bool) -> None:
    seen = root(("Host", "h:1"), ("X-Forwarded-Host", "a"), peer=peer)
    assert seen == ("http://a/dicom-web" if believed else "http://h:1/dicom-web")


def test_proxies_by_network() -> None:
    proxies = parse_proxies(["10.0.0.0/8", "192.168.1.7"])
    assert proxies.trusts("10.1.2.3")
    assert proxies.trusts("192.168.1.7")
    assert not proxies.trusts("192.168.1.8")
    assert not proxies.trusts("::1")
    assert parse_proxies(["*"]).trusts("2001:db8::1")
    with pytest.raises(ServerError, match="no IP address"):
        parse_proxies(["10.0.0.0/99"])


def test_no_header_says_nothing() -> None:
    assert parse_forwarded([(b"host", b"a")]) == Forwarded()


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                ["host", "forwarded", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto", "x-forwarded-prefix"]
            ),
            st.text(alphabet='ab.:/;,="\\ <>\r\n\x00é0h', max_size=30),
        ),
        max_size=5,
    )
)
def test_nothing_can_be_injected(headers: list[tuple[str, str]]) -> None:
    assert re.fullmatch(r"https?://[A-Za-z0-9.:_\[\]-]+(/[A-Za-z0-9._~:;=-]+)*/dicom-web", root(*headers))
