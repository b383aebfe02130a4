"""THE table of indexed attributes: its level, tag, keyword, VR and column. Search, storage, conformance read it."""

from dataclasses import dataclass
from enum import IntEnum


class Level(IntEnum):
    """The four levels of the DICOM information model; a higher number is a lower level."""

    PATIENT = 0
    STUDY = 1
    SERIES = 2
    INSTANCE = 3


@dataclass(frozen=True, slots=True)
class Attribute:
    """One indexed attribute. `default`: answered without being asked for (PS3.18 tables 10.6.3-3 to 10.6.3-5)."""

    level: Level
    tag: int
    keyword: str
    vr: str
    column: str
    default: bool = True


_P, _S, _E, _I = Level.PATIENT, Level.STUDY, Level.SERIES, Level.INSTANCE

ATTRIBUTES: tuple[Attribute, ...] = (
    Attribute(_P, 0x00100010, "PatientName", "PN", "patient_name"),
    Attribute(_P, 0x00100020, "PatientID", "LO", "patient_id"),
    Attribute(_P, 0x00100021, "IssuerOfPatientID", "LO", "issuer_of_patient_id", default=False),
    Attribute(_P, 0x00100030, "PatientBirthDate", "DA", "patient_birth_date"),
    Attribute(_P, 0x00100040, "PatientSex", "CS", "patient_sex"),
    Attribute(_S, 0x00080020, "StudyDate", "DA", "study_date"),
    Attribute(_S, 0x00080030, "StudyTime", "TM", "study_time"),
    Attribute(_S, 0x00080050, "AccessionNumber", "SH", "accession_number"),
    Attribute(_S, 0x00080080, "InstitutionName", "LO", "institution_name", default=False),
    Attribute(_S, 0x00080090, "ReferringPhysicianName", "PN", "referring_physician_name"),
    Attribute(_S, 0x00080201, "TimezoneOffsetFromUTC", "SH", "timezone_offset"),
    Attribute(_S, 0x00081030, "StudyDescription", "LO", "study_description"),
    Attribute(_S, 0x00101010, "PatientAge", "AS", "patient_age", default=False),
    Attribute(_S, 0x0020000D, "StudyInstanceUID", "UI", "study_uid"),
    Attribute(_S, 0x00200010, "StudyID", "SH", "study_id"),
    Attribute(_S, 0x00321032, "RequestingPhysician", "PN", "requesting_physician", default=False),
    Attribute(_S, 0x00321060, "RequestedProcedureDescription", "LO", "requested_procedure_description", default=False),
    Attribute(_E, 0x00080021, "SeriesDate", "DA", "series_date", default=False),
    Attribute(_E, 0x00080031, "SeriesTime", "TM", "series_time", default=False),
    Attribute(_E, 0x00080060, "Modality", "CS", "modality"),
    Attribute(_E, 0x00080070, "Manufacturer", "LO", "manufacturer", default=False),
    Attribute(_E, 0x00081010, "StationName", "SH", "station_name", default=False),
    Attribute(_E, 0x0008103E, "SeriesDescription", "LO", "series_description"),
    Attribute(_E, 0x00081050, "PerformingPhysicianName", "PN", "performing_physician_name", default=False),
    Attribute(_E, 0x00081070, "OperatorsName", "PN", "operators_name", default=False),
    Attribute(_E, 0x00180015, "BodyPartExamined", "CS", "body_part_examined", default=False),
    Attribute(_E, 0x00181030, "ProtocolName", "LO", "protocol_name", default=False),
    Attribute(_E, 0x0020000E, "SeriesInstanceUID", "UI", "series_uid"),
    Attribute(_E, 0x00200011, "SeriesNumber", "IS", "series_number"),
    Attribute(_E, 0x00200060, "Laterality", "CS", "laterality", default=False),
    Attribute(_E, 0x00400244, "PerformedProcedureStepStartDate", "DA", "performed_step_start_date"),
    Attribute(_E, 0x00400245, "PerformedProcedureStepStartTime", "TM", "performed_step_start_time"),
    Attribute(_E, 0x00400253, "PerformedProcedureStepID", "SH", "performed_step_id", default=False),
    Attribute(_E, 0x00400254, "PerformedProcedureStepDescription", "LO", "performed_step_description", default=False),
    # A sequence's column holds the `Value` array of its DICOM JSON.
    Attribute(_E, 0x00400275, "RequestAttributesSequence", "SQ", "request_attributes"),
    Attribute(_I, 0x00080016, "SOPClassUID", "UI", "sop_class_uid"),
    Attribute(_I, 0x00080018, "SOPInstanceUID", "UI", "instance_uid"),
    Attribute(_I, 0x00080023, "ContentDate", "DA", "content_date", default=False),
    Attribute(_I, 0x00080033, "ContentTime", "TM", "content_time", default=False),
    Attribute(_I, 0x00200013, "InstanceNumber", "IS", "instance_number"),
    Attribute(_I, 0x00280008, "NumberOfFrames", "IS", "number_of_frames"),
    Attribute(_I, 0x00280010, "Rows", "US", "rows"),
    Attribute(_I, 0x00280011, "Columns", "US", "columns"),
    Attribute(_I, 0x00280100, "BitsAllocated", "US", "bits_allocated"),
)

BY_TAG: dict[int, Attribute] = {attribute.tag: attribute for attribute in ATTRIBUTES}
BY_KEYWORD: dict[str, Attribute] = {attribute.keyword: attribute for attribute in ATTRIBUTES}
BY_LEVEL: dict[Level, tuple[Attribute, ...]] = {
    level: tuple(attribute for attribute in ATTRIBUTES if attribute.level == level) for level in Level
}
