"""What the tests of C-FIND, C-GET and C-MOVE share: stored studies, identifiers, and pynetdicom as the other side."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, build_context, evt

from conformance.patience import SOON
from conformance.peer import listening
from dicomweb_server.dicom.origin import Origin
from dicomweb_server.dimse.options import Modality, Timeouts
from dicomweb_server.services.commitment import AskedCommitment
from tests.app.dimse_harness import AE_TITLE, Node
from tests.builders import make_instance

STUDY_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
IMPATIENT = Timeouts(association=4.0, silence=5.0, closing=0.3, connect=4.0, response=4.0)
Answers = list[tuple[Dataset, Dataset | None]]


async def fill(node: Node, *files: bytes) -> list[Dataset]:
    """Store files by the one way in; what they are."""
    staged = []
    for data in files:
        spool = node.services.ingest.stage()
        await spool.write(data)
        staged.append(await spool.finish())
    outcomes = await node.services.ingest.ingest_batch(staged, Origin("test"))
    assert all(outcome.is_success for outcome in outcomes)
    return [dcmread(BytesIO(data), stop_before_pixels=True) for data in files]


def study(count: int = 2, **attributes: Any) -> list[bytes]:
    """The instances of one study of one series."""
    uids: dict[str, Any] = {"StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid()}
    return [make_instance(**(uids | {"InstanceNumber": n} | attributes)) for n in range(1, count + 1)]


def identifier(level: str, **keys: Any) -> Dataset:
    dataset = Dataset()
    dataset.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(dataset, keyword, value)
    return dataset


def sink(port: int, **more: Any) -> dict[str, Modality]:
    return {"sink": Modality("SINK", "127.0.0.1", port, **more)}


@contextmanager
def receiver(port: int, contexts: list[Any], answer: Callable[[Any], int | Dataset]) -> Iterator[None]:
    """A storage SCP of pynetdicom's; `answer(event)` is what it answers."""
    ae = AE("SINK")
    ae.supported_contexts = contexts
    with listening(ae, port, [(evt.EVT_C_STORE, answer)]):
        yield


def move(
    port: int, asked: Dataset, model: str = STUDY_MOVE, destination: str = "SINK", cancel_after: int = 0
) -> Answers:
    """C-MOVE by pynetdicom: command elements and identifier of each response."""
    association = AE("MOVER").associate("127.0.0.1", port, [build_context(model)], ae_title=AE_TITLE)
    assert association.is_established
    answers = []
    for status, found in association.send_c_move(asked, destination, model, msg_id=5):
        answers.append((status, found))
        if len(answers) == cancel_after:
            association.send_c_cancel(5, query_model=model)
    association.release()
    return answers


async def answered(node: Node, transaction: str) -> AskedCommitment:
    """What was told about a commitment that was asked for, when it has been."""
    async with asyncio.timeout(SOON):
        while not (asked := await node.services.commitments.asked(transaction)).is_answered:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return asked


def counters(status: Dataset) -> tuple[int | None, ...]:
    """Remaining, completed, failed, warning."""
    names = ("Remaining", "Completed", "Failed", "Warning")
    return tuple(status.get(f"NumberOf{name}Suboperations") for name in names)
