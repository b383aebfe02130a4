"""Names and texts → DICOM JSON that can be encoded."""

from typing import Any

import pytest

from dicomweb_server.dicom.compose import compose_data_set
from dicomweb_server.dicom.named_tags import named_document
from dicomweb_server.errors import ServerError


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"PatientID": "A"}, {"00100020": {"vr": "LO", "Value": ["A"]}}),
        ({"0010-0020": ""}, {"00100020": {"vr": "LO"}}),
        ({"PatientName": "A^B=C"}, {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "A^B", "Ideographic": "C"}]}}),
        ({"OtherPatientIDs": "A\\\\B"}, {"00101000": {"vr": "LO", "Value": ["A", None, "B"]}}),
        ({"PregnancyStatus": "4"}, {"001021C0": {"vr": "US", "Value": [4]}}),
        ({"PatientWeight": "70.5"}, {"00101030": {"vr": "DS", "Value": ["70.5"]}}),
        ({"ReasonForTheRequestedProcedure": "a\\b"}, {"00401002": {"vr": "LO", "Value": ["a", "b"]}}),
        ({"RequestedProcedureComments": "a\\b"}, {"00401400": {"vr": "LT", "Value": ["a\\b"]}}),
        ({"RequestedProcedureCodeSequence": []}, {"00321064": {"vr": "SQ"}}),
        (
            {"RequestedProcedureCodeSequence": [{"CodeValue": "X"}]},
            {"00321064": {"vr": "SQ", "Value": [{"00080100": {"vr": "SH", "Value": ["X"]}}]}},
        ),
    ],
)
def test_values(tags: dict[str, Any], expected: dict[str, Any]) -> None:
    assert named_document(tags) == expected
    assert compose_data_set(named_document(tags))


@pytest.mark.parametrize("tags", [{"Nobody": "A"}, {"PatientID": 1}, {"PregnancyStatus": "few"}, {"PatientID": [{}]}])
def test_what_is_wrong(tags: dict[str, Any]) -> None:
    with pytest.raises(ServerError):
        named_document(tags)
