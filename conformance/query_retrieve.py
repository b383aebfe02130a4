"""A query/retrieve user for the suites: pynetdicom asks, its answers as plain values."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import AE, build_context, build_role, evt
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation

from conformance.peer import listening

PATIENT_ROOT, STUDY_ROOT = "1.2.840.10008.5.1.4.1.2.1.", "1.2.840.10008.5.1.4.1.2.2."
PATIENT_STUDY_ONLY = "1.2.840.10008.5.1.4.1.2.3."  # retired, and still in use
FIND, MOVE, GET = "1", "2", "3"
RELATIONAL = b"\1"
Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Response:
    """One response: its status, the counters that it has, and its identifier."""

    status: int
    remaining: int | None
    completed: int | None
    failed: int | None
    warning: int | None
    identifier: Dataset | None


def identifier(level: str, **keys: Any) -> Dataset:
    """An identifier with a Query/Retrieve Level ("" for none)."""
    dataset = Dataset()
    if level:
        dataset.QueryRetrieveLevel = level
    with disable_value_validation():
        for keyword, value in keys.items():
            setattr(dataset, keyword, value)
    return dataset


def find(address: Address, asked: Dataset, model: str = STUDY_ROOT, *, extended: bytes = b"") -> list[Response]:
    """C-FIND."""
    association = _associate_to_find(address, model, extended)
    found = [_response(*answer) for answer in association.send_c_find(asked, model + FIND)]
    association.release()
    return found


def agreed_extension(address: Address, model: str, extended: bytes) -> bytes:
    """What the extended negotiation of C-FIND is answered with, empty without an answer."""
    association = _associate_to_find(address, model, extended)
    agreed = association.acceptor.sop_class_extended.get(UID(model + FIND), b"")
    association.release()
    return agreed


def _associate_to_find(address: Address, model: str, extended: bytes) -> Association:
    negotiation = _extension(model + FIND, extended)
    association = AE("CONFORMANCE").associate(*address, [build_context(model + FIND)], ext_neg=negotiation)
    assert association.is_established
    return association


def _extension(sop_class_uid: str, information: bytes) -> list[Any]:
    if not information:
        return []
    item = SOPClassExtendedNegotiation()
    item.sop_class_uid, item.service_class_application_information = sop_class_uid, information
    return [item]


def get(
    address: Address,
    asked: Dataset,
    classes: Sequence[tuple[str, list[str]]],
    take: Callable[[Any], int],
    model: str = STUDY_ROOT,
    *,
    extended: bytes = b"",
) -> list[Response]:
    """C-GET; `take` gets each C-STORE event and says the status."""
    negotiation: list[Any] = [build_role(uid, scp_role=True) for uid, _ in classes] + _extension(model + GET, extended)
    contexts = [build_context(model + GET), *(build_context(uid, syntaxes) for uid, syntaxes in classes)]
    handlers: list[Any] = [(evt.EVT_C_STORE, take)]
    association = AE("CONFORMANCE").associate(*address, contexts, ext_neg=negotiation, evt_handlers=handlers)
    assert association.is_established
    found = [_response(*answer) for answer in association.send_c_get(asked, model + GET)]
    association.release()
    return found


def move(address: Address, asked: Dataset, destination: str) -> list[Response]:
    """C-MOVE."""
    association = AE("CONFORMANCE").associate(*address, [build_context(STUDY_ROOT + MOVE)])
    assert association.is_established
    found = [_response(*answer) for answer in association.send_c_move(asked, destination, STUDY_ROOT + MOVE)]
    association.release()
    return found


@contextmanager
def receiver(port: int, classes: Sequence[tuple[str, list[str]]], take: Callable[[Any], int]) -> Iterator[None]:
    """A storage SCP; `take` gets each C-STORE event and says the status."""
    ae = AE("SINK")
    ae.supported_contexts = [build_context(uid, syntaxes) for uid, syntaxes in classes]
    with listening(ae, port, [(evt.EVT_C_STORE, take)]):
        yield


def _response(status: Dataset, found: Dataset | None) -> Response:
    names = ("Remaining", "Completed", "Failed", "Warning")
    remaining, completed, failed, warning = (status.get(f"NumberOf{name}Suboperations") for name in names)
    return Response(status.Status, remaining, completed, failed, warning, found)
