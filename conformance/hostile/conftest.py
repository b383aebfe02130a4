"""A server with short patience, and the check after every test that it came through unharmed."""

from collections.abc import Iterator

import pytest

from conformance.cost import Clock, at_most
from conformance.patience import SOON
from conformance.samples import make, sample
from conformance.server import COMMAND, ORTHANC, Server
from conformance.service import Service

MEMORY_OF_A_PROCESS_MB = 80  # that a test happens to meet when it starts: an interpreter with what it imports
MEMORY_GROWTH_MB = 128  # beyond the bytes of a request, which are at most MAX_REQUEST
PATIENCE = 1.0
MAX_REQUEST = 64 << 20
SETTINGS = {
    "DICOMWEB_SERVER_HEADER_TIMEOUT": str(PATIENCE),
    "DICOMWEB_SERVER_BODY_TIMEOUT": str(PATIENCE),
    "DICOMWEB_SERVER_MAX_REQUEST_SIZE": str(MAX_REQUEST),
}


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server | None]:
    """A server of its own for bad input; None when the suites judge one that runs."""
    if request.config.getoption("--root"):
        yield None
        return
    command = ORTHANC if request.config.getoption("--orthanc") else COMMAND
    own = Server(tmp_path_factory.mktemp("hostile"), command, SETTINGS)
    yield own
    own.stop()


@pytest.fixture(scope="session")
def service(request: pytest.FixtureRequest, server: Server | None) -> Iterator[Service]:
    """A client of the service under attack, with something stored to see whether it is lost."""
    client = Service(server.root if server else str(request.config.getoption("--root")))
    client.http.headers["Connection"] = (
        "close"  # the server waits for the next request for as short a time as for others
    )
    yield client
    client.http.close()


@pytest.fixture(scope="session")
def witness(service: Service) -> str:
    """Path of an instance that must stay retrievable whatever happens."""
    one = sample(make())
    assert service.store(one.data).status_code == 200
    return one.path


@pytest.fixture(autouse=True)
def unharmed(server: Server | None, service: Service, witness: str, clock: Clock) -> Iterator[None]:
    """After each test the next request is served, soon; nothing is lost; no traceback; memory is bounded."""
    written, memory, processes = 0, 0.0, 0
    if server:
        server.forget_peak()
        written, memory, processes = len(server.output()), server.memory_mb(), len(server.pids())
    yield
    with at_most(2, clock):  # also of what may go on in the background
        response = service.get(witness + "/metadata")
    assert (response.status_code, response.elapsed.total_seconds() < SOON) == (200, True)
    if server:
        assert "Traceback" not in server.output()[written:]
        started = max(0, len(server.pids()) - processes)
        assert server.peak_mb() - memory < MEMORY_GROWTH_MB + started * MEMORY_OF_A_PROCESS_MB
