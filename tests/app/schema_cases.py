"""What the tests that schemathesis makes of openapi.json share: the document, bodies that are meant well, settings."""

from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi import checks

from conformance.cost import at_most
from conformance.multipart import encode
from conformance.samples import make, part10
from conformance.server import Server

DOCUMENT = Path(__file__).resolve().parents[2] / "openapi" / "openapi.json"
MOST = 2.0  # seconds of the server's processor time
# A text parameter has a grammar that a JSON schema cannot say: what is refused there need not be described as refused.
NOT_ASKED = [checks.positive_data_acceptance]
IMAGE = part10(make())
FILES = st.one_of(
    st.just(IMAGE),
    st.integers(0, len(IMAGE)).map(lambda length: IMAGE[:length]),
    st.binary(max_size=500).map(lambda rest: bytes(128) + b"DICM" + rest),
    st.binary(max_size=200),
)
PARTS = st.lists(FILES, max_size=3).map(
    lambda files: encode([("Content-Type: application/dicom", file) for file in files], "schemathesis")
)

schemathesis.openapi.media_type("application/dicom", FILES)
schemathesis.openapi.media_type("application/zip", st.one_of(st.binary(max_size=100), st.just(b"PK\5\6" + bytes(18))))
schemathesis.openapi.media_type("multipart/related", st.one_of(PARTS, st.binary(max_size=200)))


def some(examples: int) -> settings:
    """So many cases of each operation, the same in every run."""
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def answered(case: Any, server: Server, headers: dict[str, str], not_asked: list[Any]) -> None:
    """Make the request, and judge the answer by its description."""
    address = f"http://127.0.0.1:{server.http_port}"
    with at_most(MOST, server.clock()):
        case.call_and_validate(base_url=address, headers=headers, excluded_checks=not_asked, timeout=60)
