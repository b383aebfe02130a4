"""What `tests.bench.pictures` stores: slices of 512 x 512, one or many in a series, and objects of 500 frames."""

import io
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pydicom
from pydicom.uid import generate_uid

from dicomweb_server.dicom.orthanc_id import orthanc_id
from dicomweb_server.dicom.pixels.encode import Target
from dicomweb_server.dicom.pixels.transcode import transcode
from tests.builders import make_instance

JPEG_2000 = "1.2.840.10008.1.2.4.90"
_SIDE, _SLICES = 512, 250


@dataclass(frozen=True, slots=True)
class Picture:
    """An instance, and what it is called."""

    patient: str
    study: str
    series: str
    instance: str
    data: bytes

    @property
    def path(self) -> str:
        """Its path in DICOMweb."""
        return f"/dicom-web/studies/{self.study}/series/{self.series}/instances/{self.instance}"

    @property
    def identifier(self) -> str:
        """What Orthanc calls it."""
        return orthanc_id(self.patient, self.study, self.series, self.instance)

    @property
    def study_identifier(self) -> str:
        """What Orthanc calls its study."""
        return orthanc_id(self.patient, self.study)


def slices(count: int) -> Iterator[Picture]:
    """Slices in studies of 250."""
    study, series = str(generate_uid()), str(generate_uid())
    for number in range(count):
        if number and number % _SLICES == 0:
            study, series = str(generate_uid()), str(generate_uid())
        yield _made(study, series, number)


def slices_of(folder: Path) -> Iterator[Picture]:
    """The DICOM files in a folder."""
    for file in sorted(folder.glob("*.dcm")):
        data = file.read_bytes()
        head = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)
        yield Picture(
            str(head.PatientID), head.StudyInstanceUID, head.SeriesInstanceUID, str(head.SOPInstanceUID), data
        )


def in_series_of_their_own(pictures: Iterator[Picture], count: int) -> Iterator[Picture]:
    """So many of them, each made the only one of a new series."""
    for picture in islice(pictures, count):
        data_set = pydicom.dcmread(io.BytesIO(picture.data))
        data_set.SeriesInstanceUID, data_set.SOPInstanceUID = generate_uid(), generate_uid()
        data_set.file_meta.MediaStorageSOPInstanceUID = data_set.SOPInstanceUID
        buffer = io.BytesIO()
        data_set.save_as(buffer)
        yield Picture(
            picture.patient,
            picture.study,
            str(data_set.SeriesInstanceUID),
            str(data_set.SOPInstanceUID),
            buffer.getvalue(),
        )


def many_frames(side: int, frames: int) -> Picture:
    """An object of many frames in JPEG 2000; all of them compress alike, and no two are the same."""
    first = _pixels(side, 0)
    pixels = b"".join(np.roll(first, 7 * number, axis=1).tobytes() for number in range(frames))
    made = _made(str(generate_uid()), str(generate_uid()), 0, side=side, pixels=pixels, frames=frames)
    return Picture(made.patient, made.study, made.series, made.instance, transcode(made.data, Target(JPEG_2000)))


def shuffled_frames(count: int) -> list[int]:
    """Each frame once, in an order that no one expects and that is the same in every run."""
    numbers = list(range(1, count + 1))
    random.Random(7).shuffle(numbers)
    return numbers


def _made(
    study: str, series: str, number: int, *, side: int = _SIDE, pixels: bytes | None = None, frames: int = 1
) -> Picture:
    instance = str(generate_uid())
    data = make_instance(
        rows=1, columns=1, bits_allocated=16, PatientID="BENCH", StudyInstanceUID=study, SeriesInstanceUID=series,
        SOPInstanceUID=instance, InstanceNumber=number + 1, Rows=side, Columns=side, BitsStored=12, HighBit=11,
        NumberOfFrames=frames, WindowCenter="1500", WindowWidth="2000",
        PixelData=_pixels(side, number).tobytes() if pixels is None else pixels,
    )  # fmt: skip
    return Picture("BENCH", study, series, instance, data)


def _pixels(side: int, seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint16]]:
    """12 bits: a body in air, with the noise of a scanner."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    body = np.where(x**2 + y**2 < 0.7, 1500 + 300 * np.sin(9 * x + seed) * np.cos(7 * y), 100)
    noise = generator.normal(0, 20, (side, side))
    return np.clip(body + noise, 0, 4095).astype("<u2")
