"""Scheduled and performed procedure steps for the suites: worklist files, and pynetdicom as a modality."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian
from pynetdicom import AE, build_context

WORKLIST = "1.2.840.10008.5.1.4.31"
PERFORMED_STEP, PERFORMED_STEP_RETRIEVE = "1.2.840.10008.3.1.2.3.3", "1.2.840.10008.3.1.2.3.4"
Address = tuple[str, int]

# One patient each; the last one has a step that a report moves.
ITEMS: tuple[dict[str, str], ...] = (
    {"number": "1", "name": "Zebra^Anna", "modality": "CT", "station": "CT1", "date": "20290101", "time": "080000"},
    {"number": "2", "name": "Zebra^Bert", "modality": "CT", "station": "CT2", "date": "20290101", "time": "170000"},
    {"number": "3", "name": "Müller^Jörg", "modality": "MR", "station": "MR1", "date": "20290102", "time": "090000"},
    {"number": "4", "name": "Yak^Carl", "modality": "US", "station": "US1", "date": "20290103", "time": "120000"},
)


def write_worklist(folder: Path) -> None:
    """A folder of worklist files."""
    folder.mkdir(parents=True, exist_ok=True)
    for one in ITEMS:
        item = _item(one)
        item.file_meta, item.preamble = FileMetaDataset(), bytes(128)
        item.file_meta.MediaStorageSOPClassUID = UID(WORKLIST)
        item.file_meta.MediaStorageSOPInstanceUID = UID(f"1.2.826.0.1.3680043.9.9.{one['number']}")
        item.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        item.save_as(folder / f"{one['number']}.wl", enforce_file_format=True)


def study_uid(number: str) -> str:
    """Of the item of this number."""
    return f"1.2.826.0.1.3680043.9.10.{number}"


def _item(one: dict[str, str]) -> Dataset:
    dataset, step = Dataset(), Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.AccessionNumber = f"ACC{one['number']}"
    dataset.ReferringPhysicianName = "Ref^Doc"
    dataset.PatientName, dataset.PatientID = one["name"], f"PAT{one['number']}"
    dataset.PatientBirthDate, dataset.PatientSex = "19700101", "O"
    dataset.StudyInstanceUID = study_uid(one["number"])
    dataset.RequestedProcedureID, dataset.RequestedProcedureDescription = f"RP{one['number']}", "Examination"
    step.Modality, step.ScheduledStationAETitle = one["modality"], one["station"]
    step.ScheduledProcedureStepStartDate, step.ScheduledProcedureStepStartTime = one["date"], one["time"]
    step.ScheduledPerformingPhysicianName = "Per^Former"
    step.ScheduledProcedureStepDescription, step.ScheduledProcedureStepID = "Step", f"SPS{one['number']}"
    dataset.ScheduledProcedureStepSequence = [step]
    return dataset


def worklist_keys(step: Mapping[str, str] | None = None, **keys: str) -> Dataset:
    """An identifier that asks for what the standard requires of every server, and matches what is given."""
    dataset, inner = Dataset(), Dataset()
    asked = {"AccessionNumber": "", "PatientName": "", "PatientID": "", "StudyInstanceUID": ""} | keys
    asked_of_step = {
        "Modality": "", "ScheduledStationAETitle": "", "ScheduledProcedureStepStartDate": "",
        "ScheduledProcedureStepStartTime": "", "ScheduledProcedureStepID": "",
    } | dict(step or {})  # fmt: skip
    with disable_value_validation():
        for keyword, value in asked.items():
            setattr(dataset, keyword, value)
        for keyword, value in asked_of_step.items():
            setattr(inner, keyword, value)
    dataset.ScheduledProcedureStepSequence = [inner]
    return dataset


def find_steps(address: Address, asked: Dataset) -> list[tuple[int, Dataset | None]]:
    """C-FIND of the worklist: status and identifier of each response."""
    association = AE("CONFORMANCE").associate(*address, [build_context(WORKLIST)])
    assert association.is_established
    found = [(int(status.Status), item) for status, item in association.send_c_find(asked, WORKLIST)]
    association.release()
    return found


def report(number: str = "", **attributes: object) -> Dataset:
    """What a modality tells when it begins; about the item of this number, or of none."""
    reference = Dataset()
    reference.StudyInstanceUID = study_uid(number or "0")
    reference.AccessionNumber = f"ACC{number}" if number else ""
    reference.ScheduledProcedureStepID = f"SPS{number}" if number else ""
    values: dict[str, object] = {
        "ScheduledStepAttributesSequence": [reference],
        "PatientName": "Zebra^Anna",
        "PatientID": "PAT1",
        "PatientBirthDate": "",
        "PatientSex": "",
        "PerformedProcedureStepID": "PPS",
        "PerformedStationAETitle": "CT1",
        "PerformedProcedureStepStartDate": "20290101",
        "PerformedProcedureStepStartTime": "080500",
        "PerformedProcedureStepStatus": "IN PROGRESS",
        "PerformedProcedureStepEndDate": "",
        "PerformedProcedureStepEndTime": "",
        "Modality": "CT",
        "PerformedSeriesSequence": [],
    } | attributes
    return filled(values)


def filled(values: Mapping[str, object]) -> Dataset:
    """A data set of what has a value."""
    dataset = Dataset()
    for keyword, value in values.items():
        if value is not None:
            setattr(dataset, keyword, value)
    return dataset


def ending(status: str = "COMPLETED") -> Dataset:
    """What it tells when the step is over."""
    dataset, series = Dataset(), Dataset()
    series.SeriesInstanceUID, series.ProtocolName = "1.2.826.0.1.3680043.9.11", "Protocol"
    series.PerformingPhysicianName, series.OperatorsName, series.SeriesDescription = "", "", ""
    series.RetrieveAETitle = ""
    series.ReferencedImageSequence, series.ReferencedNonImageCompositeSOPInstanceSequence = [], []
    dataset.PerformedProcedureStepStatus = status
    dataset.PerformedProcedureStepEndDate, dataset.PerformedProcedureStepEndTime = "20290101", "081500"
    dataset.PerformedSeriesSequence = [series]
    return dataset


@contextmanager
def modality(
    address: Address, *classes: str, handlers: Sequence[tuple[Any, Callable[[Any], Any]]] = ()
) -> Iterator[Any]:
    """A modality's association."""
    contexts = [build_context(uid) for uid in classes]
    association = AE("CONFORMANCE").associate(*address, contexts, evt_handlers=list(handlers))
    assert association.is_established
    try:
        yield association
    finally:
        association.release()
