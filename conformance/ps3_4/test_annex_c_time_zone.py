"""PS3.4 §C.5.1.1: C-FIND in a time zone, if the server agrees to that (byte 4 of the extended negotiation)."""

from typing import Any

import pytest

from conformance.query_retrieve import STUDY_ROOT, Address, agreed_extension, find, identifier
from conformance.requirement import requires
from conformance.samples import make, sample
from conformance.service import Service

ADJUSTED = b"\1\0\0\1\0\0\0"
ZONE = "-0500"


@pytest.fixture(scope="module")
def stored(service: Service, dimse: Address) -> dict[str, str]:
    """Names by Study Instance UID; at ZONE, both are of 20240101: at 17:30 and at 18:30."""
    if agreed_extension(dimse, STUDY_ROOT, ADJUSTED)[3:4] != b"\1":
        pytest.skip("the server does not adjust queries to a time zone")
    evening = make(StudyDate="20240101", StudyTime="233000", TimezoneOffsetFromUTC="+0100")
    night = make(StudyDate="20240102", StudyTime="003000", TimezoneOffsetFromUTC="+0100")
    for dataset in (evening, night):
        service.store(sample(dataset).data)
    return {str(evening.StudyInstanceUID): "evening", str(night.StudyInstanceUID): "night"}


def answers(dimse: Address, stored: dict[str, str], extended: bytes = ADJUSTED, **keys: Any) -> dict[str, Any]:
    asked = identifier("STUDY", **({"StudyInstanceUID": list(stored), "StudyTime": ""} | keys))
    *pending, final = find(dimse, asked, extended=extended)
    assert final.status == 0x0000
    return {stored[each.identifier.StudyInstanceUID]: each.identifier for each in pending if each.identifier}


@requires("PS3.4 §C.2.2.2.5", "O")
@pytest.mark.parametrize(
    ("keys", "names"),
    [
        ({"StudyDate": "20240101"}, {"evening", "night"}),
        ({"StudyDate": "20240102-"}, set()),
        ({"StudyDate": "20240101", "StudyTime": "1800-1900"}, {"night"}),
        ({"StudyTime": "173000"}, {"evening"}),
    ],
)
def test_keys_are_meant_in_the_time_zone_of_the_identifier(
    dimse: Address, stored: dict[str, str], keys: dict[str, Any], names: set[str]
) -> None:
    assert set(answers(dimse, stored, TimezoneOffsetFromUTC=ZONE, **keys)) == names


@requires("PS3.4 §C.4.1.1.3.2", "O")
def test_answers_are_in_it_and_say_so(dimse: Address, stored: dict[str, str]) -> None:
    told = answers(dimse, stored, TimezoneOffsetFromUTC=ZONE, StudyDate="")
    found = {name: (each.StudyDate, str(each.StudyTime)[:4], each.TimezoneOffsetFromUTC) for name, each in told.items()}
    assert found == {"evening": ("20240101", "1730", ZONE), "night": ("20240101", "1830", ZONE)}


@requires("PS3.4 §C.4.1.1.3.1", "O")
def test_without_a_time_zone_in_the_identifier_nothing_is_adjusted(dimse: Address, stored: dict[str, str]) -> None:
    assert set(answers(dimse, stored, StudyDate="20240101")) == {"evening"}
