"""De-identify: pseudonyms, references, dates, descriptions, structured content, private attributes, marks."""

from io import BytesIO
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicomweb_server.dicom.deidentify_options import Option, options_named
from dicomweb_server.dicom.edit_rules import Outcome
from dicomweb_server.dicom.uids import is_valid_uid
from dicomweb_server.errors import ServerError
from tests.builders import NATIVE, make_dataset, write_part10
from tests.editing import anonymized, apply, deidentification, item


def code(value: str, meaning: str, scheme: str = "DCM") -> Dataset:
    return item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def sample(**attributes: Any) -> Dataset:
    dataset = make_dataset(**{"AccessionNumber": "ACC77"} | attributes)
    dataset.ReferencedImageSequence = [item(ReferencedSOPInstanceUID=dataset.SOPInstanceUID)]
    dataset.ReferencedStudySequence = [item(ReferencedSOPInstanceUID=dataset.StudyInstanceUID)]
    return dataset


@pytest.mark.parametrize("syntax", NATIVE)
def test_nobody_is_recognised_and_references_stay_true(syntax: str) -> None:
    file = write_part10(sample(OtherPatientIDs="P1", FrameOfReferenceUID="1.2.3"), syntax)
    new = anonymized(file)
    text = str(new)
    assert not any(secret in text for secret in ("Doe", "Jane", "P1", "ACC77", "20240131", "19700101"))
    assert new.ReferencedImageSequence[0].ReferencedSOPInstanceUID == new.SOPInstanceUID
    assert new.file_meta.MediaStorageSOPInstanceUID == new.SOPInstanceUID
    assert (new.PatientIdentityRemoved, new.LongitudinalTemporalInformationModified) == ("YES", "REMOVED")
    assert "PS3.15" in new.DeidentificationMethod
    assert len(new.DeidentificationMethod) <= 64
    for uid in (new.SOPInstanceUID, new.StudyInstanceUID, new.SeriesInstanceUID, new.FrameOfReferenceUID):
        assert is_valid_uid(uid)
        assert uid.startswith("2.25.")
    assert len({new.SOPInstanceUID, new.StudyInstanceUID, new.SeriesInstanceUID}) == 3
    assert new.SOPClassUID == sample().SOPClassUID
    assert str(new.PatientName).startswith("Anonymized^")


def test_the_same_secret_repeats_itself_and_another_does_not() -> None:
    file = write_part10(sample())
    change = deidentification()
    assert apply(file, change) == apply(file, deidentification())
    other = write_part10(sample(PatientID="P2"))
    assert dcmread(BytesIO(apply(other, change))).PatientID != dcmread(BytesIO(apply(file, change))).PatientID


def test_a_patient_without_identifiers_gets_some() -> None:
    new = anonymized(write_part10(sample(PatientID=None, PatientName=None)))
    assert new.PatientID
    assert new.PatientName


def test_dates_of_a_patient_move_together_and_times_stay() -> None:
    first = sample(SeriesDate="20240202", AcquisitionDateTime="20240131101500.5+0100")
    second = sample(StudyDate="20240205")
    old, new, later = first, *(anonymized(write_part10(one), Option.RETAIN_MODIFIED_DATES) for one in (first, second))
    days = (as_date(new.SeriesDate) - as_date(new.StudyDate)).days
    assert days == (as_date(old.SeriesDate) - as_date(old.StudyDate)).days
    assert (as_date(later.StudyDate) - as_date(new.StudyDate)).days == 5
    assert new.StudyDate != old.StudyDate
    assert new.StudyTime == old.StudyTime
    assert new.AcquisitionDateTime == f"{new.StudyDate}101500.5+0100"
    assert new.LongitudinalTemporalInformationModified == "MODIFIED"
    assert not new.PatientBirthDate
    full = anonymized(write_part10(first), Option.RETAIN_FULL_DATES)
    assert (full.StudyDate, full.LongitudinalTemporalInformationModified) == (old.StudyDate, "UNMODIFIED")


def as_date(text: str) -> Any:
    from datetime import datetime

    return datetime.strptime(text, "%Y%m%d")


@pytest.mark.parametrize("value", ["nonsense", "2024-01-31", "20241399", "00010101"])
def test_what_is_no_date_becomes_a_dummy(value: str) -> None:
    dataset = sample()
    dataset.StudyDate = ""
    file = write_part10(dataset)
    changed = write_part10(sample(StudyDate="20240131")).replace(b"20240131", value[:8].ljust(8).encode())
    assert anonymized(changed, Option.RETAIN_MODIFIED_DATES).StudyDate == "19000101"
    assert anonymized(file, Option.RETAIN_MODIFIED_DATES).StudyDate == ""


def test_retained_uids_stay() -> None:
    old = sample()
    new = anonymized(write_part10(old), Option.RETAIN_UIDS)
    assert (new.SOPInstanceUID, new.StudyInstanceUID) == (old.SOPInstanceUID, old.StudyInstanceUID)
    assert new.PatientID != old.PatientID


def test_descriptions_keep_what_they_describe() -> None:
    texts = {
        "StudyDescription": "CT Thorax of Jane DOE, 31.01.2024 Dr. House, MRN 12-34",
        "SeriesDescription": "axial 5mm ACC77",
        "ProtocolName": "P1",
        "ImageComments": "call jane.doe@example.org or 0123456789",
    }
    new = anonymized(write_part10(sample(**texts)), Option.CLEAN_DESCRIPTORS)
    assert new.StudyDescription == "CT Thorax of"
    assert new.SeriesDescription == "axial 5mm"
    assert "ProtocolName" not in new
    assert new.ImageComments == "call  or".replace("  ", " ")
    assert "StudyDescription" not in anonymized(write_part10(sample(**texts)))


def test_characteristics_of_the_patient_stay_on_request() -> None:
    file = write_part10(sample(PatientWeight="70", Allergies="nuts", PatientState="Doe is well"))
    new = anonymized(file, Option.RETAIN_PATIENT_CHARACTERISTICS)
    assert (new.PatientSex, new.PatientWeight, new.Allergies, new.PatientState) == ("F", 70, "nuts", "is well")
    assert not new.PatientBirthDate


def private(dataset: Dataset) -> Dataset:
    for tag, vr, value in (
        (0x00190010, "LO", "SIEMENS MR HEADER"),
        (0x0019100C, "IS", "1000"),
        (0x00191008, "CS", "SECRET"),
        (0x00290010, "LO", "SECRET CREATOR"),
        (0x00291001, "LO", "Secret"),
        (0x00310010, "LO", "DECLARED"),
        (0x00311001, "LO", "fine"),
    ):
        dataset.add_new(tag, vr, value)
    declared = item(
        PrivateGroupReference=0x31, PrivateCreatorReference="DECLARED", BlockIdentifyingInformationStatus="SAFE"
    )
    dataset.PrivateDataElementCharacteristicsSequence = [declared]
    return dataset


@pytest.mark.parametrize("syntax", NATIVE)
def test_private_attributes_stay_as_far_as_they_are_safe(syntax: str) -> None:
    file = write_part10(private(sample()), syntax)
    kept = [int(element.tag) for element in anonymized(file, Option.RETAIN_SAFE_PRIVATE) if element.tag.is_private]
    assert kept == [0x00190010, 0x0019100C, 0x00310010, 0x00311001]
    assert not [element for element in anonymized(file).iterall() if element.tag.is_private]
    everything = anonymized(file, keeps_private=True)
    assert everything[0x00291001].value in ("Secret", b"Secret")
    assert "DeidentificationMethod" not in everything


def report() -> bytes:
    content = [
        item(ValueType="TEXT", ConceptNameCodeSequence=[code("121106", "Comment")], TextValue="Jane Doe"),
        item(ValueType="PNAME", ConceptNameCodeSequence=[code("121008", "Person Observer Name")], PersonName="House^G"),
        item(ValueType="TEXT", ConceptNameCodeSequence=[code("121022", "Accession Number")], TextValue="ACC77"),
        item(ValueType="DATE", ConceptNameCodeSequence=[code("126201", "Acquisition Date")], Date="20240131"),
        item(
            ValueType="CONTAINER",
            ConceptNameCodeSequence=[code("111028", "Image Library")],
            ContentSequence=[
                item(
                    ValueType="IMAGE",
                    ReferencedSOPSequence=[item(ReferencedSOPClassUID="1.2", ReferencedSOPInstanceUID="1.2.3")],
                ),
                item(ValueType="TEXT", ConceptNameCodeSequence=[code("1", "Mine", "99X")], TextValue="Jane again"),
                item(
                    ValueType="NUM",
                    ConceptNameCodeSequence=[code("410668003", "Length", "SCT")],
                    MeasuredValueSequence=[item(NumericValue="5")],
                ),
            ],
        ),
    ]
    dataset = sample(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.33", ContentSequence=content)
    return write_part10(dataset)


def test_structured_content_tells_nothing_freely() -> None:
    new = anonymized(report())
    assert len(new.ContentSequence) == 5
    assert not any(secret in str(new) for secret in ("Jane", "House", "20240131", "ACC77"))


def test_structured_content_is_cleaned_by_concept() -> None:
    new = anonymized(report(), Option.CLEAN_STRUCTURED_CONTENT)
    concepts = [content.ConceptNameCodeSequence[0].CodeMeaning for content in new.ContentSequence]
    assert concepts == ["Person Observer Name", "Image Library"]
    assert not any(secret in str(new) for secret in ("Jane", "House", "20240131", "ACC77"))
    image, text, number = new.ContentSequence[1].ContentSequence
    assert image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID.startswith("2.25.")
    assert text.TextValue == "ANONYMIZED"
    assert number.MeasuredValueSequence[0].NumericValue == 5
    dated = anonymized(report(), Option.CLEAN_STRUCTURED_CONTENT, Option.RETAIN_FULL_DATES)
    assert [content.Date for content in dated.ContentSequence if "Date" in content] == ["20240131"]


def test_graphics_stay_without_their_words() -> None:
    annotation = item(
        GraphicLayer="L",
        TextObjectSequence=[item(UnformattedTextValue="Jane Doe")],
        GraphicObjectSequence=[item(GraphicData=[1.0, 2.0], GraphicType="POINT")],
    )
    dataset = sample(SOPClassUID="1.2.840.10008.5.1.4.1.1.11.1", GraphicAnnotationSequence=[annotation])
    dataset.add_new(0x60003000, "OW", b"\0\0")
    for options in ((), (Option.CLEAN_GRAPHICS,)):
        new = anonymized(write_part10(dataset), *options)
        graphic = new.GraphicAnnotationSequence[0]
        assert "Jane" not in str(new)
        assert graphic.GraphicObjectSequence[0].GraphicData == [1.0, 2.0]
        assert 0x60003000 not in new


def test_documents_become_empty_documents() -> None:
    dataset = sample(SOPClassUID="1.2.840.10008.5.1.4.1.1.104.1", EncapsulatedDocument=b"%PDF-1.7 Jane Doe ")
    dataset.MIMETypeOfEncapsulatedDocument, dataset.EncapsulatedDocumentLength = "application/pdf", 18
    new = anonymized(write_part10(dataset))
    assert new.EncapsulatedDocument.startswith(b"%PDF")
    assert b"Jane" not in new.EncapsulatedDocument
    assert "EncapsulatedDocumentLength" not in new


def test_what_is_in_no_edition_goes() -> None:
    dataset = sample()
    dataset.add_new(0x00187778, "LO", "Jane")
    dataset.add_new(0x00189999, "UN", b"Jane")
    assert "Jane" not in str(anonymized(write_part10(dataset)))


def test_wishes_go_before_the_profile() -> None:
    wishes: dict[str, Any] = {
        "replace": {"PatientID": "N1", "StudyDescription": "kept"},
        "keep": ["StudyDate"],
        "remove": ["Modality"],
    }
    new = anonymized(write_part10(sample()), **wishes)
    assert (new.PatientID, new.StudyDescription, new.StudyDate) == ("N1", "kept", "20240131")
    assert "Modality" not in new
    assert "DeidentificationMethod" not in new
    assert new.PatientIdentityRemoved == "YES"


def test_a_report_tells_what_would_happen() -> None:
    told: list[tuple[str, str, Outcome]] = []
    dataset = sample(RequestAttributesSequence=[item(StudyInstanceUID="1.2.3")])
    change = deidentification(keep=["RequestAttributesSequence"])
    apply(write_part10(dataset), change, lambda path, vr, outcome: told.append((path, vr, outcome)))
    assert ("0010,0010", "PN", Outcome.REPLACED) in told
    assert ("0008,1140[0].0008,1155", "UI", Outcome.REMAPPED) in told
    assert ("0008,1030", "LO", Outcome.REMOVED) in told
    assert ("0012,0062", "CS", Outcome.ADDED) in told
    assert ("0008,0020", "DA", Outcome.EMPTIED) in told
    assert not [path for path, _, _ in told if path.startswith("0040,0275")]


def test_options_have_names() -> None:
    assert options_named([option.label for option in Option if option is not Option.RETAIN_FULL_DATES])
    assert options_named(["retainuids"]) == {Option.RETAIN_UIDS}
    for names in (["Nope"], "RetainUIDs", [5], ["RetainLongitudinalFullDates", "RetainLongitudinalModifiedDates"]):
        with pytest.raises(ServerError, match=r"option|Options|contradict"):
            options_named(names)
