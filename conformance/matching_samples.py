"""Three instances for the suite on matching: two that differ in an attribute of each VR, and one that has none."""

from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from conformance.samples import make, new_uid, sample
from conformance.service import Service

TEXT = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
# VR → keyword, the value of the first and of the second instance.
ATTRIBUTES: dict[str, tuple[str, Any, Any]] = {
    "AE": ("StationAETitle", "SCAN_ONE", "SCAN_TWO"),
    "AS": ("PatientAge", "042Y", "007D"),
    "AT": ("FrameIncrementPointer", 0x00181063, 0x00181065),
    "CS": ("BodyPartExamined", "HEAD", "HEART"),
    "DA": ("ContentDate", "20210314", "20200229"),
    "DS": ("SliceThickness", "2.5", "10"),
    "DT": ("AcquisitionDateTime", "20210314150926.5+0100", "20200229080000"),
    "FD": ("ReconstructionAngle", 1.5, -2.25),
    "FL": ("FieldOfViewDimensionsInFloat", 0.5, 128.25),
    "IS": ("InstanceNumber", "7", "12"),
    "LO": ("SeriesDescription", "Axial 5mm", "Sagittal"),
    "LT": ("ImageComments", "first line\r\nsecond\\line", "other"),
    "PN": ("OperatorsName", "Curie^Marie", "Röntgen^Wilhelm"),
    "SH": ("StationName", "Room 1", "Room 22"),
    "SL": ("ReferencePixelX0", -70000, 70000),
    "SS": ("TagAngleSecondAxis", -7, 7),
    "ST": ("InstitutionAddress", "1 High Street", "2 Low Street"),
    "SV": ("SelectorSVValue", -(2**40), 2**40),
    "TM": ("ContentTime", "150926.5", "0800"),
    "UC": ("LongCodeValue", "CODE-1", "CODE-22"),
    "UI": ("FrameOfReferenceUID", new_uid(), new_uid()),
    "UL": ("SimpleFrameList", 70000, 3),
    "UR": ("URNCodeValue", "urn:oid:1.2.3", "urn:oid:1.2.4"),
    "US": ("Rows", 512, 256),
    "UT": ("TextValue", "Nothing to report.", "A lot"),
    "UV": ("SelectorUVValue", 2**63, 5),
}
# Attributes that may have several values, of the VRs of PS3.4 §C.2.2.2.8: what the first instance has.
SEVERAL: dict[str, tuple[str, list[Any], Any]] = {
    "AE": ("SelectorAEValue", ["ONE", "TWO", "THREE"], "FOUR"),
    "AS": ("SelectorASValue", ["001Y", "002Y"], "003Y"),
    "AT": ("SelectorATValue", [0x00100010, 0x00100020], 0x00100030),
    "CS": ("ImageType", ["ORIGINAL", "PRIMARY", "AXIAL"], "DERIVED"),
    "LO": ("SoftwareVersions", ["1.0", "build 2"], "3.0"),
    "PN": ("OtherPatientNames", ["Sklodowska^Maria", "Curie^M"], "Curie^Pierre"),
    "SH": ("PatientTelephoneNumbers", ["123", "456"], "789"),
    "UC": ("SelectorUCValue", ["a", "b"], "c"),
}


@dataclass(frozen=True, slots=True)
class MatchingSamples:
    """The UIDs of what is stored: each instance in a study of its own, of a patient of its own."""

    studies: tuple[str, str, str]
    instances: dict[str, str]  # SOP Instance UID → "first", "second" or "bare"


def store(service: Service) -> MatchingSamples:
    """Make them and store them."""
    run = new_uid()[-12:]
    first, second, bare = (make(PatientID=f"{run}-{n}") for n in range(3))
    del bare.InstanceNumber
    for keyword, one, other in ATTRIBUTES.values():
        setattr(first, keyword, one)
        setattr(second, keyword, other)
    for keyword, values, _ in SEVERAL.values():
        setattr(first, keyword, values)
    first.RequestAttributesSequence = Items([_request("SPS1", "RP1", "A"), _request("SPS2", "RP2", "B")])
    second.RequestAttributesSequence = Items([_request("SPS1", "RP2", "B")])
    datasets = (first, second, bare)
    for dataset in datasets:
        service.store(sample(dataset).data)
    names = ("first", "second", "bare")
    return MatchingSamples(
        (str(first.StudyInstanceUID), str(second.StudyInstanceUID), str(bare.StudyInstanceUID)),
        {str(dataset.SOPInstanceUID): name for dataset, name in zip(datasets, names, strict=True)},
    )


def _request(step: str, procedure: str, code: str) -> Dataset:
    item, inner = Dataset(), Dataset()
    inner.CodeValue, inner.CodingSchemeDesignator, inner.CodeMeaning = code, "99TEST", "meaning"
    item.ScheduledProcedureStepID, item.RequestedProcedureID = step, procedure
    item.ScheduledProtocolCodeSequence = [inner]
    return item
