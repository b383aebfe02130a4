"""Sample instances, made with pydicom and new UIDs in every run, so that a test can say exactly what must come back."""

import io
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import generate_uid

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
MULTIFRAME_COLOUR = "1.2.840.10008.5.1.4.1.1.7.4"
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
PARAMETRIC_MAP = "1.2.840.10008.5.1.4.1.1.30"
ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"
BASIC_TEXT_SR = "1.2.840.10008.5.1.4.1.1.88.11"
RAW_DATA = "1.2.840.10008.5.1.4.1.1.66"

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
JPEG = "1.2.840.10008.1.2.4.50"
JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70"
JPEG_2000 = "1.2.840.10008.1.2.4.90"

UID_ROOT = "1.2.826.0.1.3680043.10.1451.7."
LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())


def new_uid() -> str:
    """A UID that nothing else has."""
    return str(generate_uid(prefix=UID_ROOT))


@dataclass(frozen=True, slots=True)
class Sample:
    """One instance: what it says, and its Part 10 bytes."""

    dataset: Dataset = field(repr=False)
    data: bytes = field(repr=False)

    @property
    def study(self) -> str:
        """Study Instance UID."""
        return str(self.dataset.StudyInstanceUID)

    @property
    def series(self) -> str:
        """Series Instance UID."""
        return str(self.dataset.SeriesInstanceUID)

    @property
    def instance(self) -> str:
        """SOP Instance UID."""
        return str(self.dataset.SOPInstanceUID)

    @property
    def study_path(self) -> str:
        """Path of the study's resource below the root."""
        return f"/studies/{self.study}"

    @property
    def series_path(self) -> str:
        """Path of the series' resource."""
        return f"{self.study_path}/series/{self.series}"

    @property
    def path(self) -> str:
        """Path of the instance's resource."""
        return f"{self.series_path}/instances/{self.instance}"


def make(
    sop_class: str = CT, modality: str = "CT", *, study: str | None = None, series: str | None = None, **attributes: Any
) -> Dataset:
    """A small data set with the identifying attributes; more, or others, by keyword."""
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, new_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study or new_uid(), series or new_uid()
    dataset.PatientName, dataset.PatientID = "Sample^One", "SAMPLE"
    dataset.PatientBirthDate, dataset.PatientSex = "19700102", "F"
    dataset.StudyDate, dataset.StudyTime = "20210314", "150926"
    dataset.StudyID, dataset.AccessionNumber, dataset.ReferringPhysicianName = "S1", "", ""
    dataset.Modality, dataset.SeriesNumber, dataset.InstanceNumber = modality, 1, 1
    for keyword, item in attributes.items():
        setattr(dataset, keyword, item)
    return dataset


def add_pixels(dataset: Dataset, data: bytes, rows: int, columns: int, **attributes: Any) -> Dataset:
    """Native monochrome pixel data, 8 bits unless said otherwise."""
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = rows, columns
    bits = attributes.get("BitsAllocated", 8)
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = bits, bits, bits - 1, 0
    for keyword, item in attributes.items():
        setattr(dataset, keyword, item)
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    dataset["PixelData"].VR = "OW" if bits > 8 else "OB"
    return dataset


def part10(dataset: Dataset, transfer_syntax: str = EXPLICIT) -> bytes:
    """The data set as a Part 10 file. Pixel data must be in the byte order of the transfer syntax already."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(transfer_syntax)
    dataset.file_meta.ImplementationClassUID = pydicom.uid.UID(UID_ROOT + "1")
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def sample(dataset: Dataset, transfer_syntax: str = EXPLICIT) -> Sample:
    """A data set with its bytes."""
    return Sample(dataset, part10(dataset, transfer_syntax))


def read(data: bytes) -> Dataset:
    """Parse a Part 10 file that must be one."""
    assert data[128:132] == b"DICM", "not a Part 10 file"
    return pydicom.dcmread(io.BytesIO(data))


def transfer_syntax_of(data: bytes) -> str:
    """What the file meta information says."""
    return str(pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True).file_meta.TransferSyntaxUID)


def without_meta(data: bytes) -> bytes:
    """The encoded data set of a Part 10 file alone."""
    length = struct.unpack_from("<I", data, 140)[0]
    return data[144 + length :]


def element(tag: int, vr: bytes, content: bytes, length: int | None = None) -> bytes:
    """One explicit little endian element; `length` tells a lie about it."""
    size = len(content) if length is None else length
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr
    if vr in LONG_VRS:
        return head + struct.pack("<HI", 0, size) + content
    return head + struct.pack("<H", size & 0xFFFF) + content


def text(tag: int, vr: bytes, words: str) -> bytes:
    """One text element in UTF-8, padded."""
    content = words.encode()
    pad = b"\0" if vr == b"UI" else b" "
    return element(tag, vr, content + pad * (len(content) % 2))


def raw_part10(elements: Sequence[bytes], sop_class: str = CT, transfer_syntax: str = EXPLICIT) -> bytes:
    """A Part 10 file of elements as they are: for data sets that no library would write."""
    return raw_file(b"".join(elements), sop_class, new_uid(), transfer_syntax)


def raw_file(body: bytes, sop_class: str, instance: str, transfer_syntax: str) -> bytes:
    """Preamble and file meta information before any bytes."""
    meta = (
        element(0x00020001, b"OB", b"\0\1")
        + text(0x00020002, b"UI", sop_class)
        + text(0x00020003, b"UI", instance)
        + text(0x00020010, b"UI", transfer_syntax)
        + text(0x00020012, b"UI", UID_ROOT + "1")
    )
    return b"\0" * 128 + b"DICM" + element(0x00020000, b"UL", struct.pack("<I", len(meta))) + meta + body


def raw_path(identity: Mapping[int, bytes]) -> str:
    """Path of the instance that has the elements of `raw_identity`."""
    study, series, instance = (
        identity[tag][8:].rstrip(b"\0 ").decode() for tag in (0x0020000D, 0x0020000E, 0x00080018)
    )
    return f"/studies/{study}/series/{series}/instances/{instance}"


def raw_identity(study: str | None = None, series: str | None = None, instance: str | None = None) -> dict[int, bytes]:
    """The elements that every stored instance needs, by tag; "" makes an empty one, for `raw_part10`."""
    uids = (new_uid() if uid is None else uid for uid in (instance, study, series))
    sop_instance, study_uid, series_uid = uids
    return {
        0x00080005: text(0x00080005, b"CS", "ISO_IR 192"),
        0x00080016: text(0x00080016, b"UI", CT),
        0x00080018: text(0x00080018, b"UI", sop_instance),
        0x00080060: text(0x00080060, b"CS", "CT"),
        0x00100020: text(0x00100020, b"LO", "RAW"),
        0x0020000D: text(0x0020000D, b"UI", study_uid),
        0x0020000E: text(0x0020000E, b"UI", series_uid),
    }
