"""schemathesis makes requests of openapi.json, right and wrong ones: no 5xx, no status or answer that is not described.

About a minute; DICOMWEB_SERVER_SCHEMATHESIS_EXAMPLES (for each operation, 12 without it) makes it longer.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks

from conformance import archive as sample_archive
from conformance.archive import Archive
from conformance.multipart import encode
from conformance.samples import make, part10
from conformance.server import Server
from conformance.service import Service

DOCUMENT = Path(__file__).resolve().parents[2] / "openapi" / "openapi.json"
EXAMPLES = int(os.environ.get("DICOMWEB_SERVER_SCHEMATHESIS_EXAMPLES", "12"))
SLOWEST = 2.0
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
# The REST interface has a suite of its own.
schema = schemathesis.openapi.from_path(DOCUMENT).include(path_regex="^/(dicom-web/(?!servers)|healthz|metrics)")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    own = Server(tmp_path_factory.mktemp("server"))
    yield own
    own.stop()


@pytest.fixture(scope="module")
def archive(server: Server) -> Archive:
    service = Service(server.root)
    with service.http:
        return sample_archive.store(service)


def aim(case: Any, archive: Archive) -> None:
    """Let three of four requests that are meant well ask for what is there; nothing of it is deleted."""
    meant_ill = case.meta is not None and case.meta.generation.mode is GenerationMode.NEGATIVE
    if meant_ill or case.method.upper() == "DELETE" or not case.path_parameters:
        return
    chosen = sum(map(ord, str(case.query) + str(case.headers))) % 4
    one = (archive.odd, archive.jpeg["basic offset table"], archive.pdf, None)[chosen]
    if one is not None:
        stored = {"study": one.study, "series": one.series, "instance": one.instance}
        case.path_parameters.update({name: uid for name, uid in stored.items() if name in case.path_parameters})


@schema.parametrize()
@seed(20261123)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_an_operation_answers_as_it_is_described(case: Any, server: Server, archive: Archive) -> None:
    aim(case, archive)
    headers = {}
    if case.media_type == "multipart/related":
        headers["Content-Type"] = 'multipart/related; type="application/dicom"; boundary=schemathesis'
    address = f"http://127.0.0.1:{server.http_port}"
    response = case.call_and_validate(base_url=address, headers=headers, excluded_checks=NOT_ASKED, timeout=10)
    assert response.elapsed < SLOWEST


def test_nothing_was_worth_a_traceback(server: Server) -> None:
    assert server.alive()
    assert "Traceback" not in server.output()
