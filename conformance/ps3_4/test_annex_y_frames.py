"""PS3.4 annex Y: instances by their UIDs alone, and frames of one as a new instance, where the server has that."""

import io
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.filereader import read_dataset

from conformance.archive import ODD_FRAMES, Archive, jpeg_frames
from conformance.ps3_4.test_annex_c_retrieve import SUCCESS, Taken
from conformance.query_retrieve import Address, get, identifier
from conformance.requirement import requires
from conformance.samples import CT, EXPLICIT, JPEG, SECONDARY_CAPTURE, Sample

COMPOSITE_ROOT = "1.2.840.10008.5.1.4.1.2.4."
NONE_FOUND, NOT_TIMED, INVALID = 0xAA00, 0xAA03, 0xAA04


def extracted(dimse: Address, one: Sample, syntax: str = EXPLICIT, **keys: Any) -> Dataset:
    """The new instance."""
    taken, asked = Taken(), identifier("FRAME", SOPInstanceUID=one.instance, **keys)
    *_, final = get(dimse, asked, [(SECONDARY_CAPTURE, [syntax])], taken, COMPOSITE_ROOT)
    assert (final.status, final.completed) == (SUCCESS, 1)
    (data,) = taken.datasets.values()
    return read_dataset(io.BytesIO(data), is_implicit_VR=False, is_little_endian=True)


@requires("PS3.4 §Y.6.1.1.2", "O")
def test_instances_by_their_uids_alone(dimse: Address, archive: Archive) -> None:
    taken = Taken()
    asked = identifier("IMAGE", SOPInstanceUID=[one.instance for one in archive.ct])
    *_, final = get(dimse, asked, [(CT, [EXPLICIT])], taken, COMPOSITE_ROOT)
    assert (final.status, final.completed) == (SUCCESS, 3)
    assert set(taken.instances) == {one.instance for one in archive.ct}


@requires("PS3.4 §Y.3.2.1", "O")
@pytest.mark.parametrize(
    ("keys", "frames"), [({"SimpleFrameList": [1, 3]}, (0, 2)), ({"CalculatedFrameList": [2, 0xFFFFFFFF, 1]}, (1, 2))]
)
def test_native_frames(dimse: Address, archive: Archive, keys: dict[str, Any], frames: tuple[int, ...]) -> None:
    new = extracted(dimse, archive.odd, **keys)
    assert new.NumberOfFrames == 2
    assert new.PixelData == b"".join(ODD_FRAMES[number] for number in frames)


@requires("PS3.4 §Y.3.2.1", "O")
@pytest.mark.parametrize("how", ["basic offset table", "several fragments, no table"])
def test_compressed_frames(dimse: Address, archive: Archive, how: str) -> None:
    new = extracted(dimse, archive.jpeg[how], JPEG, SimpleFrameList=[2])
    assert list(generate_frames(new.PixelData, number_of_frames=1)) == [jpeg_frames()[1]]


@requires("PS3.4 §Y.3.3", "O")
def test_the_new_instance_says_what_it_is(dimse: Address, archive: Archive) -> None:
    source = archive.odd
    new = extracted(dimse, source, SimpleFrameList=[1, 2])
    assert (new.SOPClassUID, new.StudyInstanceUID, new.SeriesInstanceUID) == (
        SECONDARY_CAPTURE,
        source.study,
        source.series,
    )
    assert new.SOPInstanceUID != source.instance
    told = new.FrameExtractionSequence[-1]
    assert (told.MultiFrameSourceSOPInstanceUID, told.SimpleFrameList) == (source.instance, [1, 2])
    assert new.ContributingEquipmentSequence[-1].PurposeOfReferenceCodeSequence[0].CodeValue == "109105"


@requires("PS3.4 §Y.4.2.1.4", "O")
@pytest.mark.parametrize(
    ("keys", "status"),
    [
        ({"SimpleFrameList": [100]}, NONE_FOUND),
        ({"TimeRange": [0.0, 1.0]}, NOT_TIMED),
        ({"SimpleFrameList": [2, 1]}, INVALID),
        ({"SimpleFrameList": [1], "CalculatedFrameList": [1, 2, 1]}, INVALID),
    ],
)
def test_what_cannot_be_extracted(dimse: Address, archive: Archive, keys: dict[str, Any], status: int) -> None:
    taken, asked = Taken(), identifier("FRAME", SOPInstanceUID=archive.odd.instance, **keys)
    *_, final = get(dimse, asked, [(SECONDARY_CAPTURE, [EXPLICIT])], taken, COMPOSITE_ROOT)
    assert (final.status, taken.instances) == (status, [])
