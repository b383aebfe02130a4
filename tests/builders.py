"""Builders of DICOM test data: made fresh, of synthetic patients only, never read from binary fixtures."""

from collections.abc import Sequence
from io import BytesIO
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.filewriter import dcmwrite
from pydicom.uid import (
    UID,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    RLELossless,
    generate_uid,
)

NATIVE = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)


def make_dataset(**attributes: Any) -> Dataset:
    """A data set of a synthetic patient with fresh UIDs; a keyword given as None is left out."""
    dataset = Dataset()
    defaults: dict[str, Any] = {
        "SpecificCharacterSet": "ISO_IR 100",
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": generate_uid(),
        "StudyInstanceUID": generate_uid(),
        "SeriesInstanceUID": generate_uid(),
        "StudyDate": "20240131",
        "StudyTime": "101500",
        "AccessionNumber": "A1",
        "Modality": "CT",
        "StudyDescription": "Synthetic study",
        "SeriesDescription": "Synthetic series",
        "PatientName": "Doe^Jane",
        "PatientID": "P1",
        "PatientBirthDate": "19700101",
        "PatientSex": "F",
        "StudyID": "1",
        "SeriesNumber": 1,
        "InstanceNumber": 1,
    }
    for keyword, value in (defaults | attributes).items():
        if value is not None:
            setattr(dataset, keyword, value)
    return dataset


def write_part10(dataset: Dataset, transfer_syntax_uid: str = ExplicitVRLittleEndian) -> bytes:
    """The Part 10 file of a data set; its pixel data, if any, must already fit the transfer syntax."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", CTImageStorage)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", "1.2.3")
    dataset.file_meta.TransferSyntaxUID = UID(transfer_syntax_uid)
    dataset.preamble = b"\0" * 128
    buffer = BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def bare_dataset(part10: bytes) -> bytes:
    """The data set of a Part 10 file without preamble and file meta, as C-STORE delivers it."""
    length = int.from_bytes(part10[140:144], "little")
    return part10[144 + length :]


def make_instance(
    *,
    transfer_syntax_uid: str = ExplicitVRLittleEndian,
    rows: int = 8,
    columns: int = 8,
    frames: int = 1,
    bits_allocated: int = 16,
    samples_per_pixel: int = 1,
    **attributes: Any,
) -> bytes:
    """The Part 10 file of an image in a native transfer syntax; pixels count upwards so that frames differ."""
    dataset = make_dataset()
    _describe_pixels(dataset, rows, columns, frames, bits_allocated, samples_per_pixel)
    size = rows * columns * frames * samples_per_pixel
    if bits_allocated == 1:
        pixels = bytes(index % 256 for index in range((size + 7) // 8))
    else:
        pixels = b"".join(
            (index % (1 << bits_allocated)).to_bytes(bits_allocated // 8, "little") for index in range(size)
        )
        if transfer_syntax_uid == ExplicitVRBigEndian and bits_allocated > 8:  # words of 16 bits (PS3.5 2016b §8.2)
            pixels = b"".join(pixels[at : at + 2][::-1] for at in range(0, len(pixels), 2))
    dataset.PixelData = pixels + b"\0" * (len(pixels) % 2)
    dataset["PixelData"].VR = "OW" if bits_allocated > 8 else "OB"
    _apply(dataset, attributes)
    return write_part10(dataset, transfer_syntax_uid)


def make_encapsulated(
    frames: Sequence[bytes],
    *,
    transfer_syntax_uid: str = JPEGBaseline8Bit,
    fragments_per_frame: int = 1,
    basic_offset_table: bool = True,
    extended_offset_table: bool = False,
    rows: int = 8,
    columns: int = 8,
    **attributes: Any,
) -> bytes:
    """The Part 10 file of an image whose pixel data is encapsulated: any bytes serve as compressed frames."""
    dataset = make_dataset()
    _describe_pixels(dataset, rows, columns, len(frames), 8, 1)
    if extended_offset_table:
        pixels, offsets, lengths = encapsulate_extended(list(frames))
        dataset.PixelData = pixels
        dataset.ExtendedOffsetTable = offsets
        dataset.ExtendedOffsetTableLengths = lengths
    else:
        dataset.PixelData = encapsulate(
            list(frames), fragments_per_frame=fragments_per_frame, has_bot=basic_offset_table
        )
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    _apply(dataset, attributes)
    return write_part10(dataset, transfer_syntax_uid)


def fake_jpeg(payload: bytes = b"") -> bytes:
    """Something with the markers of a JPEG stream around `payload`; enough to frame, not to decode."""
    return b"\xff\xd8\xff\xe0" + payload + b"\xff\xd9" + b"\0" * (len(payload) % 2)


def make_rle(*, rows: int = 8, columns: int = 8, frames: int = 1, **attributes: Any) -> bytes:
    """The Part 10 file of a real RLE-compressed 8-bit image."""
    dataset = make_dataset()
    _describe_pixels(dataset, rows, columns, frames, 8, 1)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.PixelData = bytes(index % 256 for index in range(rows * columns * frames))
    dataset["PixelData"].VR = "OB"
    dataset.compress(RLELossless, generate_instance_uid=False)
    _apply(dataset, attributes)
    return write_part10(dataset, RLELossless)


def _describe_pixels(
    dataset: Dataset, rows: int, columns: int, frames: int, bits_allocated: int, samples_per_pixel: int
) -> None:
    dataset.SamplesPerPixel = samples_per_pixel
    dataset.PhotometricInterpretation = "MONOCHROME2" if samples_per_pixel == 1 else "RGB"
    if samples_per_pixel > 1:
        dataset.PlanarConfiguration = 0
    if frames != 1:
        dataset.NumberOfFrames = frames
    dataset.Rows = rows
    dataset.Columns = columns
    dataset.BitsAllocated = bits_allocated
    dataset.BitsStored = bits_allocated
    dataset.HighBit = bits_allocated - 1
    dataset.PixelRepresentation = 0


def _apply(dataset: Dataset, attributes: dict[str, Any]) -> None:
    for keyword, value in attributes.items():
        if value is None:
            if keyword in dataset:
                delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
