"""The sample archive: four studies of three people, of every kind of instance that the suites ask for, stored once."""

import io
from dataclasses import dataclass
from functools import cache
from itertools import chain
from uuid import uuid4

import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended

from conformance import samples
from conformance.samples import Sample, add_pixels, make, new_uid, sample
from conformance.service import Service

PRIVATE_CREATOR = "CONFORMANCE SUITE"
FRAME_COUNT = 3
ODD_FRAMES = tuple(bytes((frame * 80 + pixel) % 256 for pixel in range(25)) for frame in range(FRAME_COUNT))
BITS = tuple(tuple((frame + pixel) % 3 == 0 for pixel in range(25)) for frame in range(FRAME_COUNT))
BLOB = bytes(range(256)) * 16
PDF = b"%PDF-1.4\n" + b"%" * 4000 + b"\n%%EOF\n"


@cache
def jpeg_frames() -> tuple[bytes, ...]:
    """Three small JPEG streams of different lengths, each padded to an even one."""
    return tuple(_jpeg(seed) for seed in range(FRAME_COUNT))


def _jpeg(seed: int) -> bytes:
    from PIL import Image

    image = Image.fromarray(np.random.default_rng(seed).integers(0, 256 - 80 * seed, (16, 16), dtype=np.uint8))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    stream = buffer.getvalue()
    return stream + b"\0" * (len(stream) % 2)


@dataclass(frozen=True, slots=True)
class Archive:
    """What is stored, by what it is for."""

    run: str
    ct: tuple[Sample, ...]  # one series of three, with everything that searches match
    colour: Sample  # native RGB, three frames
    odd: Sample  # native 8 bit, three frames of 25 bytes
    bits: Sample  # one bit a pixel, three frames of 25 bits
    jpeg: dict[str, Sample]  # the same three frames, encapsulated in different ways
    pdf: Sample
    report: Sample
    implicit: Sample
    big_endian: Sample
    deflated: Sample
    floats: Sample
    second: Sample  # another study of the same person
    strange: Sample  # PatientID with characters that mean something to SQL
    japanese: Sample

    @property
    def all(self) -> list[Sample]:
        """Every sample."""
        rest = (self.colour, self.odd, self.bits, self.pdf, self.report, self.implicit, self.big_endian)
        last = (self.deflated, self.floats, self.second, self.strange, self.japanese)
        return list(chain(self.ct, rest, self.jpeg.values(), last))

    @property
    def patient_id(self) -> str:
        """Of the person with two studies."""
        return str(self.ct[0].dataset.PatientID)

    @property
    def first_study(self) -> list[Sample]:
        """The instances of the study that most tests look at."""
        return [one for one in self.all if one.study == self.ct[0].study]


def build() -> Archive:
    """Make all samples anew."""
    run = f"R{uuid4().hex[:7].upper()}"  # with a letter, for what is about capital letters
    study = new_uid()
    person = {"PatientName": f"Müller{run}^Änne", "PatientID": f"{run}-1"}
    common = {
        **person,
        "AccessionNumber": f"A{run}",
        "StudyID": "S-1",
        "StudyDescription": f"Conformance study {run}",
        "ReferringPhysicianName": "Referrer^Renée",
    }
    return Archive(
        run=run,
        ct=_ct_series(run, study, common),
        colour=sample(_colour(study, common)),
        odd=sample(_odd(study, common)),
        bits=sample(_bits(study, common)),
        jpeg=_jpeg_variants(study, common),
        pdf=sample(_pdf(study, common)),
        report=sample(_report(study, common)),
        implicit=sample(_sixteen_bit(study, common, "<i2"), samples.IMPLICIT),
        big_endian=sample(_sixteen_bit(study, common, ">i2"), samples.BIG_ENDIAN),
        deflated=sample(_sixteen_bit(study, common, "<i2"), samples.DEFLATED),
        floats=sample(_floats(study, common)),
        second=sample(_second(run, person)),
        strange=sample(
            make(PatientID=f"{run}_%'\"x", PatientName=f"O'Strange{run}^100%_", StudyDescription="50% off_")
        ),
        japanese=sample(_japanese(run)),
    )


def store(service: Service) -> Archive:
    """Make the archive and store it, one request for each, so that one refusal does not hide the rest."""
    archive = build()
    for one in archive.all:
        service.store(one.data)
    return archive


def _ct_series(run: str, study: str, common: dict[str, str]) -> tuple[Sample, ...]:
    series = new_uid()
    made = []
    for number in range(1, 4):
        dataset = make(study=study, series=series, InstanceNumber=number, SeriesDescription="Axial", **common)
        dataset.SeriesNumber, dataset.BodyPartExamined = 7, "HEAD"
        dataset.PerformedProcedureStepStartDate, dataset.PerformedProcedureStepStartTime = "20210315", "151000"
        request = Dataset()
        request.ScheduledProcedureStepID, request.RequestedProcedureID = f"SPS{run}", f"RP{run}"
        dataset.RequestAttributesSequence = [request]
        dataset.SliceLocation, dataset.PixelSpacing = float(number) * 2.5, [0.5, 0.25]
        block = dataset.private_block(0x0011, PRIVATE_CREATOR, create=True)
        block.add_new(0x01, "LO", f"private {run}")
        block.add_new(0x02, "OB", BLOB)
        pixels = np.arange(16 * 12, dtype="<i2") * number - 500
        add_pixels(dataset, pixels.tobytes(), 16, 12, BitsAllocated=16, PixelRepresentation=1)
        made.append(sample(dataset))
    return tuple(made)


def _colour(study: str, common: dict[str, str]) -> Dataset:
    dataset = make(samples.MULTIFRAME_COLOUR, "OT", study=study, SeriesDescription="Colour", **common)
    pixels = bytes(number % 251 for number in range(FRAME_COUNT * 4 * 6 * 3))
    return add_pixels(
        dataset, pixels, 4, 6, NumberOfFrames=FRAME_COUNT, SamplesPerPixel=3, PhotometricInterpretation="RGB",
        PlanarConfiguration=0,
    )  # fmt: skip


def _odd(study: str, common: dict[str, str]) -> Dataset:
    dataset = make(samples.SECONDARY_CAPTURE, "OT", study=study, SeriesDescription="Odd frames", **common)
    return add_pixels(dataset, b"".join(ODD_FRAMES), 5, 5, NumberOfFrames=FRAME_COUNT)


def _bits(study: str, common: dict[str, str]) -> Dataset:
    dataset = make(samples.SEGMENTATION, "SEG", study=study, SeriesDescription="Bits", **common)
    packed = np.packbits(np.array(BITS).ravel(), bitorder="little").tobytes()
    return add_pixels(dataset, packed, 5, 5, NumberOfFrames=FRAME_COUNT, BitsAllocated=1)


def _jpeg_variants(study: str, common: dict[str, str]) -> dict[str, Sample]:
    frames = list(jpeg_frames())
    series = new_uid()

    def one(pixel_data: bytes, **attributes: object) -> Sample:
        dataset = make(samples.SECONDARY_CAPTURE, "OT", study=study, series=series, **common)
        add_pixels(dataset, b"", 16, 16, NumberOfFrames=FRAME_COUNT)
        dataset.PixelData = pixel_data
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
        for keyword, item in attributes.items():
            setattr(dataset, keyword, item)
        return sample(dataset, samples.JPEG)

    extended, offsets, lengths = encapsulate_extended(frames)
    return {
        "basic offset table": one(encapsulate(frames, has_bot=True)),
        "empty offset table": one(encapsulate(frames, has_bot=False)),
        "several fragments, offset table": one(encapsulate(frames, fragments_per_frame=2, has_bot=True)),
        "several fragments, no table": one(encapsulate(frames, fragments_per_frame=2, has_bot=False)),
        "extended offset table": one(extended, ExtendedOffsetTable=offsets, ExtendedOffsetTableLengths=lengths),
    }


def _pdf(study: str, common: dict[str, str]) -> Dataset:
    dataset = make(samples.ENCAPSULATED_PDF, "DOC", study=study, SeriesDescription="Document", **common)
    dataset.MIMETypeOfEncapsulatedDocument, dataset.EncapsulatedDocument = "application/pdf", PDF
    return dataset


def _report(study: str, common: dict[str, str]) -> Dataset:
    dataset = make(samples.BASIC_TEXT_SR, "SR", study=study, SeriesDescription="Report", **common)
    item = Dataset()
    item.RelationshipType, item.ValueType, item.TextValue = "CONTAINS", "TEXT", "Nothing to report; Übersicht."
    dataset.ValueType, dataset.ContentSequence = "CONTAINER", [item]
    return dataset


def _sixteen_bit(study: str, common: dict[str, str], order: str) -> Dataset:
    dataset = make(samples.MR, "MR", study=study, SeriesDescription="Stored otherwise", **common)
    pixels = (np.arange(6 * 5) * 257 - 300).astype(order)
    return add_pixels(dataset, pixels.tobytes(), 6, 5, BitsAllocated=16, PixelRepresentation=1)


def _floats(study: str, common: dict[str, str]) -> Dataset:
    dataset = make(samples.PARAMETRIC_MAP, "OT", study=study, SeriesDescription="Floats", **common)
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.BitsAllocated = 1, "MONOCHROME2", 32
    dataset.Rows, dataset.Columns, dataset.NumberOfFrames = 16, 20, 1
    dataset.FloatPixelData = (np.arange(320, dtype="<f4") / 8).tobytes()
    return dataset


def _second(run: str, person: dict[str, str]) -> Dataset:
    dataset = make(samples.MR, "MR", StudyDate="20200229", StudyTime="080000", AccessionNumber=f"B{run}", **person)
    dataset.StudyID = ""
    return add_pixels(dataset, bytes(16), 4, 4)


def _japanese(run: str) -> Dataset:
    dataset = make(PatientID=f"{run}-4")
    dataset.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
    dataset.PatientName = "Yamada^Tarou=山田^太郎=やまだ^たろう"
    return dataset
