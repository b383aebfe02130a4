"""Worklist items and reports of performed steps, as pydicom makes them."""

import json
from io import BytesIO
from typing import Any

from pydicom.dataset import Dataset
from pydicom.filebase import DicomFileLike
from pydicom.filewriter import write_dataset
from pydicom.uid import generate_uid

from conformance.procedure_steps import filled

PERFORMED_STEP = "1.2.840.10008.3.1.2.3.3"
_STEP = frozenset(
    {
        "Modality", "ScheduledStationAETitle", "ScheduledProcedureStepStartDate", "ScheduledProcedureStepStartTime",
        "ScheduledProcedureStepID", "ScheduledProcedureStepStatus", "ScheduledProcedureStepDescription",
        "ScheduledPerformingPhysicianName",
    }
)  # fmt: skip


def item(**attributes: Any) -> Dataset:
    """A worklist item; attributes of the scheduled step go into its sequence."""
    values = {
        "PatientName": "Doe^Jane",
        "PatientID": "P1",
        "StudyInstanceUID": generate_uid(),
        "AccessionNumber": "A1",
        "RequestedProcedureID": "R1",
        "Modality": "CT",
        "ScheduledStationAETitle": "SCANNER",
        "ScheduledProcedureStepStartDate": "20240102",
        "ScheduledProcedureStepStartTime": "1015",
        "ScheduledProcedureStepID": "S1",
    } | attributes
    dataset, step = Dataset(), Dataset()
    for keyword, value in values.items():
        if value is not None:
            setattr(step if keyword in _STEP else dataset, keyword, value)
    dataset.ScheduledProcedureStepSequence = [step]
    return dataset


def keys(**attributes: Any) -> Dataset:
    """The identifier of a query: "" asks, anything else matches."""
    names = ("PatientName", "PatientID", "AccessionNumber", "StudyInstanceUID")
    step = ("Modality", "ScheduledProcedureStepID", "ScheduledProcedureStepStatus")
    asked = dict.fromkeys((*names, *step), "") | attributes
    nothing = dict.fromkeys(
        ("RequestedProcedureID", "ScheduledStationAETitle", "ScheduledProcedureStepStartDate",
         "ScheduledProcedureStepStartTime")
    )  # fmt: skip
    return item(**(nothing | asked))


def document(dataset: Dataset) -> dict[str, Any]:
    """As DICOM JSON."""
    found: dict[str, Any] = json.loads(dataset.to_json())
    return found


def encoded(dataset: Dataset, *, implicit: bool = False) -> bytes:
    """The bare data set, little endian."""
    target = BytesIO()
    file = DicomFileLike(target)
    file.is_implicit_VR, file.is_little_endian = implicit, True
    write_dataset(file, dataset)
    return target.getvalue()


def report(scheduled: Dataset | None = None, **attributes: Any) -> Dataset:
    """What N-CREATE tells: a step has begun."""
    reference = Dataset()
    reference.StudyInstanceUID = scheduled.StudyInstanceUID if scheduled is not None else generate_uid()
    reference.ScheduledProcedureStepID = (
        scheduled.ScheduledProcedureStepSequence[0].ScheduledProcedureStepID if scheduled is not None else ""
    )
    values = {
        "ScheduledStepAttributesSequence": [reference],
        "PatientName": "Doe^Jane",
        "PatientID": "P1",
        "PerformedProcedureStepID": "PPS1",
        "PerformedStationAETitle": "SCANNER",
        "PerformedProcedureStepStartDate": "20240102",
        "PerformedProcedureStepStartTime": "1020",
        "PerformedProcedureStepStatus": "IN PROGRESS",
        "Modality": "CT",
        "PerformedSeriesSequence": [],
    } | attributes
    return filled(values)


def ending(status: str = "COMPLETED", **attributes: Any) -> Dataset:
    """What N-SET tells: the step is over."""
    series = Dataset()
    series.SeriesInstanceUID, series.ProtocolName = generate_uid(), "Head"
    values = {
        "PerformedProcedureStepStatus": status,
        "PerformedProcedureStepEndDate": "20240102",
        "PerformedProcedureStepEndTime": "1100",
        "PerformedSeriesSequence": [series],
    } | attributes
    return filled(values)
