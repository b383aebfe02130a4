"""What one destination can bear is not exceeded, whoever sends to it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from conformance.server import free_port
from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dimse.limits import DestinationLimits, Pace
from dicomweb_server.dimse.options import Modality
from dicomweb_server.services.modalities import Transfer
from dicomweb_server.services.retrieve import Scope, StoredInstance
from tests.app.dimse_harness import AE_TITLE, Node, open_node
from tests.app.dimse_peers import fill, study

MR = "1.2.840.10008.5.1.4.1.1.4"


async def stored(node: Node, files: list[bytes]) -> list[StoredInstance]:
    (first, *_) = await fill(node, *files)
    return list(await node.services.retrieve.instances(Scope(first.StudyInstanceUID)))


async def peak(node: Node, work: "asyncio.Future[Any]") -> int:
    """The most associations that a node had meanwhile."""
    most = 0
    while not work.done():
        most = max(most, node.server.associations)
        await asyncio.sleep(0.001)
    return most


@pytest.mark.parametrize(("limit", "least", "most"), [(1, 1, 1), (2, 2, 2), (0, 5, 9)])
async def test_associations_of_all_together(tmp_path: Path, limit: int, least: int, most: int) -> None:
    async with open_node(tmp_path / "here") as here, open_node(tmp_path / "there") as there:
        studies = [await stored(here, study(20, SOPClassUID=MR) if n % 2 else study(20)) for n in range(3)]
        node = Modality(AE_TITLE, "127.0.0.1", there.port, associations=3, max_associations=limit)
        peers = [here.server.client.peer(node) for _ in studies]
        work = asyncio.gather(*(peer.store(each) for peer, each in zip(peers, studies, strict=True)))
        assert least <= await peak(there, work) <= most
        assert await work == [Transfer(20, 0, 0)] * 3
        assert await there.instances() == 60


async def test_who_gives_up_or_finds_nobody_leaves_room_for_others(tmp_path: Path) -> None:
    async with open_node(tmp_path / "here") as here, open_node(tmp_path / "there") as there:
        instances = await stored(here, study(3))
        dead = Modality(AE_TITLE, "127.0.0.1", free_port(), max_associations=1)
        for _ in range(2):
            assert (await here.server.client.peer(dead).store(instances)).failed == 3
        node = Modality(AE_TITLE, "127.0.0.1", there.port, max_associations=1, bandwidth=1000)
        given_up = asyncio.create_task(here.server.client.peer(node).store(instances))
        waiting = asyncio.create_task(here.server.client.peer(node).store(instances))
        await asyncio.sleep(0.2)
        for task in (waiting, given_up):
            task.cancel()
        await asyncio.gather(given_up, waiting, return_exceptions=True)
        slots = here.server.client.destinations.limits.of(node).slots
        assert slots is not None
        assert not slots.locked()


@pytest.mark.parametrize("rows", [64, 1200])  # at once, and as a stream
async def test_bandwidth_of_all_together(tmp_path: Path, rows: int) -> None:
    async with open_node(tmp_path / "here") as here, open_node(tmp_path / "there") as there:
        studies = [await stored(here, study(3, rows=rows, columns=rows)) for _ in range(2)]
        size = sum(instance.size for each in studies for instance in each)
        node = Modality(AE_TITLE, "127.0.0.1", there.port, bandwidth=size // 2)
        started = asyncio.get_running_loop().time()
        peers = [here.server.client.peer(node) for _ in studies]
        sent = await asyncio.gather(*(peer.store(each) for peer, each in zip(peers, studies, strict=True)))
        took = asyncio.get_running_loop().time() - started
        assert sent == [Transfer(3, 0, 0)] * 2
        assert took > 0.6  # of almost two seconds, the first one is free


async def test_c_get_by_a_node_with_a_bandwidth(tmp_path: Path) -> None:
    port = free_port()
    async with open_node(tmp_path / "there", ae_title="SLOW", port=port) as there:
        slow = {"slow": Modality("SLOW", "127.0.0.1", port, bandwidth=20_000)}
        async with open_node(tmp_path / "here", modalities=slow) as here:
            instances = await stored(here, study(3, rows=64, columns=64))  # of 8 kB each
            asked = {"0020000D": {"vr": "UI", "Value": [instances[0].study_uid]}}
            started = asyncio.get_running_loop().time()
            archive = Modality(AE_TITLE, "127.0.0.1", here.port)
            assert await there.server.client.peer(archive).get(Level.STUDY, asked) == Transfer(3, 0, 0)
            assert asyncio.get_running_loop().time() - started > 0.2


async def test_the_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("dicomweb_server.dimse.limits.asyncio.sleep", sleep)
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: 50.0)
    pace = Pace(100_000)
    for size in (100_000, 10_000, 10_000):
        await pace.take(size)
    assert waits == pytest.approx([0.1, 0.2])  # the first second's worth goes at once


def test_limits_are_shared_and_follow_the_settings() -> None:
    limits, node = DestinationLimits(), Modality("A", "h", 104, bandwidth=5)
    assert limits.of(node) is limits.of(Modality("A", "h", 104, bandwidth=5, timeout=7))
    assert limits.of(node) is not limits.of(Modality("A", "h", 104, bandwidth=6))
    assert limits.of(Modality("A", "h", 104)).pace is None
