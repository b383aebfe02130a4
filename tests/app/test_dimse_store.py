"""C-ECHO and C-STORE: DCMTK, pynetdicom and a raw peer send, the store has what they sent, bit for bit."""

import asyncio
import socket
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    RLELossless,
    generate_uid,
)
from pynetdicom import AE, build_context

from dicomweb_server.dicom.part10 import read_file_meta
from dicomweb_server.dimse.contexts import Service
from dicomweb_server.dimse.items import AsynchronousWindow, CommonExtendedNegotiation, ProposedContext, UserInformation
from dicomweb_server.dimse.options import Modality, OnMismatch
from dicomweb_server.dimse.pdu import PduType, decode_accept, decode_reject
from dicomweb_server.services.acceptance import Acceptance
from dicomweb_server.services.ingest import IngestOutcome, IngestPolicy, IngestService, OnDuplicate
from dicomweb_server.services.retrieve import Scope
from tests.app.dimse_harness import (
    AE_TITLE,
    CT,
    EXPLICIT,
    IMPLICIT,
    VERIFICATION,
    Node,
    Peer,
    needs_dcmtk,
    open_node,
    store_command,
    tool,
    write_files,
)
from tests.builders import bare_dataset, fake_jpeg, make_encapsulated, make_instance, make_rle


async def stored_file(node: Node, data: bytes) -> bytes:
    dataset = dcmread(BytesIO(data), stop_before_pixels=True)
    scope = Scope(dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID)
    instance = await node.services.retrieve.instance(scope)
    return await node.services.retrieve.contents.read(node.services.retrieve.file(instance))


def dataset_of(data: bytes) -> bytes:
    return data[read_file_meta(data)[1] :]


@needs_dcmtk
async def test_echoscu(tmp_path: Path) -> None:
    async with open_node(tmp_path) as node:
        await tool("echoscu", "-aec", AE_TITLE, "127.0.0.1", node.port)
        await tool("echoscu", "-pts", 38, "-ppc", 128, "--repeat", 5, "127.0.0.1", node.port)
        for size in (4096, 131072):
            await tool("echoscu", "-pdu", size, "127.0.0.1", node.port)
        await tool("echoscu", "--abort", "127.0.0.1", node.port, ok=False)
        await tool("echoscu", "127.0.0.1", node.port)


@needs_dcmtk
@pytest.mark.parametrize(
    ("syntax", "option"),
    [
        (ImplicitVRLittleEndian, "-xi"),
        (ExplicitVRLittleEndian, "-xe"),
        (ExplicitVRBigEndian, "-xb"),
        (DeflatedExplicitVRLittleEndian, "-xd"),
        (JPEGBaseline8Bit, "-xy"),
        (RLELossless, "-xr"),
    ],
)
async def test_storescu_in_each_transfer_syntax(tmp_path: Path, syntax: str, option: str) -> None:
    if syntax == JPEGBaseline8Bit:
        data = make_encapsulated([fake_jpeg(b"one"), fake_jpeg(b"two")])
    elif syntax == RLELossless:
        data = make_rle(frames=2)
    else:
        data = make_instance(transfer_syntax_uid=syntax)
    async with open_node(tmp_path / "store") as node:
        folder = write_files(tmp_path / "files", [data])
        await tool("storescu", option, "-aec", AE_TITLE, "127.0.0.1", node.port, folder / "0000.dcm")
        stored = dcmread(BytesIO(await stored_file(node, data)))
        assert stored.file_meta.TransferSyntaxUID == syntax
        assert stored.file_meta.MediaStorageSOPInstanceUID == stored.SOPInstanceUID
        assert stored == dcmread(BytesIO(data))


@needs_dcmtk
@pytest.mark.parametrize("environment", [{"TCP_NODELAY": "1"}, {}])
async def test_dcmsend_of_a_folder_with_and_without_nagle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    arrived: list[float] = []
    ingest = IngestService.ingest

    async def noted(*arguments: Any, **named: Any) -> IngestOutcome:
        arrived.append(asyncio.get_running_loop().time())
        return await ingest(*arguments, **named)

    monkeypatch.setattr(IngestService, "ingest", noted)
    files = [make_instance(InstanceNumber=n, rows=64, columns=64) for n in range(90)]
    async with open_node(tmp_path / "store") as node:
        folder = write_files(tmp_path / "files", files)
        await tool("dcmsend", "+sd", "127.0.0.1", node.port, folder, env=environment)
        assert await node.instances() == 90
    # No delayed acknowledgement between one and the next, of which each takes 40 ms, unless the machine is so busy.
    between = sorted(later - earlier for earlier, later in pairwise(arrived))
    assert between[len(between) // 5] < 0.035


async def test_both_kinds_of_addresses(tmp_path: Path) -> None:
    scanner = {"scanner": Modality("SCANNER", "::1", 104)}
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("there is no IPv6 here")
    async with open_node(tmp_path, hosts=("127.0.0.1", "::1"), modalities=scanner, check_modality_host=True) as node:
        # asyncio opens the sockets of several hosts in any order.
        sockets = [each for _, listener in node.server._listeners for each in listener.sockets]
        four, six = (
            next(s.getsockname()[1] for s in sockets if s.family == f) for f in (socket.AF_INET, socket.AF_INET6)
        )
        for address, port, calling, kind in (
            ("127.0.0.1", four, "RAW", PduType.ASSOCIATE_AC),
            ("::1", six, "RAW", PduType.ASSOCIATE_AC),
            ("::1", six, "SCANNER", PduType.ASSOCIATE_AC),
            ("127.0.0.1", four, "SCANNER", PduType.ASSOCIATE_RJ),
        ):
            peer = Peer(*await asyncio.open_connection(address, port))
            assert (await peer.associate(calling=calling))[0] == kind
            peer.vanish()


@needs_dcmtk
async def test_eight_associations_at_once(tmp_path: Path) -> None:
    async with open_node(tmp_path / "store") as node:
        folders = [write_files(tmp_path / f"{n}", [make_instance() for _ in range(4)]) for n in range(8)]
        await asyncio.gather(*(tool("dcmsend", "+sd", "127.0.0.1", node.port, folder) for folder in folders))
        assert await node.instances() == 32


async def test_pynetdicom_sends(tmp_path: Path) -> None:
    data = make_instance(rows=300, columns=300)
    sent = dcmread(BytesIO(data))

    def send(port: int) -> tuple[int, int]:
        ae = AE("PYNETDICOM")
        contexts = [build_context(VERIFICATION), build_context(CT, [ExplicitVRLittleEndian])]
        association = ae.associate("127.0.0.1", port, contexts, ae_title=AE_TITLE, max_pdu=4096)
        assert association.is_established
        statuses = association.send_c_echo().Status, association.send_c_store(sent).Status
        association.release()
        return statuses

    async with open_node(tmp_path) as node:
        assert await asyncio.to_thread(send, node.port) == (0, 0)
        assert dataset_of(await stored_file(node, data)) == bare_dataset(data)


async def test_the_data_set_is_stored_bit_for_bit(tmp_path: Path) -> None:
    data = make_instance(rows=256, columns=256)  # several PDUs
    uid = dcmread(BytesIO(data)).SOPInstanceUID
    async with open_node(tmp_path) as node:
        peer = await node.peer()
        await peer.associate()
        await peer.command(3, store_command(uid), bare_dataset(data))
        answer = await peer.response()
        assert (answer.status, answer.message_id_responded_to) == (0, 1)
        assert (answer.affected_sop_class_uid, answer.affected_sop_instance_uid) == (CT, uid)
        await peer.release()
        stored = await stored_file(node, data)
        assert dataset_of(stored) == bare_dataset(data)
        assert stored[:128] == bytes(128)


async def test_large_instances_do_not_stay_in_memory(tmp_path: Path) -> None:
    data = make_instance(rows=2048, columns=2048, bits_allocated=8)
    async with open_node(tmp_path) as node:
        peer = await node.peer()
        await peer.associate()
        await peer.command(3, store_command(dcmread(BytesIO(data)).SOPInstanceUID), bare_dataset(data))
        assert (await peer.response()).status == 0
        assert dataset_of(await stored_file(node, data)) == bare_dataset(data)
        await peer.release()


@pytest.mark.parametrize(
    ("policy", "statuses", "comment"),
    [
        (OnDuplicate.KEEP, (0x0000, 0x0000, 0xB000), "kept"),
        (OnDuplicate.REPLACE, (0x0000, 0x0000, 0x0000), None),
        (OnDuplicate.REJECT, (0x0000, 0x0000, 0x0111), "already"),
    ],
)
async def test_the_same_and_other_bytes_again(
    tmp_path: Path, policy: OnDuplicate, statuses: tuple[int, ...], comment: str | None
) -> None:
    uid = generate_uid()
    uids: dict[str, Any] = {
        "StudyInstanceUID": generate_uid(),
        "SeriesInstanceUID": generate_uid(),
        "SOPInstanceUID": uid,
    }
    first, other = (make_instance(StudyDescription=text, **uids) for text in ("first", "other"))
    async with open_node(tmp_path, IngestPolicy(on_duplicate=policy)) as node:
        peer = await node.peer()
        await peer.associate()
        answers = []
        for data in (first, first, other):
            await peer.command(3, store_command(uid), bare_dataset(data))
            answers.append(await peer.response())
        assert tuple(answer.status for answer in answers) == statuses
        assert (comment is None) == (answers[-1].error_comment is None)
        assert comment is None or comment in str(answers[-1].error_comment)
        assert await node.instances() == 1
        await peer.release()


@pytest.mark.parametrize(("policy", "status", "count"), [(OnMismatch.REFUSE, 0xA900, 0), (OnMismatch.WARN, 0xB007, 1)])
@pytest.mark.parametrize("which", ["class", "instance"])
@pytest.mark.parametrize("rows", [8, 40_000])  # read on arrival, and in pieces
async def test_uids_of_command_and_data_set_differ(
    tmp_path: Path, policy: OnMismatch, status: int, count: int, which: str, rows: int
) -> None:
    data = make_instance(rows=rows)
    uid = dcmread(BytesIO(data)).SOPInstanceUID
    mr = "1.2.840.10008.5.1.4.1.1.4"
    async with open_node(tmp_path, on_mismatch=policy) as node:
        peer = await node.peer()
        await peer.associate(ProposedContext(3, mr if which == "class" else CT, (EXPLICIT,)))
        command = store_command(uid, sop_class_uid=mr) if which == "class" else store_command("1.2.3.4")
        await peer.command(3, command, bare_dataset(data))
        answer = await peer.response()
        assert answer.status == status
        assert uid not in str(answer.error_comment)
        assert await node.instances() == count
        await peer.release()


async def test_uids_of_command_and_deflated_data_set_differ(tmp_path: Path) -> None:
    data = make_instance(transfer_syntax_uid=DeflatedExplicitVRLittleEndian, SOPInstanceUID="1.2.3")
    async with open_node(tmp_path) as node:
        peer = await node.peer()
        await peer.associate(ProposedContext(3, CT, (DeflatedExplicitVRLittleEndian,)))
        for uid, status in (("1.2.4", 0xA900), ("1.2.3", 0)):
            await peer.command(3, store_command(uid), dataset_of(data))
            assert (await peer.response()).status == status
        assert await node.instances() == 1
        await peer.release()


@pytest.mark.parametrize(
    ("dataset", "status"),
    [
        (b"this is no data set at all", 0xC000),
        (bare_dataset(make_instance(StudyInstanceUID=None, SOPInstanceUID="1.2.3")), 0xA900),
        (bare_dataset(make_instance(SOPInstanceUID="1.2.3"))[:-100], 0xC000),
        (bare_dataset(make_instance(SOPInstanceUID="1.2.3")) + b"\1\2\3", 0xC000),
        (b"", 0xA900),
    ],
)
async def test_data_sets_that_cannot_be_stored(tmp_path: Path, dataset: bytes, status: int) -> None:
    async with open_node(tmp_path) as node:
        peer = await node.peer()
        await peer.associate()
        await peer.command(3, store_command("1.2.3"), dataset)
        answer = await peer.response()
        assert answer.status == status
        assert answer.error_comment
        assert await peer.echo() == 0
        assert await node.instances() == 0
        await peer.release()


async def test_private_and_unknown_classes_by_option(tmp_path: Path) -> None:
    private = "1.3.12.2.1107.5.9.1"
    data = make_instance(SOPClassUID=private)
    uid = dcmread(BytesIO(data)).SOPInstanceUID
    async with open_node(tmp_path / "a") as node:
        peer = await node.peer()
        await peer.associate(ProposedContext(5, private, (EXPLICIT,)))
        await peer.command(5, store_command(uid, sop_class_uid=private), bare_dataset(data))
        assert (await peer.response()).status == 0
        await peer.release()
    async with open_node(tmp_path / "b", acceptance=Acceptance(unknown_sop_classes=False)) as node:
        peer = await node.peer()
        kind, body = await peer.associate(ProposedContext(5, private, (EXPLICIT,)))
        assert kind == PduType.ASSOCIATE_AC
        assert decode_accept(memoryview(body)).contexts[0].result == 3
        await peer.release()


@pytest.mark.parametrize(("related", "result"), [((CT,), 0), ((VERIFICATION, CT), 0), ((VERIFICATION,), 3), ((), 3)])
async def test_special_cases_of_storage_classes_are_taken_anyway(
    tmp_path: Path, related: tuple[str, ...], result: int
) -> None:
    """SOP Class Common Extended Negotiation (PS3.7 §D.3.3.6), by which a node says what its own SOP class is like."""
    private, storage = "1.3.12.2.1107.5.9.1", "1.2.840.10008.4.2"
    user = UserInformation(16384, "1.2.3", common_extended=(CommonExtendedNegotiation(private, storage, related),))
    async with open_node(tmp_path, acceptance=Acceptance(unknown_sop_classes=False)) as node:
        peer = await node.peer()
        _, body = await peer.associate(ProposedContext(5, private, (EXPLICIT,)), user=user)
        assert decode_accept(memoryview(body)).contexts[0].result == result
        await peer.release()


async def test_several_stores_under_way_if_the_peer_can(tmp_path: Path) -> None:
    files = [make_instance() for _ in range(20)]
    async with open_node(tmp_path) as node:
        peer = await node.peer()
        _, body = await peer.associate(user=UserInformation(window=AsynchronousWindow(8, 1)))
        assert decode_accept(memoryview(body)).user.window == AsynchronousWindow(8, 1)
        for number, data in enumerate(files, 1):
            uid = dcmread(BytesIO(data)).SOPInstanceUID
            await peer.command(3, store_command(uid, message_id=number), bare_dataset(data))
        answers = [await peer.response() for _ in files]
        assert {answer.message_id_responded_to for answer in answers} == set(range(1, 21))
        assert {answer.status for answer in answers} == {0}
        await peer.release()


async def test_what_peers_may_do(tmp_path: Path) -> None:
    modalities = {"raw": Modality("RAW", "127.0.0.1", 104, frozenset({Service.ECHO}))}
    async with open_node(tmp_path / "a", modalities=modalities) as node:
        peer = await node.peer()
        _, body = await peer.associate()
        assert [context.result for context in decode_accept(memoryview(body)).contexts] == [0, 1]
        assert await peer.echo() == 0
        await peer.release()
    async with open_node(tmp_path / "b", check_called_ae_title=True, ae_title="OTHER") as node:
        peer = await node.peer()
        kind, body = await peer.associate()
        assert (kind, decode_reject(memoryview(body)).reason) == (PduType.ASSOCIATE_RJ, 7)
        assert await peer.closed() == b""
        await peer.close()
    elsewhere = {"raw": Modality("RAW", "192.0.2.1", 104)}
    async with open_node(tmp_path / "c", check_modality_host=True, modalities=elsewhere) as node:
        peer = await node.peer()
        kind, body = await peer.associate()
        assert (kind, decode_reject(memoryview(body)).reason) == (PduType.ASSOCIATE_RJ, 3)
        await peer.close()


async def test_services_only_in_their_contexts(tmp_path: Path) -> None:
    async with open_node(tmp_path) as node:
        peer = await node.peer()
        await peer.associate()
        assert await peer.echo(3) == 0x0211  # C-ECHO in a context of storage
        await peer.command(1, store_command("1.2.3"), b"")
        assert (await peer.response()).status == 0x0211
        await peer.command(3, store_command("1.2.3", sop_class_uid="1.2.840.10008.5.1.4.1.1.4"), b"")
        assert (await peer.response()).status == 0x0122
        await peer.release()


async def test_implicit_is_chosen_only_where_nothing_better_is_proposed(tmp_path: Path) -> None:
    async with open_node(tmp_path) as node:
        peer = await node.peer()
        _, body = await peer.associate(
            ProposedContext(1, CT, (IMPLICIT,)), ProposedContext(3, CT, (IMPLICIT, EXPLICIT, JPEGBaseline8Bit))
        )
        accepted = decode_accept(memoryview(body))
        assert [context.transfer_syntax for context in accepted.contexts] == [IMPLICIT, EXPLICIT]
        assert accepted.user.maximum_length == 131072
        await peer.release()
