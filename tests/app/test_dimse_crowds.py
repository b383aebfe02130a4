"""Many at one time: silent sockets and too many associations cost little, and those who have work are served."""

import asyncio
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.patience import SOON, until
from dicomweb_server.bootstrap.dimse import dimse_options
from dicomweb_server.dimse.message import Command, CommandField, encode
from dicomweb_server.dimse.options import Modality
from dicomweb_server.dimse.pdu import HEADER, PduType
from dicomweb_server.dimse.streaming import Inbox
from dicomweb_server.settings import Settings
from tests.app.dimse_harness import VERIFICATION, healthy, needs_dcmtk, open_node, pdv, store_command, tool, write_files
from tests.builders import make_instance


@needs_dcmtk
@pytest.mark.parametrize("beginning", [b"", b"\1", HEADER.pack(PduType.ASSOCIATE_RQ, 300) + bytes(299)])
async def test_200_silent_sockets_while_a_modality_sends(tmp_path: Path, beginning: bytes) -> None:
    folder = write_files(tmp_path / "files", [make_instance(InstanceNumber=n) for n in range(30)])
    async with open_node(tmp_path / "store", most_associations=5) as node:
        silent = [await node.peer() for _ in range(200)]
        for peer in silent:
            await peer.send(beginning)
        await tool("dcmsend", "+sd", "127.0.0.1", node.port, folder)
        assert await node.instances() == 30
        await until(lambda: node.server.associations == 0)
        for peer in silent:
            peer.vanish()


async def test_silent_sockets_are_cut_when_there_are_too_many(tmp_path: Path) -> None:
    async with open_node(tmp_path, most_connections=20) as node:
        peers = [await node.peer() for _ in range(30)]
        assert await peers[0].closed() == b""
        assert await healthy(node)
        for peer in peers:
            peer.vanish()


async def test_more_associations_than_there_is_room_for(tmp_path: Path) -> None:
    async with open_node(tmp_path, most_associations=3) as node:
        peers = [await node.peer() for _ in range(5)]
        answers = [(await peer.associate())[0] for peer in peers]
        assert answers == [PduType.ASSOCIATE_AC] * 3 + [PduType.ASSOCIATE_RJ] * 2
        await peers[0].release()
        await until(lambda: node.server.associations == 2)
        assert await healthy(node)
        for peer in peers[1:]:
            peer.vanish()


def _resident() -> int:
    """Bytes of memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.fixture
def many_sockets() -> Iterator[None]:
    """Both ends of a thousand connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4096 if hard == resource.RLIM_INFINITY else min(hard, 4096)
    if wanted < 4096:
        pytest.skip("not enough files may be open")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("limit", [2000, 100])
@pytest.mark.usefixtures("many_sockets")
async def test_a_thousand_associations_at_once(tmp_path: Path, limit: int) -> None:
    """All are open at one time; those beyond a limit are told so, and one that is known has its place."""
    known = {"known": Modality("KNOWN", "127.0.0.1", 104)}
    limits: dict[str, Any] = {
        "most_associations": limit,
        "most_associations_per_address": 2000,
    }
    async with open_node(tmp_path, modalities=known, **limits) as node:
        before = _resident()
        peers = await asyncio.gather(*(node.peer() for _ in range(1000)))
        answers = [kind for kind, _ in await asyncio.gather(*(peer.associate(seconds=60) for peer in peers))]
        assert _resident() - before < 200 << 20  # of both ends
        taken = 1000 if limit > 1000 else limit - limit // 10
        assert (answers.count(PduType.ASSOCIATE_AC), answers.count(PduType.ASSOCIATE_RJ)) == (taken, 1000 - taken)
        assert node.server.associations == taken
        accepted = [peer for peer, kind in zip(peers, answers, strict=True) if kind == PduType.ASSOCIATE_AC]
        assert set(await asyncio.gather(*(peer.echo(seconds=60) for peer in accepted))) == {0}
        modality = await node.peer()
        assert (await modality.associate(calling="KNOWN"))[0] == PduType.ASSOCIATE_AC
        assert await modality.echo() == 0
        await modality.release()
        await asyncio.gather(*(peer.release() for peer in accepted))
        assert await healthy(node)
        for peer in peers:
            peer.vanish()
        await until(lambda: node.server.associations == 0)


@pytest.mark.parametrize(("given", "limit"), [({}, 30), ({"max_associations_per_address": 2}, 2)])
def test_one_address_may_have_as_many_as_settings_say(given: dict[str, Any], limit: int) -> None:
    settings = Settings(data=Path("unused"), max_associations=30, **given)
    assert dimse_options(settings).most_associations_per_address == limit


async def test_one_address_does_not_get_all(tmp_path: Path) -> None:
    async with open_node(tmp_path, most_associations_per_address=2) as node:
        peers = [await node.peer() for _ in range(3)]
        assert [(await peer.associate())[0] for peer in peers] == [PduType.ASSOCIATE_AC] * 2 + [PduType.ASSOCIATE_RJ]
        await peers[0].release()
        await until(lambda: node.server.associations == 1)
        assert await healthy(node)
        for peer in peers[1:]:
            peer.vanish()


@pytest.mark.parametrize("kind", ["values", "values in a PDU", "echoes"])
async def test_a_flood_leaves_the_event_loop_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    most = count = total = 0
    feed = Inbox.feed

    def counted(inbox: Inbox, context_id: int, control: int, fragment: memoryview) -> None:
        nonlocal most, count, total
        count, total = count + 1, total + 1
        most = max(most, count)
        feed(inbox, context_id, control, fragment)

    monkeypatch.setattr(Inbox, "feed", counted)
    store = encode(store_command("1.2.3"))
    small = pdv(3, 0, b"x")
    together = small[HEADER.size :] * 2000
    echo = encode(Command(field=CommandField.C_ECHO_RQ, affected_sop_class_uid=VERIFICATION, message_id=1))
    floods = {
        "values": pdv(3, 3, store) + small * 2000,
        "values in a PDU": pdv(3, 3, store) + HEADER.pack(PduType.P_DATA, len(together)) + together,
        "echoes": pdv(1, 3, echo) * 2001,
    }
    async with open_node(tmp_path) as node:
        peer = await node.peer()
        await peer.associate()
        sending = asyncio.create_task(peer.send(floods[kind]))
        async with asyncio.timeout(SOON):
            while total < 2001:
                count = 0
                await asyncio.sleep(0)
        await sending
        peer.vanish()
        assert await healthy(node)
    assert most <= 2 * 64  # a turn of ours may fall between two of the connection's
