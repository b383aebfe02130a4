"""Repeated edit: comes to the very bytes that editing each instance by itself comes to."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicomweb_server.dicom import repeated_edit
from dicomweb_server.dicom.deidentify import Deidentification
from dicomweb_server.dicom.deidentify_options import Option
from dicomweb_server.dicom.edit import Edited, edit
from dicomweb_server.dicom.header import open_part10
from dicomweb_server.dicom.modification import Modification
from dicomweb_server.dicom.repeated_edit import RepeatedEdit
from dicomweb_server.errors import ServerError
from tests.builders import make_dataset, write_part10
from tests.editing import deidentification, item, plan
from tests.real_files import REAL_FILES

Change = Modification | Deidentification

CHANGES: dict[str, Callable[[], Change]] = {
    "anonymize": deidentification,
    "with options": lambda: deidentification(Option.RETAIN_MODIFIED_DATES, Option.RETAIN_SAFE_PRIVATE),
    "cleaning": lambda: deidentification(Option.CLEAN_DESCRIPTORS),
    "modify": lambda: Modification(
        plan({"StudyDescription": "x", "0019,1099": "y"}, ["InstanceNumber"]), {"1.2": "1.3"}
    ),
    "in another character set": lambda: Modification(plan({"InstitutionName": "日本"})),
    "append": lambda: Modification(plan({"FFFC,FFFC": "zz"}, creator="X")),
}


def slices(count: int = 6, **attributes: Any) -> Iterator[Dataset]:
    """A series whose instances differ as those of a scanner do."""
    for number in range(count):
        dataset = make_dataset(
            StudyInstanceUID="1.2.3",
            SeriesInstanceUID="1.2.3.4",
            SOPInstanceUID=f"1.2.3.4.{number}",
            InstanceNumber=number,
            ImageComments="ü" * number,
            ReferencedImageSequence=[item(ReferencedSOPInstanceUID=f"1.2.3.4.{number}")],
            AcquisitionDate=f"2024010{number % 3 + 1}",
            **attributes,
        )
        dataset.add_new(0x00190010, "LO", "SIEMENS MR HEADER")
        dataset.add_new(0x0019100C, "IS", str(number))
        dataset.add_new(0x00191010, "LO", "same")
        dataset.PixelData = bytes([number]) * 10_000
        dataset["PixelData"].VR = "OW"
        yield dataset


def both_ways(files: list[bytes], change: Change) -> None:
    repeated = RepeatedEdit(change)
    for file in files:
        header = open_part10(file)
        made, task = repeated.edit(header)
        plain = change.task(header)
        assert made.whole() == edit(header, plain).whole()
        assert made.size == len(made.whole())
        assert task.patient == plain.patient


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_series_come_out_as_if_each_were_alone(change: Callable[[], Change], syntax: str) -> None:
    both_ways([write_part10(dataset, syntax) for dataset in slices()], change())


def test_it_does_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    edited = []

    def counted(*args: Any) -> Edited:
        edited.append(args)
        return edit(*args)

    monkeypatch.setattr(repeated_edit, "edit", counted)
    repeated = RepeatedEdit(deidentification())
    for dataset in slices(20):
        repeated.edit(open_part10(write_part10(dataset)))
    assert 2 <= len(edited) <= 8


def test_what_is_not_like_the_others_is_edited_by_itself() -> None:
    datasets = list(slices(10))
    datasets[4].PatientID = "P2"
    datasets[5].SpecificCharacterSet = "ISO_IR 192"
    datasets[6].SOPClassUID = "1.2.840.10008.5.1.4.1.1.2.1"
    del datasets[7].AccessionNumber
    datasets[8].BodyPartExamined = "HEAD"
    datasets[9].add_new(0x00191011, "LO", "more")
    files = [write_part10(dataset) for dataset in datasets]
    for change in CHANGES.values():
        both_ways([*files, *files[::-1]], change())


def test_real_files_come_out_the_same() -> None:
    change = deidentification()
    files = []
    for path in REAL_FILES:
        try:
            edit(header := open_part10(Path(path).read_bytes()), change.task(header))
        except ServerError:
            continue
        files.append(Path(path).read_bytes())
    both_ways([file for file in files for _ in range(3)], change)


@settings(max_examples=60)
@given(
    values=st.lists(
        st.tuples(st.sampled_from(["", "a", "bb", "ccc"]), st.sampled_from(["", "1", "22"]), st.booleans()), max_size=12
    )
)
def test_whatever_varies(values: list[tuple[str, str, bool]]) -> None:
    files = []
    for comment, number, has_dates in values:
        [dataset] = slices(1)
        dataset.ImageComments, dataset.InstanceNumber = comment, number
        if not has_dates:
            del dataset.StudyDate
        files.append(write_part10(dataset))
    both_ways(files, deidentification(Option.RETAIN_MODIFIED_DATES))
