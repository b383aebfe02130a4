"""Workitems (Unified Procedure Steps) for the suites: what creates one, what ends one, pynetdicom as their user."""

from collections.abc import Mapping, Sequence

from pydicom.dataset import Dataset

from conformance.procedure_steps import filled

PUSH, WATCH, PULL, EVENT, QUERY = (f"1.2.840.10008.5.1.4.34.6.{number}" for number in range(1, 6))
ALL_WORKITEMS, FILTERED_WORKITEMS = "1.2.840.10008.5.1.4.34.5", "1.2.840.10008.5.1.4.34.5.1"
CHANGE_STATE, REQUEST_CANCEL, SUBSCRIBE, UNSUBSCRIBE, SUSPEND = 1, 2, 3, 4, 5

# Of type 2 in a creation, and empty here (PS3.4 table CC.2.5-3).
EMPTY: Mapping[str, object] = dict.fromkeys(
    (
        "TransactionUID", "CommentsOnTheScheduledProcedureStep", "IssuerOfPatientID", "PatientBirthDate", "PatientSex",
        "AdmissionID", "AdmittingDiagnosesDescription",
    ), "",
) | {
    keyword: []
    for keyword in (
        "ScheduledProcessingParametersSequence", "ScheduledStationNameCodeSequence",
        "ScheduledStationClassCodeSequence", "ScheduledStationGeographicLocationCodeSequence",
        "ScheduledWorkitemCodeSequence", "InputInformationSequence", "IssuerOfPatientIDQualifiersSequence",
        "OtherPatientIDsSequence", "IssuerOfAdmissionIDSequence", "AdmittingDiagnosesCodeSequence",
        "ReferencedRequestSequence", "ProcedureStepProgressInformationSequence",
        "UnifiedProcedureStepPerformedProcedureSequence",
    )
}  # fmt: skip


def workitem(**attributes: object) -> Dataset:
    """What creates a workitem; None leaves an attribute out."""
    values: dict[str, object] = {
        **EMPTY,
        "ProcedureStepState": "SCHEDULED",
        "ScheduledProcedureStepPriority": "MEDIUM",
        "ProcedureStepLabel": "Segmentation",
        "WorklistLabel": "AI",
        "ScheduledProcedureStepStartDateTime": "20290101080000",
        "InputReadinessState": "READY",
        "PatientName": "Zebra^Anna",
        "PatientID": "PAT1",
    }
    return filled(values | attributes)


def code(value: str, meaning: str) -> Dataset:
    """One item of a code sequence."""
    return filled({"CodeValue": value, "CodingSchemeDesignator": "99TEST", "CodeMeaning": meaning})


def results(**attributes: object) -> Dataset:
    """What a performer tells before it completes a workitem (PS3.4 table CC.2.5-3, final state P)."""
    values: dict[str, object] = {
        "PerformedStationNameCodeSequence": [code("GPU1", "The first one")],
        "PerformedProcedureStepStartDateTime": "20290101080500",
        "PerformedProcedureStepEndDateTime": "20290101081500",
        "PerformedWorkitemCodeSequence": [code("SEG", "Segmentation")],
        "OutputInformationSequence": [],
    }
    return filled({"UnifiedProcedureStepPerformedProcedureSequence": [filled(values | attributes)]})


def progress(**attributes: object) -> Dataset:
    """How far a performer is."""
    return filled({"ProcedureStepProgressInformationSequence": [filled(attributes)]})


def state_change(state: str, transaction_uid: str) -> Dataset:
    """The information of an N-ACTION that changes the state."""
    return filled({"ProcedureStepState": state, "TransactionUID": transaction_uid})


def subscription(ae_title: str, lock: str | None = "FALSE", **keys: object) -> Dataset:
    """The information of an N-ACTION about a subscription."""
    return filled({"ReceivingAE": ae_title, "DeletionLock": lock, **keys})


def texts(dataset: Dataset, keywords: Sequence[str]) -> list[str]:
    """The values of some attributes."""
    return [str(dataset.get(keyword, "")) for keyword in keywords]
