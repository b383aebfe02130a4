"""Instance Availability Notification."""

import json

from pydicom.dataset import Dataset

from dicomweb_server.dicom.availability import availability


def test_the_instances_are_told_by_series() -> None:
    told = availability(
        "1.2", [("1.2.1", "1.9", "1.2.1.1"), ("1.2.2", "1.9", "1.2.2.1"), ("1.2.1", "1.8", "1.2.1.2")], "US"
    )
    dataset = Dataset.from_json(json.dumps(told))
    assert dataset.StudyInstanceUID == "1.2"
    assert list(dataset.ReferencedPerformedProcedureStepSequence) == []
    assert {
        series.SeriesInstanceUID: [
            (item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID, item.InstanceAvailability, item.RetrieveAETitle)
            for item in series.ReferencedSOPSequence
        ]
        for series in dataset.ReferencedSeriesSequence
    } == {
        "1.2.1": [("1.9", "1.2.1.1", "ONLINE", "US"), ("1.8", "1.2.1.2", "ONLINE", "US")],
        "1.2.2": [("1.9", "1.2.2.1", "ONLINE", "US")],
    }
