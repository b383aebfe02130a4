"""The attributes that Orthanc shows of each level without being asked ("main DICOM tags"), and those it computes."""

from collections.abc import Mapping

from dicomweb_server.dicom.attributes import Level

MAIN_TAGS: Mapping[Level, Mapping[int, str]] = {
    Level.PATIENT: {
        0x00100010: "PatientName",
        0x00100020: "PatientID",
        0x00100030: "PatientBirthDate",
        0x00100040: "PatientSex",
    },
    Level.STUDY: {
        0x00080020: "StudyDate",
        0x00080030: "StudyTime",
        0x00080050: "AccessionNumber",
        0x00080080: "InstitutionName",
        0x00080090: "ReferringPhysicianName",
        0x00081030: "StudyDescription",
        0x0020000D: "StudyInstanceUID",
        0x00200010: "StudyID",
        0x00321032: "RequestingPhysician",
        0x00321060: "RequestedProcedureDescription",
    },
    Level.SERIES: {
        0x00080021: "SeriesDate",
        0x00080031: "SeriesTime",
        0x00080060: "Modality",
        0x00080070: "Manufacturer",
        0x00081010: "StationName",
        0x0008103E: "SeriesDescription",
        0x00081070: "OperatorsName",
        0x00180010: "ContrastBolusAgent",
        0x00180015: "BodyPartExamined",
        0x00180024: "SequenceName",
        0x00181030: "ProtocolName",
        0x00181090: "CardiacNumberOfImages",
        0x00181400: "AcquisitionDeviceProcessingDescription",
        0x0020000E: "SeriesInstanceUID",
        0x00200011: "SeriesNumber",
        0x00200037: "ImageOrientationPatient",
        0x00200105: "NumberOfTemporalPositions",
        0x00201002: "ImagesInAcquisition",
        0x00400254: "PerformedProcedureStepDescription",
        0x00540081: "NumberOfSlices",
        0x00540101: "NumberOfTimeSlices",
        0x00541000: "SeriesType",
    },
    Level.INSTANCE: {
        0x00080012: "InstanceCreationDate",
        0x00080013: "InstanceCreationTime",
        0x00080018: "SOPInstanceUID",
        0x00200012: "AcquisitionNumber",
        0x00200013: "InstanceNumber",
        0x00200032: "ImagePositionPatient",
        0x00200037: "ImageOrientationPatient",
        0x00200100: "TemporalPositionIdentifier",
        0x00204000: "ImageComments",
        0x00280008: "NumberOfFrames",
        0x00541330: "ImageIndex",
    },
}

# Of patients and studies, what every image has, if only empty (type 2), is shown although nothing is known of it.
SHOWN_EMPTY = frozenset(
    {
        *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
        *("StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName", "StudyID"),
    }
)

# The attributes of each level by which /module shows a resource; those of PS3.3 that an image has, as far as Orthanc.
COMPUTED_TAGS: Mapping[int, str] = {
    0x00080056: "InstanceAvailability",
    0x00080061: "ModalitiesInStudy",
    0x00080062: "SOPClassesInStudy",
    0x00201200: "NumberOfPatientRelatedStudies",
    0x00201202: "NumberOfPatientRelatedSeries",
    0x00201204: "NumberOfPatientRelatedInstances",
    0x00201206: "NumberOfStudyRelatedSeries",
    0x00201208: "NumberOfStudyRelatedInstances",
    0x00201209: "NumberOfSeriesRelatedInstances",
}
"""Answered to those who request them; they are in no file."""
