"""Sending: the association to a destination is kept for what comes next, and found again when the peer ended it."""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest
from pydicom import dcmread

from conformance.patience import until
from conformance.server import free_port
from dicomweb_server.dimse.client import DimseClient
from dicomweb_server.dimse.options import DimseOptions
from dicomweb_server.services.modalities import Modality, PeerError, Transfer, Watch
from dicomweb_server.services.retrieve import Scope, StoredInstance
from tests.app.dimse_harness import AE_TITLE, Node, open_node
from tests.app.dimse_peers import IMPATIENT, fill, study
from tests.builders import make_instance

OPTIONS = DimseOptions(ae_title="HERE", timeouts=IMPATIENT, keep_associations=2.0)
MR = "1.2.840.10008.5.1.4.1.1.4"


async def stored(node: Node, files: list[bytes]) -> list[StoredInstance]:
    datasets = await fill(node, *files)
    return list(await node.services.retrieve.instances(Scope(datasets[0].StudyInstanceUID)))


async def until_open(node: Node, count: int) -> None:
    await until(lambda: node.server.associations == count)


async def test_one_association_for_what_is_sent_one_after_the_other(tmp_path: Path) -> None:
    async with open_node(tmp_path / "here") as here, open_node(tmp_path / "there") as there:
        client = DimseClient(here.services, OPTIONS)
        remote = client.peer(Modality(AE_TITLE, "127.0.0.1", there.port))
        for _ in range(3):
            assert await remote.store(await stored(here, study(2))) == Transfer(2, 0, 0)
            assert there.server.associations == 1
        # Another SOP class needs another context, so another association; the first one goes.
        assert await remote.store(await stored(here, study(1, SOPClassUID=MR))) == Transfer(1, 0, 0)
        await until_open(there, 1)
        assert await remote.store(await stored(here, study(1))) == Transfer(1, 0, 0)
        assert there.server.associations == 1
        await until_open(there, 0)  # nothing came for a while
        assert await remote.store(await stored(here, study(1))) == Transfer(1, 0, 0)
        await client.close()
        await until_open(there, 0)
        assert await there.instances() == 9


class Counts:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, ...]] = []

    def association_ended(self, part: str, how: str, seconds: float, received: int, sent: int) -> None:
        assert seconds > 0
        assert received > 0
        self.told.append((part, how))

    def operation_ended(self, part: str, service: str, outcome: str, seconds: float) -> None:
        self.told.append((part, service, outcome))


async def test_what_we_ask_is_counted_and_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with open_node(tmp_path / "here") as here, open_node(tmp_path / "there") as there:
        counts = Counts()
        client = DimseClient(here.services, OPTIONS, counts)
        remote = client.peer(Modality(AE_TITLE, "127.0.0.1", there.port))
        await remote.echo()
        await remote.store(await stored(here, study(1)))
        await client.close()
        assert counts.told == [
            ("scu", "C-ECHO", "success"), ("scu", "released"), ("scu", "C-STORE", "success"), ("scu", "released"),
        ]  # fmt: skip
        requested = [record for record in caplog.records if record.message == "association requested"]
        assert [(record.__dict__["called"], record.__dict__["end"]) for record in requested] == [
            (AE_TITLE, "released")
        ] * 2


async def test_a_kept_association_that_the_peer_has_ended(tmp_path: Path) -> None:
    async with open_node(tmp_path / "here") as here, open_node(tmp_path / "there") as there:
        client = DimseClient(here.services, OPTIONS)
        remote = client.peer(Modality(AE_TITLE, "127.0.0.1", there.port))
        assert (await remote.store(await stored(here, study(1)))).completed == 1
        for session in list(there.server._sessions):
            session.cut("for a test")
        # Whether or not we have noticed it yet.
        assert (await remote.store(await stored(here, study(3)))).completed == 3
        await client.close()


async def test_sending_can_be_watched_and_cancelled(tmp_path: Path) -> None:
    async with open_node(tmp_path / "here") as here, open_node(tmp_path / "there") as there:
        client = DimseClient(here.services, OPTIONS)
        remote = client.peer(Modality(AE_TITLE, "127.0.0.1", there.port))
        told: list[Transfer] = []
        instances = await stored(here, study(5))
        await remote.store(instances, Watch(told.append))
        assert [each.remaining for each in told] == [4, 3, 2, 1, 0]
        stopped = await remote.store(instances, Watch(cancelled=lambda: True))
        assert stopped == Transfer(0, 0, 0, {}, 5)
        await client.close()


async def test_a_file_that_is_not_stored_here(tmp_path: Path) -> None:
    async with open_node(tmp_path / "here") as here, open_node(tmp_path / "there") as there:
        client = DimseClient(here.services, OPTIONS)
        remote = client.peer(Modality(AE_TITLE, "127.0.0.1", there.port))
        file = make_instance()
        reference = await remote.store_file(file)
        path = tmp_path / "file.dcm"
        path.write_bytes(file)
        dataset = dcmread(path)
        assert (reference.sop_class_uid, reference.instance_uid) == (dataset.SOPClassUID, dataset.SOPInstanceUID)
        assert (await there.instances(), await here.instances()) == (1, 0)
        nobody = client.peer(Modality(AE_TITLE, "127.0.0.1", free_port()))
        with pytest.raises(PeerError, match=r"127\.0\.0\.1"):
            await nobody.store_file(file)


async def test_our_title_and_patience_by_modality(tmp_path: Path) -> None:
    titles: list[str] = []
    ended = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        titles.append((await reader.readexactly(42))[26:42].decode().strip())
        with suppress(ConnectionError):
            await reader.read()
        writer.transport.abort()
        ended.set()

    async with open_node(tmp_path) as here, await asyncio.start_server(silent, "127.0.0.1") as listener:
        port = listener.sockets[0].getsockname()[1]
        client = DimseClient(here.services, DimseOptions(ae_title="HERE"))  # patient: half a minute
        remote = client.peer(Modality("SILENT", "127.0.0.1", port, local_ae_title="OTHERUS", timeout=0.2))
        started = asyncio.get_running_loop().time()
        with pytest.raises(PeerError):
            await remote.echo()
        assert asyncio.get_running_loop().time() - started < 10
        await ended.wait()
        assert titles == ["OTHERUS"]
