"""PS3.4 annex R: Instance Availability Notification, where the server takes it."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, build_context, evt

from conformance.requirement import requires

AVAILABILITY = "1.2.840.10008.5.1.4.33"
CT = "1.2.840.10008.5.1.4.1.1.2"


def notice() -> Dataset:
    """One instance that nobody has."""
    told, series, instance = Dataset(), Dataset(), Dataset()
    told.StudyInstanceUID, told.ReferencedPerformedProcedureStepSequence = generate_uid(), []
    instance.ReferencedSOPClassUID, instance.ReferencedSOPInstanceUID = CT, generate_uid()
    instance.InstanceAvailability, instance.RetrieveAETitle = "UNAVAILABLE", "NOBODY"
    series.SeriesInstanceUID, series.ReferencedSOPSequence = generate_uid(), [instance]
    told.ReferencedSeriesSequence = [series]
    return told


@pytest.fixture
def commands() -> list[Dataset]:
    """What the server answers."""
    return []


@pytest.fixture
def association(dimse: tuple[str, int], commands: list[Dataset]) -> Iterator[Any]:
    handlers: Any = [(evt.EVT_DIMSE_RECV, lambda event: commands.append(event.message.command_set))]
    opened = AE("CONFORMANCE").associate(*dimse, [build_context(AVAILABILITY)], evt_handlers=handlers)
    if not opened.is_established:
        pytest.skip("the server takes no notifications")
    yield opened
    opened.release()


@requires("PS3.4 §R.3.2.1", "O")
def test_a_notice_is_taken(association: Any, commands: list[Dataset]) -> None:
    uid = generate_uid()
    status, _ = association.send_n_create(notice(), AVAILABILITY, uid)
    assert status.Status == 0x0000
    assert [command.AffectedSOPInstanceUID for command in commands] == [uid]


@requires("PS3.7 §10.1.5.1.3", "O")
def test_the_server_makes_a_uid_where_none_is_given(association: Any, commands: list[Dataset]) -> None:
    status, _ = association.send_n_create(notice(), AVAILABILITY, None)
    assert status.Status == 0x0000
    assert [bool(command.get("AffectedSOPInstanceUID")) for command in commands] == [True]


@requires("PS3.4 §R.3.2.2", "O")
@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "ReferencedSeriesSequence"])
def test_what_a_notice_must_have(association: Any, keyword: str) -> None:
    told = notice()
    delattr(told, keyword)
    status, _ = association.send_n_create(told, AVAILABILITY, generate_uid())
    assert status.Status == 0x0120
