"""schemathesis makes requests of openapi.json, right and wrong ones: no 5xx, no status or answer that is not described.

About a minute; DICOMWEB_SERVER_SCHEMATHESIS_EXAMPLES (for each operation, 12 without it) makes it longer.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import seed
from schemathesis import GenerationMode

from conformance import archive as sample_archive
from conformance.archive import Archive
from conformance.server import Server
from conformance.service import Service
from tests.app.schema_cases import DOCUMENT, NOT_ASKED, answered, some

EXAMPLES = int(os.environ.get("DICOMWEB_SERVER_SCHEMATHESIS_EXAMPLES", "12"))
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
@some(EXAMPLES)
def test_an_operation_answers_as_it_is_described(case: Any, server: Server, archive: Archive) -> None:
    aim(case, archive)
    headers = {}
    if case.media_type == "multipart/related":
        headers["Content-Type"] = 'multipart/related; type="application/dicom"; boundary=schemathesis'
    answered(case, server, headers, NOT_ASKED)


def test_nothing_was_worth_a_traceback(server: Server) -> None:
    assert server.alive()
    assert "Traceback" not in server.output()
