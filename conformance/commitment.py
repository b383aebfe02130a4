"""Storage commitment for the suites: what is asked, and a modality that takes what is reported."""

from collections.abc import Callable, Iterable, Sequence
from queue import Queue
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import evt

COMMITMENT, COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"
Report = tuple[int, Dataset]  # event type and event information


def request(transaction: str, references: Iterable[tuple[str, str]]) -> Dataset:
    """Action information about SOP classes and instances."""
    dataset = Dataset()
    dataset.TransactionUID = transaction
    dataset.ReferencedSOPSequence = []
    for sop_class, instance in references:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, instance
        dataset.ReferencedSOPSequence.append(item)
    return dataset


class Reports:
    """Takes reports, each of which counts once it is answered: an association is not to be released before."""

    def __init__(self) -> None:
        self._unanswered: list[Report] = []
        self._answered: Queue[Report] = Queue()

    @property
    def handlers(self) -> Sequence[tuple[Any, Callable[[Any], Any]]]:
        return [(evt.EVT_N_EVENT_REPORT, self._take), (evt.EVT_PDU_SENT, self._sent)]

    def next(self, seconds: float) -> Report:
        """The next one; queue.Empty if there is none in time."""
        return self._answered.get(timeout=seconds)

    def _take(self, event: Any) -> tuple[int, None]:
        self._unanswered.append((event.event_type, event.event_information))
        return 0x0000, None

    def _sent(self, event: Any) -> None:
        if self._unanswered:
            self._answered.put(self._unanswered.pop())
