"""Whatever the headers: ranges lie inside of the representation, and the service's URL is nothing but a URL."""

import re

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.wire.byte_ranges import parse_range
from dicomweb_server.wire.forwarded import parse_proxies, service_root

NAMES = (b"host", b"forwarded", b"x-forwarded-host", b"x-forwarded-port", b"x-forwarded-proto", b"x-forwarded-prefix")
SIZE = 1000
PROXIES = parse_proxies()
URL = re.compile(
    r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]+)?(/[A-Za-z0-9._~!$&'()*+;=:@%-]+)*/dicom-web\Z"
)


def fuzz(data: bytes) -> None:
    """Lines: the first a Range, each other one a header whose first byte says which."""
    first, *others = data.split(b"\n")
    _check_range(first.decode("latin-1"))
    headers = [(NAMES[line[0] % len(NAMES)], line[1:]) for line in others if line]
    root = service_root(
        headers, scheme="http", server=("127.0.0.1", 8042), path="/dicom-web", peer="127.0.0.1", proxies=PROXIES
    )
    assert URL.match(root), root


def _check_range(header: str) -> None:
    try:
        ranges = parse_range(header, SIZE)
    except ServerError as error:
        if error.reason is not Reason.RANGE_NOT_SATISFIABLE:
            raise
        return
    assert sum(one.length for one in ranges) <= SIZE
    assert all(one.offset >= 0 and one.length > 0 and one.offset + one.length <= SIZE for one in ranges)


def seeds() -> list[bytes]:
    """Ranges and forwarding headers of every form."""
    return [
        b"bytes=0-9",
        b"bytes=-5,0-0,900-\n\0pacs.example:8042",
        b'\n\1for="[::1]:4";host="pacs.example:444";proto=https, for=2',
        b"\n\0h\n\2a.example, b.example\n\x038443\n\4https\n\5/prefix/",
    ]
