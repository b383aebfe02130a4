"""PS3.4 annexes GG and U: hanging protocols, which belong to no patient, stored, found and fetched."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom import AE, build_context, build_role, evt

from conformance.non_patient import HANGING_PROTOCOL, file, hanging_protocol
from conformance.procedure_steps import Address
from conformance.requirement import requires
from conformance.samples import new_uid
from conformance.service import Service, value

SUCCESS, PENDING = 0x0000, 0xFF00
FIND, GET = "1.2.840.10008.5.1.4.38.2", "1.2.840.10008.5.1.4.38.4"


class Workstation:
    """An association for all of it, and what was fetched on it."""

    def __init__(self, address: Address) -> None:
        self.got: list[Dataset] = []
        contexts = [build_context(uid) for uid in (HANGING_PROTOCOL, FIND, GET)]
        roles: list[Any] = [build_role(HANGING_PROTOCOL, scu_role=True, scp_role=True)]
        handlers: list[Any] = [(evt.EVT_C_STORE, self._take)]
        self.association = AE("CONFORMANCE").associate(*address, contexts, ext_neg=roles, evt_handlers=handlers)
        assert self.association.is_established

    def _take(self, event: Any) -> int:
        self.got.append(event.dataset)
        return SUCCESS

    def store(self, dataset: Dataset) -> int:
        return int(self.association.send_c_store(dcmread(BytesIO(file(dataset)))).Status)

    def find(self, **keys: Any) -> list[Dataset]:
        *pending, (final, _) = list(self.association.send_c_find(_identifier(**keys), FIND))
        assert final.Status == SUCCESS
        assert {status.Status for status, _ in pending} <= {PENDING}
        return [found for _, found in pending if found is not None]

    def get(self, **keys: Any) -> tuple[int, list[str]]:
        *_, (final, _) = self.association.send_c_get(_identifier(**keys), GET)
        return int(final.Status), [str(each.SOPInstanceUID) for each in self.got]


def _identifier(**keys: Any) -> Dataset:
    dataset = Dataset()
    for keyword, text in keys.items():
        setattr(dataset, keyword, text)
    return dataset


@pytest.fixture
def workstation(dimse: Address) -> Iterator[Workstation]:
    """One that may do all of it, if the server offers it."""
    found = Workstation(dimse)
    accepted = {context.abstract_syntax for context in found.association.accepted_contexts}
    if not {HANGING_PROTOCOL, FIND, GET} <= accepted:
        found.association.release()
        pytest.skip("hanging protocols are not offered by DIMSE")
    yield found
    found.association.release()


@requires("PS3.4 §GG.4")
def test_a_hanging_protocol_is_stored_and_found(workstation: Workstation) -> None:
    protocol = hanging_protocol()
    assert workstation.store(protocol) == SUCCESS
    (found,) = workstation.find(SOPInstanceUID=protocol.SOPInstanceUID, HangingProtocolName="", HangingProtocolLevel="")
    assert (found.HangingProtocolName, found.HangingProtocolLevel) == ("Chest", "SITE")


@requires("PS3.4 §U.6.1")
def test_keys_match(workstation: Workstation) -> None:
    name = new_uid()[-12:]
    for each in (f"A{name}", f"B{name}"):
        assert workstation.store(hanging_protocol(each)) == SUCCESS
    both = workstation.find(HangingProtocolName=f"?{name}")
    assert sorted(found.HangingProtocolName for found in both) == [f"A{name}", f"B{name}"]
    (found,) = workstation.find(HangingProtocolName=f"B{name}")
    assert found.HangingProtocolName == f"B{name}"


@requires("PS3.4 §U.6.1")
@pytest.mark.parametrize(("modality", "count"), [("CT", 1), ("MR", 0)])
def test_keys_of_the_definition_match(workstation: Workstation, modality: str, count: int) -> None:
    protocol = hanging_protocol()
    assert workstation.store(protocol) == SUCCESS
    definition = [_identifier(Modality=modality)]
    found = workstation.find(SOPInstanceUID=protocol.SOPInstanceUID, HangingProtocolDefinitionSequence=definition)
    assert len(found) == count


@requires("PS3.4 §U.4.3", "O")
def test_a_hanging_protocol_is_fetched(workstation: Workstation) -> None:
    protocol = hanging_protocol()
    assert workstation.store(protocol) == SUCCESS
    assert workstation.get(SOPInstanceUID=protocol.SOPInstanceUID) == (SUCCESS, [protocol.SOPInstanceUID])
    assert workstation.got[0].DisplaySetsSequence == protocol.DisplaySetsSequence


@requires("PS3.4 §U.4.3", "O")
def test_nothing_is_fetched_where_nothing_is_named(workstation: Workstation) -> None:
    assert workstation.get(SOPInstanceUID=new_uid()) == (SUCCESS, [])


@requires("PS3.18 §12.1", "B")
def test_http_has_the_same_ones(workstation: Workstation, service: Service) -> None:
    protocol = hanging_protocol()
    assert workstation.store(protocol) == SUCCESS
    if service.get("/hanging-protocols").status_code == 404:
        pytest.skip("hanging protocols are not offered over HTTP")
    (found,) = service.search("/hanging-protocols", {"SOPInstanceUID": protocol.SOPInstanceUID})
    assert value(found, "00720002") == "Chest"
