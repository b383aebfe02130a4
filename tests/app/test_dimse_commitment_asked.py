"""Storage commitment that we ask for, of pynetdicom and of ourselves; reported on our association or another one."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, build_context, build_role, evt

from conformance.commitment import COMMITMENT_INSTANCE
from conformance.peer import listening
from conformance.server import free_port
from dicomweb_server.dimse.contexts import STORAGE_COMMITMENT
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.services.commitment import AskedCommitment
from dicomweb_server.services.modalities import Modality, PeerError, Reference
from tests.app.dimse_harness import AE_TITLE, open_node
from tests.app.dimse_peers import IMPATIENT, answered, fill, study

CT = "1.2.840.10008.5.1.4.1.1.2"
ASKED = [Reference(CT, "1.2.3"), Reference(CT, "1.2.4")]


def outcome(transaction: str, committed: list[str], failed: list[str]) -> Dataset:
    """Event information."""
    dataset = Dataset()
    dataset.TransactionUID = transaction
    for keyword, uids in (("ReferencedSOPSequence", committed), ("FailedSOPSequence", failed)):
        items = []
        for uid in uids:
            item = Dataset()
            item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CT, uid
            if keyword == "FailedSOPSequence":
                item.FailureReason = 0x0112
            items.append(item)
        if items:
            setattr(dataset, keyword, items)
    return dataset


@contextmanager
def archive(port: int, *, status: int = 0x0000, report_here: bool = False) -> Iterator[list[Dataset]]:
    """pynetdicom as the one who is asked; what it was asked."""
    asked: list[Dataset] = []

    def report(association: Any, transaction: str) -> None:
        association.send_n_event_report(
            outcome(transaction, ["1.2.3"], ["1.2.4"]), 2, STORAGE_COMMITMENT, COMMITMENT_INSTANCE
        )

    def on_action(event: Any) -> tuple[int, None]:
        asked.append(event.action_information)
        if report_here:
            arguments = (event.assoc, event.action_information.TransactionUID)
            threading.Timer(0.1, report, arguments).start()
        return status, None

    ae = AE("KEEPER")
    ae.add_supported_context(STORAGE_COMMITMENT)
    with listening(ae, port, [(evt.EVT_N_ACTION, on_action)]):
        yield asked


def tell(port: int, dataset: Dataset, calling: str = "KEEPER") -> int:
    """N-EVENT-REPORT on an association of its own, as SCP (PS3.4 §J.3.3)."""
    role = build_role(STORAGE_COMMITMENT, scp_role=True)
    association = AE(calling).associate(
        "127.0.0.1", port, [build_context(STORAGE_COMMITMENT)], ae_title=AE_TITLE, ext_neg=[role]
    )
    assert association.is_established
    status, _ = association.send_n_event_report(dataset, 1, STORAGE_COMMITMENT, COMMITMENT_INSTANCE)
    association.release()
    return int(status.Status)


async def test_the_report_comes_on_an_association_of_its_own(tmp_path: Path) -> None:
    port = free_port()
    async with open_node(tmp_path, timeouts=IMPATIENT) as node:
        with archive(port) as asked:
            transaction = await node.services.commitments.ask(Modality("KEEPER", "127.0.0.1", port), ASKED)
            (request,) = asked
            assert request.TransactionUID == transaction
            assert [item.ReferencedSOPInstanceUID for item in request.ReferencedSOPSequence] == ["1.2.3", "1.2.4"]
            assert not (await node.services.commitments.asked(transaction)).is_answered
            for wrong in (
                (outcome("2.25.1", ["1.2.3"], []), "KEEPER"),  # nobody asked for that
                (outcome(transaction, ["1.2.3"], []), "OTHER"),  # that one was not asked
            ):
                assert await asyncio.to_thread(tell, node.port, *wrong) == 0x0110
            assert await asyncio.to_thread(tell, node.port, outcome("", [], [])) == 0x0115
            assert await asyncio.to_thread(tell, node.port, outcome(transaction, ["1.2.3", "9.9"], ["1.2.4"])) == 0
    async with open_node(tmp_path) as node:  # what was told is kept
        told = await node.services.commitments.asked(transaction)
        assert (told.is_answered, told.committed, told.failed) == (True, (ASKED[0],), ((ASKED[1], 0x0112),))


async def test_the_report_comes_on_our_association(tmp_path: Path) -> None:
    port = free_port()
    async with open_node(tmp_path, timeouts=IMPATIENT, keep_associations=2.0) as node:
        with archive(port, report_here=True):
            transaction = await node.services.commitments.ask(Modality("KEEPER", "127.0.0.1", port), ASKED)
            told = await answered(node, transaction)
            assert (told.committed, told.failed) == ((ASKED[0],), ((ASKED[1], 0x0112),))
            await node.server.client.close()


async def test_asked_of_ourselves(tmp_path: Path) -> None:
    async with open_node(tmp_path / "here", ae_title="HERE") as here, open_node(tmp_path / "there") as there:
        (stored,) = await fill(there, *study(1))
        references = [Reference(stored.SOPClassUID, stored.SOPInstanceUID), Reference(CT, "1.2.3")]
        modality = Modality(AE_TITLE, "127.0.0.1", there.port)
        told = await answered(here, await here.services.commitments.ask(modality, references))
        assert (told.committed, told.failed) == ((references[0],), ((references[1], 0x0112),))
        await here.server.client.close()


async def test_who_refuses_or_is_not_there(tmp_path: Path) -> None:
    port = free_port()
    async with open_node(tmp_path, timeouts=IMPATIENT) as node:
        commitments, keeper = node.services.commitments, Modality("KEEPER", "127.0.0.1", port)
        with pytest.raises(PeerError, match=r"127\.0\.0\.1"):
            await commitments.ask(keeper, ASKED, "2.25.5")
        with archive(port, status=0x0211), pytest.raises(PeerError, match="0211H"):
            await commitments.ask(keeper, ASKED, "2.25.5")
        with pytest.raises(ServerError) as unknown:
            await commitments.asked("2.25.5")
        assert unknown.value.reason is Reason.NOT_FOUND
        with pytest.raises(ServerError, match="no instances"):
            await commitments.ask(keeper, [])


async def test_only_the_newest_are_remembered(tmp_path: Path) -> None:
    async with open_node(tmp_path) as node:
        table = node.services.commitments.table
        for number in range(5):
            await table.put_asked(AskedCommitment(f"2.25.{number}", "A", tuple(ASKED), float(number)), most=3)
        assert [await table.asked(f"2.25.{number}") is not None for number in range(5)] == [False] * 2 + [True] * 3
