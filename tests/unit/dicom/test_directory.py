"""DICOMDIR: read by pydicom's FileSet and judged by dciodvfy."""

import shutil
import subprocess
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import (
    BasicTextSRStorage,
    CTImageStorage,
    EncapsulatedPDFStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    KeyObjectSelectionDocumentStorage,
    RTDoseStorage,
    RTPlanStorage,
    RTStructureSetStorage,
    SegmentationStorage,
    TwelveLeadECGWaveformStorage,
)

from dicomweb_server.dicom.directory import Directory, FileReference
from dicomweb_server.dicom.directory_records import keys_of, record_type
from dicomweb_server.dicom.instance import parse_instance
from tests.builders import make_dataset, write_part10
from tests.file_sets import opened_file_set


def concept(meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "121070", "DCM", meaning
    return code


def title_modifier() -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = "HAS CONCEPT MOD", "CODE"
    item.ConceptNameCodeSequence, item.ConceptCodeSequence = [concept("Language")], [concept("English")]
    return item


def referenced_series() -> Dataset:
    image, series = Dataset(), Dataset()
    image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = CTImageStorage, "1.2.3"
    series.SeriesInstanceUID, series.ReferencedImageSequence = "1.2", [image]
    return series


KINDS: list[tuple[str, str, dict[str, Any]]] = [
    ("IMAGE", CTImageStorage, {}),
    ("IMAGE", SegmentationStorage, {}),
    ("RT DOSE", RTDoseStorage, {"DoseSummationType": "BEAM"}),
    ("RT STRUCTURE SET", RTStructureSetStorage, {"StructureSetLabel": "S"}),
    ("RT PLAN", RTPlanStorage, {"RTPlanLabel": "P", "RTPlanDate": "20240101"}),
    (
        "PRESENTATION",
        GrayscaleSoftcopyPresentationStateStorage,
        {"ContentLabel": "GSPS", "ReferencedSeriesSequence": [referenced_series()]},
    ),
    ("WAVEFORM", TwelveLeadECGWaveformStorage, {"ContentDate": "20240102", "ContentTime": "10"}),
    ("SR DOCUMENT", BasicTextSRStorage, {"ConceptNameCodeSequence": [concept("Report")], "CompletionFlag": "COMPLETE"}),
    ("KEY OBJECT DOC", KeyObjectSelectionDocumentStorage, {"ConceptNameCodeSequence": [concept("Of interest")]}),
    ("ENCAP DOC", EncapsulatedPDFStorage, {"MIMETypeOfEncapsulatedDocument": "application/pdf"}),
]


def directory_of(folder: Path, *datasets: Dataset, extended: bool = False) -> Path:
    directory = Directory("TEST", extended=extended)
    (folder / "IMAGES").mkdir()
    for number, dataset in enumerate(datasets):
        data = write_part10(dataset)
        (folder / "IMAGES" / f"IM{number}").write_bytes(data)
        parsed = parse_instance(data)
        record = parsed.record
        document = orjson.loads(parsed.metadata.replace(b"\1", b""))
        file_id = f"IMAGES\\IM{number}"
        reference = FileReference(file_id, record.sop_class_uid, record.instance_uid, record.transfer_syntax_uid)
        directory.add(reference, document)
    path = folder / "DICOMDIR"
    path.write_bytes(b"".join(directory.pieces()))
    assert path.stat().st_size == directory.size
    return path


@pytest.mark.parametrize("extended", [False, True])
def test_every_kind_of_record(tmp_path: Path, *, extended: bool) -> None:
    datasets = [
        make_dataset(SOPClassUID=uid, PatientID=f"P{n % 3}", StudyInstanceUID=f"1.{n % 4}", **more)
        for n, (_, uid, more) in enumerate(KINDS)
    ]
    path = directory_of(tmp_path, *datasets, extended=extended)
    with opened_file_set(path) as found:
        types = {one.SOPInstanceUID: one.node.record_type for one in found}
        assert [types[dataset.SOPInstanceUID] for dataset in datasets] == [kind for kind, _, _ in KINDS]
        for one in found:
            assert one.load().SOPInstanceUID == one.SOPInstanceUID
    if shutil.which("dciodvfy"):
        done = subprocess.run(["dciodvfy", "-new", path], capture_output=True, text=True, check=False, timeout=200)
        complaints = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith(("Error", "Warn"))]
        assert extended or not complaints
        assert not [line for line in complaints if line.startswith("Error")]


def test_links_and_order(tmp_path: Path) -> None:
    uids = [("A", "1.1", "1.1.1"), ("B", "1.2", "1.2.1"), ("A", "1.1", "1.1.2"), ("A", "1.3", "1.3.1")]
    datasets = [
        make_dataset(PatientID=patient, StudyInstanceUID=study, SeriesInstanceUID=series, InstanceNumber=n + 1)
        for n, (patient, study, series) in enumerate(uids)
    ]
    read = dcmread(directory_of(tmp_path, *datasets))
    assert [record.DirectoryRecordType for record in read.DirectoryRecordSequence] == [
        *("PATIENT", "STUDY", "SERIES", "IMAGE", "SERIES", "IMAGE", "STUDY", "SERIES", "IMAGE"),
        *("PATIENT", "STUDY", "SERIES", "IMAGE"),
    ]
    records = {record.seq_item_tell: record for record in read.DirectoryRecordSequence}
    first = records[read.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity]
    last = records[read.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity]
    assert (first.PatientID, last.PatientID) == ("A", "B")
    assert records[first.OffsetOfTheNextDirectoryRecord] is last
    assert last.OffsetOfTheNextDirectoryRecord == 0


def test_what_is_missing_is_made_up_here_only(tmp_path: Path) -> None:
    bare = make_dataset(
        **dict.fromkeys(("PatientID", "PatientName", "StudyID", "StudyDate", "StudyTime", "Modality", "SeriesNumber")),
        InstanceNumber=None,
        SOPClassUID=BasicTextSRStorage,
    )
    read = dcmread(directory_of(tmp_path, bare))
    patient, study, series, document = read.DirectoryRecordSequence
    assert (patient.PatientID, patient.PatientName) == ("UNKNOWN", "")
    assert (study.StudyDate, study.StudyTime, study.StudyID) == ("19000101", "000000", "1")
    assert (series.Modality, series.SeriesNumber, document.InstanceNumber) == ("OT", 1, 1)
    assert (document.CompletionFlag, document.ContentDate) == ("PARTIAL", "19000101")
    assert "PatientID" not in dcmread(tmp_path / "IMAGES" / "IM0")


def test_text_in_any_script(tmp_path: Path) -> None:
    dataset = make_dataset(SpecificCharacterSet="ISO_IR 192", PatientName="山田^太郎", StudyDescription="Schädel")
    read = dcmread(directory_of(tmp_path, dataset))
    assert [record.get("SpecificCharacterSet") for record in read.DirectoryRecordSequence] == [
        *("ISO_IR 192", "ISO_IR 192", None, None),
    ]
    assert read.DirectoryRecordSequence[0].PatientName == "山田^太郎"
    assert read.DirectoryRecordSequence[1].StudyDescription == "Schädel"


def test_a_report_shows_the_modifiers_of_its_title_only(tmp_path: Path) -> None:
    text = Dataset()
    text.RelationshipType, text.ValueType, text.TextValue = "CONTAINS", "TEXT", "finding"
    dataset = make_dataset(
        SOPClassUID=BasicTextSRStorage,
        ConceptNameCodeSequence=[concept("Report")],
        ContentSequence=[title_modifier(), text],
    )
    record = dcmread(directory_of(tmp_path, dataset)).DirectoryRecordSequence[3]
    assert [item.RelationshipType for item in record.ContentSequence] == ["HAS CONCEPT MOD"]


def test_an_empty_file_set() -> None:
    read = dcmread(BytesIO(b"".join(Directory("EMPTY").pieces())))
    assert read.FileSetID == "EMPTY"
    assert list(read.DirectoryRecordSequence) == []
    assert read.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity == 0


def test_every_type_of_record_has_keys() -> None:
    root = "1.2.840.10008.5.1.4."
    for uid in ("1.1.481.11", "1.1.78.6", "1.1.78.7", "34.1", "1.1.66.3", "1.1.9.100.1", "1.1.104.3", "1.1.2"):
        assert keys_of(record_type(root + uid))
    assert record_type("1.2.3") == "IMAGE"
