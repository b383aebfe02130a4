"""Large instances and many of them: the first bytes come soon, and memory does not grow with what is sent."""

import time
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from conformance.cost import Clock, at_most
from conformance.samples import EXPLICIT, element, make, new_uid, raw_file, sample, without_meta
from conformance.server import Server
from conformance.service import DICOM, STORED, Service

MEGABYTE = 1 << 20
GROWTH_MB = 96
HUGE = 600 * MEGABYTE
MANY = 2000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    own = Server(tmp_path_factory.mktemp("server"))
    yield own
    own.stop()


@pytest.fixture(scope="module")
def service(server: Server) -> Iterator[Service]:
    client = Service(server.root)
    with client.http:
        yield client


class Huge:
    """A file whose pixel data are all zeros, made as it is sent."""

    def __init__(self) -> None:
        self.one = sample(make())
        head = without_meta(self.one.data) + element(0x7FE00010, b"OB", b"", HUGE)
        self.head = raw_file(head, str(self.one.dataset.SOPClassUID), self.one.instance, EXPLICIT)

    def chunks(self) -> Iterator[bytes]:
        yield self.head
        for _ in range(HUGE // MEGABYTE):
            yield bytes(MEGABYTE)


def test_a_huge_instance_is_stored_and_served_in_little_memory(server: Server, service: Service) -> None:
    huge = Huge()
    service.store(sample(make()).data)
    server.forget_peak()
    before = server.memory_mb()
    stored = service.http.post(
        service.url("/studies"), content=huge.chunks(), headers={"Content-Type": "application/dicom"}
    )
    assert stored.status_code == 200, stored.text
    url, received = service.url(huge.one.path), 0
    with service.http.stream("GET", url, headers={"Accept": "application/dicom; transfer-syntax=*"}) as response:
        for chunk in response.iter_raw():
            received += len(chunk)
    assert received == len(huge.head) + HUGE
    assert server.peak_mb() - before < GROWTH_MB


def _received(service: Service, path: str, clock: Clock) -> int:
    """The length of a body, whose first bytes must come soon."""
    with ExitStack() as stack:
        with at_most(1, clock):
            answer = service.http.stream("GET", service.url(path), headers={"Accept": STORED})
            chunks = stack.enter_context(answer).iter_raw()
            length = len(next(chunks))
        return length + sum(len(chunk) for chunk in chunks)


def test_thousands_of_instances_stream_in_little_memory(server: Server, service: Service) -> None:
    study, series, pixels = new_uid(), new_uid(), bytes(20_000)
    for start in range(0, MANY, 100):
        many = [make(study=study, series=series, InstanceNumber=number) for number in range(start, start + 100)]
        for dataset in many:
            dataset.PatientComments, dataset.EncapsulatedDocument = "many", pixels
        assert service.store(*(sample(dataset).data for dataset in many)).status_code == 200
    server.forget_peak()
    before = server.memory_mb()
    assert _received(service, f"/studies/{study}", server.clock()) > MANY * len(pixels)
    assert server.peak_mb() - before < GROWTH_MB


def test_metadata_of_thousands_of_instances_come_soon(server: Server, service: Service) -> None:
    study = service.search("/studies", {"StudyInstanceUID": "", "orderby": "-NumberOfStudyRelatedInstances"})
    counts = {int(one["00201208"]["Value"][0]): one["0020000D"]["Value"][0] for one in study}
    with at_most(1, server.clock()):
        response = service.get(f"/studies/{counts[MANY]}/metadata")
    assert len(response.json()) == MANY


def test_other_requests_are_served_while_a_large_body_comes(service: Service) -> None:
    huge, waits = Huge(), []

    def chunks() -> Iterator[bytes]:
        for number, chunk in enumerate(huge.chunks()):
            yield chunk
            if number % 60 == 0:
                began = time.monotonic()
                assert httpx.get(service.url("/studies?limit=1"), trust_env=False, timeout=60).status_code == 200
                waits.append(time.monotonic() - began)

    response = service.http.post(
        service.url("/studies"), content=chunks(), headers={"Content-Type": "application/dicom"}
    )
    assert response.status_code == 200
    assert sorted(waits)[len(waits) // 2] < 1  # other work on the machine may keep one of them waiting


def test_a_series_that_is_read_slowly_ends_whole(service: Service) -> None:
    one = sample(make(EncapsulatedDocument=bytes(4 * MEGABYTE)))
    service.store(one.data)
    received = 0
    with service.http.stream("GET", service.url(one.series_path), headers={"Accept": DICOM}) as response:
        for number, chunk in enumerate(response.iter_raw(65536)):
            received += len(chunk)
            if number % 16 == 0:
                time.sleep(0.02)
    assert received == int(response.headers.get("content-length", received))
    assert received > 4 * MEGABYTE
