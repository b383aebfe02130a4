"""Which server is judged, the sample archive in it, and the document of results."""

import time
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from conformance import archive as sample_archive
from conformance.archive import Archive
from conformance.cost import Clock
from conformance.procedure_steps import write_worklist
from conformance.report import Result, render
from conformance.server import COMMAND, ORTHANC, WORKLISTS, Server, free_port
from conformance.service import Service

SINK_PORT = free_port()  # where the destination of C-MOVE listens while a test makes it
RESULTS = Path(__file__).parent / "results.md"
SETTINGS = {
    "DICOMWEB_SERVER_CORS_ORIGINS": "http://viewer.example",
    "DICOMWEB_SERVER_UNKNOWN_ALLOW": "echo,store,find,worklist,get,move,commitment,mpps,availability,ups",
    "DICOMWEB_SERVER_CLOSING_TIMEOUT": "0.1",  # many tests wait for it
    "DICOMWEB_SERVER_MODALITIES": f"sink=SINK@127.0.0.1:{SINK_PORT}",
}
_results: dict[str, Result] = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("conformance")
    group.addoption("--root", help="judge this DICOMweb root instead of a server of our own")
    group.addoption("--dimse", help="and this DIMSE service, as HOST:PORT")
    group.addoption("--orthanc", action="store_true", help="judge Debian's Orthanc, to calibrate the suites")
    group.addoption("--write-results", action="store_true", help=f"write {RESULTS.name} after a whole run")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "requirement(section, level): what a conformance test checks")


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server | None]:
    """The server that the suites started, None when they judge one that runs."""
    if request.config.getoption("--root"):
        yield None
        return
    command = ORTHANC if request.config.getoption("--orthanc") else COMMAND
    folder = tmp_path_factory.mktemp("server")
    write_worklist(folder / WORKLISTS)
    own = Server(folder, command, SETTINGS | {"DICOMWEB_SERVER_WORKLIST_FOLDER": str(folder / WORKLISTS)})
    yield own
    own.stop()


@pytest.fixture
def clock(server: Server | None) -> Clock:
    """What the server under test computes; the time of day, where its process is not known."""
    return server.clock() if server else time.monotonic


@pytest.fixture(scope="session")
def service(request: pytest.FixtureRequest, server: Server | None) -> Iterator[Service]:
    """A client of the service under test."""
    client = Service(server.root if server else str(request.config.getoption("--root")))
    yield client
    client.http.close()


@pytest.fixture(scope="session")
def dimse(request: pytest.FixtureRequest, server: Server | None) -> tuple[str, int]:
    """Where the DIMSE side of the service under test listens."""
    address = str(request.config.getoption("--dimse") or "")
    if server is not None:
        return "127.0.0.1", server.dimse_port
    if not address:
        pytest.skip("no --dimse HOST:PORT beside --root")
    host, _, port = address.rpartition(":")
    return host, int(port)


@pytest.fixture(scope="session")
def sink(server: Server | None, request: pytest.FixtureRequest) -> int:
    """The port of the modality SINK, to which the service under test may move."""
    if server is None or request.config.getoption("--orthanc"):
        pytest.skip("the server knows no modality SINK")
    return SINK_PORT


@pytest.fixture(scope="session")
def worklist(server: Server | None, dimse: tuple[str, int]) -> tuple[str, int]:
    """Where the worklist of the service under test is; it was given the items of the suites as files."""
    if server is None:
        pytest.skip("the server has another worklist")
    return dimse


@pytest.fixture(scope="session")
def performed(request: pytest.FixtureRequest, dimse: tuple[str, int]) -> tuple[str, int]:
    """Where performed procedure steps are reported."""
    if request.config.getoption("--orthanc"):
        pytest.skip("Orthanc takes no performed procedure steps")
    return dimse


@pytest.fixture(scope="session")
def workitems(request: pytest.FixtureRequest, dimse: tuple[str, int]) -> tuple[str, int]:
    """Where workitems (Unified Procedure Steps) are kept."""
    if request.config.getoption("--orthanc"):
        pytest.skip("Orthanc keeps no workitems")
    return dimse


@pytest.fixture(scope="session")
def archive(service: Service) -> Archive:
    """The sample archive, stored."""
    return sample_archive.store(service)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    marker = item.get_closest_marker("requirement")
    if marker is not None and (report.when == "call" or not report.passed):
        name = item.nodeid.removeprefix("conformance/")
        level = marker.args[1] if len(marker.args) > 1 else "S"
        _results[name] = Result(name, marker.args[0], level, report.outcome)
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.getoption("--write-results") and _results:
        RESULTS.write_text(render(list(_results.values())))
