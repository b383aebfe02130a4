"""The process beside: the same outcomes as without it, whatever becomes of it."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicomweb_server.dicom.origin import Origin
from dicomweb_server.errors import Reason
from dicomweb_server.ports.blobs import Staged
from dicomweb_server.server import reader_process
from dicomweb_server.server.reader_process import ReaderProcess
from dicomweb_server.services.admission import Admitted, Group, IngestPolicy, Preamble, Refused, admit
from dicomweb_server.services.ingest import IngestService, Status
from dicomweb_server.storage.store import Store
from dicomweb_server.storage.threads import Threads
from tests.builders import make_instance

POLICY = IngestPolicy()


def group_of(*contents: bytes, expected: str | None = None) -> Group:
    return [(Staged(len(data), data=data, token=n), expected) for n, data in enumerate(contents)]


@pytest.fixture
def reader() -> Iterator[ReaderProcess]:
    reader = ReaderProcess()
    reader.start()
    deadline = time.monotonic() + 60
    while reader._connection is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert reader._connection is not None
    yield reader
    reader.close()


def test_results_are_those_of_this_process(reader: ReaderProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    with_preamble = b"MZ" + make_instance()[2:]
    group = group_of(make_instance(), b"no DICOM", make_instance(StudyInstanceUID=None), with_preamble)
    here = [admit(staged, expected, POLICY) for staged, expected in group]
    monkeypatch.setattr(reader_process, "admit", None)  # so that only the process can
    there = reader.read(group, POLICY)
    assert there == here
    changed = there[3]
    assert isinstance(changed, Admitted)
    assert changed.staged.data is not None
    assert changed.staged.data.startswith(bytes(128) + b"DICM")


def test_policy_and_expected_study_go_along(reader: ReaderProcess) -> None:
    data = b"MZ" + make_instance()[2:]
    kept = reader.read(group_of(data), IngestPolicy(preamble=Preamble.KEPT))[0]
    assert isinstance(kept, Admitted)
    assert kept.staged.data == data
    refused = reader.read(group_of(data, expected="1.2.3"), POLICY)[0]
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.WRONG_STUDY


def test_a_lost_process_costs_nothing_but_speed(reader: ReaderProcess) -> None:
    group = group_of(make_instance(), make_instance())
    assert reader._process is not None
    reader._process.kill()
    for _ in range(2):
        assert reader.read(group, POLICY) == [admit(staged, expected, POLICY) for staged, expected in group]
    assert reader._process is None


def test_the_process_ends_with_its_connection(reader: ReaderProcess) -> None:
    process = reader._process
    assert process is not None
    assert reader._connection is not None
    reader._connection.close()
    assert process.wait(60) == 0
    reader._connection = None


def test_before_it_is_ready_and_after_it_is_closed_groups_are_read_here() -> None:
    reader = ReaderProcess()
    group = group_of(make_instance())
    assert isinstance(reader.read(group, POLICY)[0], Admitted)
    reader.close()
    assert isinstance(reader.read(group, POLICY)[0], Admitted)
    assert reader._process is None


async def test_ingest_stores_many_through_it(tmp_path: Path, reader: ReaderProcess) -> None:
    store, workers = Store(tmp_path), Threads(2, "test")
    service = IngestService(store.blobs, store.index, workers, reader=reader)
    contents = [make_instance(rows=64, columns=64) for _ in range(20)]
    asked = 0
    read = reader.read

    def counted(group: Group, policy: IngestPolicy) -> list[Admitted | Refused]:
        nonlocal asked
        asked += len(group)
        return read(group, policy)

    reader.read = counted  # type: ignore[method-assign]
    staged = []
    for data in [*contents, b"no DICOM"]:
        staging = service.stage()
        await staging.write(data)
        staged.append(await staging.finish())
    outcomes = await service.ingest_batch(staged, Origin("stow"))
    assert [outcome.status for outcome in outcomes] == [Status.STORED] * 20 + [Status.REJECTED]
    assert asked == 21
    assert (await store.index.counts())["instances"] == 20
    await service.close()
    workers.close()
    await store.close()
