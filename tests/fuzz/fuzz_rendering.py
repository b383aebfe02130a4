"""Whatever the bytes: rendering gives a picture, page or drawing, or a reason. Codecs have a target of their own."""

import warnings
from functools import lru_cache
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicomweb_server.dicom.frames import index_frames
from dicomweb_server.dicom.header import read_header
from dicomweb_server.dicom.rendering.export import Export, ExportJob, exported, matlab_file, pixel_array
from dicomweb_server.dicom.rendering.image_format import PNG
from dicomweb_server.dicom.rendering.options import Annotation, RenderingOptions, Viewport
from dicomweb_server.dicom.rendering.rendering_job import HTML, SVG, RenderingJob, perform
from dicomweb_server.dicom.rendering.source import Source, SourceFrame
from dicomweb_server.errors import Reason, ServerError
from tests.builders import make_dataset, make_instance, write_part10
from tests.real_files import REAL_FILES

_LARGEST = 1 << 20  # bytes of a frame: larger ones are a matter of limits, not of parsing
_OPTIONS = RenderingOptions(Viewport(8, 8), overlays=True, annotations=tuple(Annotation))
_REASONS = {Reason.CANNOT_UNDERSTAND, Reason.NOT_ACCEPTABLE, Reason.NOT_FOUND, Reason.TOO_LARGE, Reason.BAD_REQUEST}


def fuzz(data: bytes) -> None:
    """Render what there is in every way that there is."""
    try:
        header = read_header(data)
    except ServerError:
        return
    frames = index_frames(header)
    located = []
    if frames.count and not frames.encapsulated and frames.size(1) <= _LARGEST:
        raw = b"".join(header.buffer[start : start + size] for start, size in frames.locate(1))
        located.append(SourceFrame(1, frames.restore(1, raw)))
    head = data if frames.deflated or not frames.tag else data[: frames.offset]
    source = Source(head, frames.tag, frames.vr, tuple(located), "1.2.3")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of division by zero and the like, which is no failure
        for job in (
            RenderingJob(source, PNG, _OPTIONS),
            RenderingJob(source, PNG, _OPTIONS, state=head),
            RenderingJob(source, PNG, _OPTIONS, background=source),
            RenderingJob(source, PNG, _OPTIONS, state=head, inputs=((1, source), (2, source))),
            RenderingJob(source, PNG, _OPTIONS, as_tiles=True),
            RenderingJob(source, HTML),
            RenderingJob(source, SVG),
        ):
            _attempt(lambda job=job: perform(job))
        if located:
            for export in Export:
                _attempt(lambda export=export: exported(ExportJob(source, export, PNG)))
            _attempt(lambda: pixel_array(source, 1))
            _attempt(lambda: matlab_file(source))


def _attempt(make: Any) -> None:
    try:
        assert make()
    except ServerError as error:
        assert error.reason in _REASONS or error.reason is Reason.UNSUPPORTED_MEDIA_TYPE


@lru_cache(maxsize=1)
def seeds() -> list[bytes]:
    """Images with every transformation, a presentation state, a segmentation, a report, a waveform."""
    return [*(_image(syntax) for syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian)), *_others()]


def _item(**attributes: Any) -> Dataset:
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def _table(count: int) -> Dataset:
    made = _item(LUTDescriptor=[count, 0, 16], LUTData=list(range(count)))
    made["LUTDescriptor"].VR = made["LUTData"].VR = "US"
    return made


def _image(syntax: str) -> bytes:
    reference = _item(ReferencedSOPClassUID="1.2", ReferencedSOPInstanceUID="1.2.3", ReferencedFrameNumber=1)
    graphic = _item(GraphicData=[1, 1, 5, 5], GraphicType="POLYLINE", GraphicAnnotationUnits="PIXEL", GraphicFilled="Y")
    text = _item(AnchorPoint=[1, 1], AnchorPointAnnotationUnits="DISPLAY", UnformattedTextValue="text")
    return make_instance(
        transfer_syntax_uid=syntax,
        rows=4,
        columns=4,
        ModalityLUTSequence=[_table(16)],
        SoftcopyVOILUTSequence=[_item(WindowCenter=4, WindowWidth=8)],
        VOILUTSequence=[_table(8)],
        PixelAspectRatio=[2, 1],
        PixelPaddingValue=3,
        PresentationLUTShape="INVERSE",
        ShutterShape=["CIRCULAR", "POLYGONAL"],
        CenterOfCircularShutter=[2, 2],
        RadiusOfCircularShutter=1,
        VerticesOfThePolygonalShutter=[1, 1, 1, 4, 4, 1],
        ImageRotation=90,
        ImageHorizontalFlip="Y",
        ReferencedSeriesSequence=[_item(SeriesInstanceUID="1.2", ReferencedImageSequence=[reference])],
        DisplayedAreaSelectionSequence=[
            _item(DisplayedAreaTopLeftHandCorner=[1, 1], DisplayedAreaBottomRightHandCorner=[3, 3])
        ],
        GraphicAnnotationSequence=[_item(GraphicObjectSequence=[graphic], TextObjectSequence=[text])],
    )


def _blending() -> dict[str, Any]:
    """An advanced blending state that is its own image."""
    threshold = _item(ThresholdType="RANGE_INCL", ThresholdValueSequence=[_item(ThresholdValue=n) for n in (1.0, 9.0)])
    inputs = [
        _item(
            BlendingInputNumber=number, StudyInstanceUID="1.2", SeriesInstanceUID="1.2.3", RescaleSlope=2,
            RescaleIntercept=1, ThresholdSequence=[threshold],
        )
        for number in (1, 2)
    ]  # fmt: skip
    numbers = [_item(BlendingInputNumber=number) for number in (1, 2)]
    steps = [
        _item(
            BlendingMode="FOREGROUND", RelativeOpacity=0.5, BlendingDisplayInputSequence=numbers, BlendingInputNumber=3
        ),
        _item(BlendingMode="EQUAL", BlendingDisplayInputSequence=[*numbers, _item(BlendingInputNumber=3)]),
    ]
    return {
        "AdvancedBlendingSequence": inputs,
        "BlendingDisplaySequence": steps,
        "ImagePositionPatient": [0, 0, 0],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "PixelSpacing": [1, 1],
    }


def _tiles() -> dict[str, Any]:
    place = _item(RowPositionInTotalImagePixelMatrix=2, ColumnPositionInTotalImagePixelMatrix=3)
    return {
        "TotalPixelMatrixRows": 6,
        "TotalPixelMatrixColumns": 7,
        "PerFrameFunctionalGroupsSequence": [_item(PlanePositionSlideSequence=[place])],
    }


def _others() -> list[bytes]:
    colours: dict[str, Any] = {}
    for colour in ("Red", "Green", "Blue"):
        colours[f"{colour}PaletteColorLookupTableDescriptor"] = [16, 0, 16]
        colours[f"Segmented{colour}PaletteColorLookupTableData"] = np.array([0, 2, 1, 2, 1, 13, 9], "<u2").tobytes()
    frame = _item(
        SegmentIdentificationSequence=[_item(ReferencedSegmentNumber=1)],
        FrameVOILUTSequence=[_item(WindowCenter=1, WindowWidth=2)],
    )
    segments = [_item(SegmentNumber=1, RecommendedDisplayCIELabValue=[30000, 40000, 50000])]
    names = {"test-SR.dcm", "SC_rgb_small_odd.dcm"}
    waveform = _item(
        NumberOfWaveformChannels=1, NumberOfWaveformSamples=4, SamplingFrequency=10, WaveformBitsAllocated=16,
        WaveformSampleInterpretation="SS", WaveformData=bytes(8),
    )  # fmt: skip
    waveform["WaveformData"].VR = "OW"
    return [
        make_instance(rows=4, columns=4, bits_allocated=8, PhotometricInterpretation="PALETTE COLOR", **colours),
        make_instance(
            rows=4, columns=4, bits_allocated=1, SegmentSequence=segments, PerFrameFunctionalGroupsSequence=[frame]
        ),
        make_instance(transfer_syntax_uid=ExplicitVRBigEndian, rows=4, columns=4, PixelRepresentation=1),
        make_instance(rows=2, columns=2, bits_allocated=8, samples_per_pixel=3, PhotometricInterpretation="YBR_FULL"),
        write_part10(make_dataset(WaveformSequence=[waveform])),
        make_instance(rows=4, columns=4, PixelPaddingValue=3, **_blending(), **_tiles()),
        *(path.read_bytes() for path in REAL_FILES if path.name in names),
    ]
