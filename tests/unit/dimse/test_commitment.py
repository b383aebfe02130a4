"""Data sets of storage commitment: pydicom reads ours and writes those that we read."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filebase import DicomFileLike
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from conformance.commitment import request
from dicomweb_server.dimse.commitment import CommitmentReport, CommitmentRequest, read_request
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.services.modalities import Reference

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
BOTH = pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
REQUEST = CommitmentRequest("2.25.1", (Reference(CT, "1.2.3"), Reference(MR, "1.2.4"), Reference(CT, "1.2.5")))


def action(*references: tuple[str, str]) -> Dataset:
    return request("2.25.1", references)


def without_transaction() -> Dataset:
    dataset = action((CT, "1.2.3"))
    del dataset.TransactionUID
    return dataset


def encoded(dataset: Dataset, syntax: str) -> bytes:
    target = BytesIO()
    file = DicomFileLike(target)
    file.is_implicit_VR, file.is_little_endian = syntax == ImplicitVRLittleEndian, True
    write_dataset(file, dataset)
    return target.getvalue()


@BOTH
def test_a_request_is_read(syntax: str) -> None:
    data = encoded(action((CT, "1.2.3"), (MR, "1.2.4"), (CT, "1.2.5")), syntax)
    assert read_request(data, syntax) == REQUEST


@BOTH
def test_a_report_is_written(syntax: str) -> None:
    report = CommitmentReport(REQUEST, [0, 0x0112, 0x0110], "US")
    assert report.event_type_id == 2
    found = read_dataset(BytesIO(report.dataset(syntax)), syntax == ImplicitVRLittleEndian, True)
    assert (found.TransactionUID, found.RetrieveAETitle) == ("2.25.1", "US")
    assert [(each.ReferencedSOPClassUID, each.ReferencedSOPInstanceUID) for each in found.ReferencedSOPSequence] == [
        (CT, "1.2.3")
    ]
    assert [(each.ReferencedSOPInstanceUID, each.FailureReason) for each in found.FailedSOPSequence] == [
        ("1.2.4", 0x0112),
        ("1.2.5", 0x0110),
    ]


def test_a_report_of_success_has_no_failures() -> None:
    report = CommitmentReport(REQUEST, [0] * 3, "US")
    assert report.event_type_id == 1
    found = read_dataset(BytesIO(report.dataset(ImplicitVRLittleEndian)), True, True)
    assert "FailedSOPSequence" not in found
    assert len(found.ReferencedSOPSequence) == 3


@pytest.mark.parametrize(
    "dataset",
    [
        Dataset(),
        without_transaction(),
        action(),
        action((CT, "")),
        action(("", "1.2.3")),
    ],
)
def test_what_is_no_request(dataset: Dataset) -> None:
    with pytest.raises(ServerError) as caught:
        read_request(encoded(dataset, ExplicitVRLittleEndian), ExplicitVRLittleEndian)
    assert caught.value.reason is Reason.BAD_REQUEST


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    for content in (data, encoded(action((CT, "1.2.3")), ImplicitVRLittleEndian) + data):
        try:
            read_request(content, ImplicitVRLittleEndian)
        except ServerError:
            continue
