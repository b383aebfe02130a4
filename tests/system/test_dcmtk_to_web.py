"""What DCMTK's storescu sends over DIMSE is found and retrieved over the web, byte by byte."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance import archive as sample_archive
from conformance.archive import Archive
from conformance.samples import Sample, read, transfer_syntax_of, without_meta
from conformance.server import Server
from conformance.service import Service

pytestmark = pytest.mark.skipif(shutil.which("storescu") is None, reason="DCMTK is not installed")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"DICOMWEB_SERVER_UNKNOWN_ALLOW": "echo,store,find,get,move"}
    own = Server(tmp_path_factory.mktemp("server"), environment=settings)
    yield own
    own.stop()


@pytest.fixture(scope="module")
def service(server: Server) -> Iterator[Service]:
    client = Service(server.root)
    with client.http:
        yield client


@pytest.fixture(scope="module")
def sent(server: Server, tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    """The sample archive, sent by storescu in the transfer syntaxes of its files."""
    archive: Archive = sample_archive.build()
    folder = tmp_path_factory.mktemp("files")
    for number, one in enumerate(archive.all):
        (folder / f"{number:02}.dcm").write_bytes(one.data)
    _run("storescu", "+sd", "-R", "-xy", "127.0.0.1", str(server.dimse_port), str(folder))
    return archive.all


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def _retrieved(service: Service, one: Sample) -> bytes:
    response = service.get(one.path, accept="application/dicom; transfer-syntax=*")
    return response.content if response.status_code == 200 else b""


def test_all_of_it_can_be_retrieved(service: Service, sent: list[Sample]) -> None:
    assert not [one.path for one in sent if not _retrieved(service, one)]


def test_what_kept_its_transfer_syntax_kept_its_bytes(service: Service, sent: list[Sample]) -> None:
    got = [(one, _retrieved(service, one)) for one in sent]
    kept = [(one, data) for one, data in got if transfer_syntax_of(data) == transfer_syntax_of(one.data)]
    assert len(kept) > len(sent) // 2
    assert not [one.path for one, data in kept if without_meta(data) != without_meta(one.data)]


def test_what_was_stored_over_the_web_is_found_over_dimse(server: Server, service: Service, tmp_path: Path) -> None:
    archive = sample_archive.build()
    service.store(archive.ct[0].data)
    keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={archive.ct[0].study}", "-k", "PatientID")
    found = _run("findscu", "-S", *keys, "127.0.0.1", str(server.dimse_port))
    assert archive.patient_id in found


def test_what_was_stored_over_the_web_is_got_over_dimse(server: Server, service: Service, tmp_path: Path) -> None:
    archive = sample_archive.build()
    service.store(*(one.data for one in archive.ct))
    keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={archive.ct[0].study}")
    _run("getscu", "-S", *keys, "-od", str(tmp_path), "127.0.0.1", str(server.dimse_port))
    got = [read(path.read_bytes()) for path in tmp_path.iterdir()]
    assert {one.SOPInstanceUID: one.PixelData for one in got} == {
        one.instance: one.dataset.PixelData for one in archive.ct
    }
