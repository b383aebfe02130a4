"""Peers over DIMSE: echo, store, find, get and move, with another of our servers, with DCMTK's and with Orthanc."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import build_context

from conformance.patience import until, until_listening
from conformance.server import free_port
from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dimse.client import DimseClient
from dicomweb_server.dimse.contexts import Service
from dicomweb_server.dimse.gettable import storage_proposals
from dicomweb_server.dimse.options import DimseOptions, Modality
from dicomweb_server.dimse.peer import DimsePeer
from dicomweb_server.services.comparison import compared
from dicomweb_server.services.modalities import Attributes, PeerError, Reference, Transfer
from dicomweb_server.services.retrieve import Scope, StoredInstance
from tests.app.dimse_harness import AE_TITLE, CT, EXPLICIT, Node, needs_dcmtk, open_node
from tests.app.dimse_peers import IMPATIENT, answered, fill, receiver, study
from tests.builders import fake_jpeg, make_encapsulated


def peer(here: Node, port: int, ae_title: str = AE_TITLE) -> DimsePeer:
    """A remote as seen from a node."""
    options = DimseOptions(ae_title="HERE", timeouts=IMPATIENT, keep_associations=0)
    return DimseClient(here.services, options).peer(Modality(ae_title, "127.0.0.1", port))


def keys(**attributes: Any) -> Attributes:
    """DICOM JSON of some keywords."""
    dataset = Dataset()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    found: Attributes = json.loads(dataset.to_json())
    return found


async def instances(node: Node, datasets: list[Dataset]) -> list[StoredInstance]:
    return list(await node.services.retrieve.instances(Scope(datasets[0].StudyInstanceUID)))


@asynccontextmanager
async def dcmqrscp(folder: Path, port: int, move_port: int) -> AsyncIterator[None]:
    """DCMTK's archive."""
    storage = folder / "QR"
    storage.mkdir(parents=True)
    config = folder / "dcmqrscp.cfg"
    config.write_text(
        f"NetworkTCPPort = {port}\nMaxPDUSize = 16384\nMaxAssociations = 16\n"
        f"HostTable BEGIN\nhere = (HERE, 127.0.0.1, {move_port})\nHostTable END\n"
        f"AETable BEGIN\nQR {storage} RW (9, 1024mb) ANY\nAETable END\n"
    )
    process = await asyncio.create_subprocess_exec("dcmqrscp", "-c", str(config))
    await until_listening(port)
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def test_everything_with_another_of_our_servers(tmp_path: Path) -> None:
    async with open_node(tmp_path / "here", ae_title="HERE") as here:
        modalities = {"here": Modality("HERE", "127.0.0.1", here.port)}
        async with open_node(tmp_path / "there", modalities=modalities) as there:
            remote = peer(here, there.port)
            await remote.echo()
            sent = await fill(here, *study(3, PatientName="Müller^Jörg"))
            assert await remote.store(await instances(here, sent)) == Transfer(3, 0, 0)
            assert await there.instances() == 3

            found = [each async for each in remote.find(Level.STUDY, keys(PatientName="müller*", StudyInstanceUID=""))]
            assert [each["0020000D"]["Value"] for each in found] == [[sent[0].StudyInstanceUID]]
            assert found[0]["00100010"]["Value"] == [{"Alphabetic": "Müller^Jörg"}]

            other = await fill(there, *study(4))
            named = keys(StudyInstanceUID=other[0].StudyInstanceUID)
            assert await remote.get(Level.STUDY, named) == Transfer(4, 0, 0)
            assert await here.instances() == 7
            more = await fill(there, *study(2))
            named = keys(StudyInstanceUID=more[0].StudyInstanceUID)
            assert await remote.move(Level.STUDY, named, "HERE") == Transfer(2, 0, 0)
            assert await here.instances() == 9


async def test_compressed_instances_are_fetched_as_they_are(tmp_path: Path) -> None:
    async with open_node(tmp_path / "here") as here, open_node(tmp_path / "there") as there:
        (stored,) = await fill(there, make_encapsulated([fake_jpeg(b"x")]))
        transfer = await peer(here, there.port).get(Level.STUDY, keys(StudyInstanceUID=stored.StudyInstanceUID))
        assert transfer == Transfer(1, 0, 0)
        (instance,) = await instances(here, [stored])
        assert instance.transfer_syntax_uid == "1.2.840.10008.1.2.4.50"


async def test_failures_are_told(tmp_path: Path) -> None:
    only_find = frozenset({Service.FIND, Service.MOVE})
    async with open_node(tmp_path / "here") as here, open_node(tmp_path / "there", unknown_allow=only_find) as there:
        remote = peer(here, there.port)
        with pytest.raises(PeerError, match="does not accept"):
            await remote.echo()
        sent = await fill(here, *study(2))
        transfer = await remote.store(await instances(here, sent))
        assert transfer.failed == 2
        assert transfer.failures == {
            each.SOPInstanceUID: "no context was accepted that it can be sent in" for each in sent
        }
        with pytest.raises(PeerError, match="A900H"):
            _ = [each async for each in remote.find(Level.SERIES, keys(Modality="CT"))]
        with pytest.raises(PeerError, match="A801H"):
            await remote.move(Level.STUDY, keys(StudyInstanceUID="1.2.3"), "NOBODY")
        nobody = peer(here, free_port())
        with pytest.raises(PeerError, match=r"127\.0\.0\.1"):
            await nobody.echo()
        transfer = await nobody.store(await instances(here, sent))
        assert transfer.failed == 2
        assert all("127.0.0.1 port" in why for why in transfer.failures.values())


async def test_the_peers_own_words_are_told_but_not_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def refuse(event: Any) -> Dataset:
        status = Dataset()
        status.Status, status.ErrorComment = 0xA700, "no room for Doe^Jane"
        return status

    port = free_port()
    async with open_node(tmp_path) as here:
        (sent,) = await fill(here, *study(1))
        with receiver(port, [build_context(CT, [EXPLICIT])], refuse):
            transfer = await peer(here, port).store(await instances(here, [sent]))
    assert transfer.failures == {sent.SOPInstanceUID: "status A700H no room for Doe^Jane"}
    logged = " ".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    assert "status A700H" in logged
    assert "Doe" not in logged


async def test_whoever_stops_early_leaves_nothing_behind(tmp_path: Path) -> None:
    async with open_node(tmp_path / "here") as here, open_node(tmp_path / "there") as there:
        for _ in range(5):
            await fill(there, *study(1))
        matches = peer(here, there.port).find(Level.STUDY, keys(StudyInstanceUID=""))
        assert await anext(matches)
        await matches.aclose()
        await until(lambda: there.server.associations == 0)


@needs_dcmtk
async def test_dcmqrscp(tmp_path: Path) -> None:
    port = free_port()
    async with open_node(tmp_path / "here", ae_title="HERE") as here, dcmqrscp(tmp_path, port, here.port):
        remote = peer(here, port, "QR")
        await remote.echo()
        sent = await fill(here, *study(3, PatientID="P7", StudyDate="20240131"))
        named = keys(StudyInstanceUID=sent[0].StudyInstanceUID)
        assert await remote.store(await instances(here, sent)) == Transfer(3, 0, 0)
        asked = keys(PatientID="P7", StudyDate="20240101-20241231", StudyInstanceUID="")
        (found,) = [each async for each in remote.find(Level.STUDY, asked)]
        assert found["0020000D"]["Value"] == [sent[0].StudyInstanceUID]
        await here.services.delete.delete(Scope(sent[0].StudyInstanceUID))
        assert (await remote.move(Level.STUDY, named, "HERE")).completed == 3
        await here.services.delete.delete(Scope(sent[0].StudyInstanceUID))
        assert (await remote.get(Level.STUDY, named)).completed == 3
        assert await here.instances() == 3


@pytest.mark.skipif(shutil.which("Orthanc") is None, reason="Orthanc is not installed")
async def test_orthanc(tmp_path: Path) -> None:
    port, web_port = free_port(), free_port()
    async with open_node(tmp_path / "here", ae_title="HERE") as here:
        config = tmp_path / "orthanc.json"
        folder = str(tmp_path / "orthanc")
        settings = {
            "StorageDirectory": folder, "IndexDirectory": folder, "DicomPort": port, "HttpPort": web_port,
            "DicomAet": "ORTHANC", "DicomModalities": {"here": ["HERE", "127.0.0.1", here.port]},
        }  # fmt: skip
        await asyncio.to_thread(config.write_text, json.dumps(settings))
        process = await asyncio.create_subprocess_exec(
            "Orthanc", str(config), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            await until_listening(port)
            remote = peer(here, port, "ORTHANC")
            await remote.echo()
            sent = await fill(here, *study(3, PatientID="P7"))
            assert await remote.store(await instances(here, sent)) == Transfer(3, 0, 0)
            (found,) = [each async for each in remote.find(Level.STUDY, keys(PatientID="P7", StudyInstanceUID=""))]
            assert found["0020000D"]["Value"] == [sent[0].StudyInstanceUID]
            named = keys(StudyInstanceUID=sent[0].StudyInstanceUID)
            transaction = await here.services.commitments.ask(
                Modality("ORTHANC", "127.0.0.1", port),
                [Reference(each.SOPClassUID, each.SOPInstanceUID) for each in sent] + [Reference(CT, "1.2.3")],
            )
            await here.services.delete.delete(Scope(sent[0].StudyInstanceUID))
            assert (await remote.move(Level.STUDY, named, "HERE")).completed == 3
            assert await here.instances() == 3
            told = await answered(here, transaction)
            assert len(told.committed) == 3
            assert told.failed == ((Reference(CT, "1.2.3"), 0x0112),)
        finally:
            process.terminate()
            await process.wait()


@pytest.mark.parametrize("classes", [[], [CT], [CT, "1.2.840.10008.1.1", CT], [f"1.2.3.{n}" for n in range(500)]])
def test_contexts_for_what_is_fetched(classes: list[str]) -> None:
    proposals = storage_proposals(classes)
    assert 0 < len(proposals) <= 127
    assert len(set(proposals)) == len(proposals)
    assert CT in {uid for uid, _ in proposals} or len(classes) == 500


async def test_comparing_two_archives(tmp_path: Path) -> None:
    async with open_node(tmp_path / "here") as here, open_node(tmp_path / "there") as there:
        both, only_here, only_there = study(2, PatientName="Müller^A"), study(1), study(1)
        (stored, *_) = await fill(here, *both)
        (ours,) = await fill(here, *only_here)
        await fill(there, both[0])
        (theirs,) = await fill(there, *only_there)
        found = await compared(here.services.search, peer(here, there.port), Level.STUDY, {})
        assert found.missing_here == [theirs.StudyInstanceUID]
        assert found.missing_there == [ours.StudyInstanceUID]
        assert found.different == [stored.StudyInstanceUID]
        named = keys(StudyInstanceUID=stored.StudyInstanceUID, SeriesInstanceUID=stored.SeriesInstanceUID)
        found = await compared(here.services.search, peer(here, there.port), Level.INSTANCE, named)
        assert (len(found.here), len(found.there), len(found.missing_there)) == (2, 1, 1)
        by_name = await compared(here.services.search, peer(here, there.port), Level.STUDY, keys(PatientName="Müller*"))
        assert (len(by_name.here), len(by_name.there)) == (1, 1)
