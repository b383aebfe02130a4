"""Our frames against pydicom's, on every real instance that pydicom and pydicom-data ship."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.pixels.utils import pixel_array

from dicomweb_server.dicom.frames import FrameIndex, index_frames
from dicomweb_server.dicom.header import Header, read_header
from tests.real_files import REAL_FILES, tolerant_pydicom

# NumberOfFrames is no number; there are no BitsAllocated.
NOT_COMPARABLE = {"badVR.dcm", "nested_priv_SQ.dcm"}


def ours(header: Header) -> list[bytes]:
    index = FrameIndex.unpack(index_frames(header).pack())
    frames = []
    for number in range(1, index.count + 1):
        located = b"".join(header.buffer[offset : offset + length] for offset, length in index.locate(number))
        frames.append(index.restore(number, located))
    return frames


def theirs(dataset: Dataset) -> list[bytes]:
    count = int(dataset.get("NumberOfFrames") or 1)
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax.is_encapsulated:
        return list(generate_frames(dataset.PixelData, number_of_frames=count))
    if dataset.BitsAllocated == 1:
        bits = pixel_array(dataset, raw=True).reshape(count, -1)
        return [np.packbits(frame, bitorder="little").tobytes() for frame in bits]
    if not syntax.is_little_endian:
        if dataset.BitsAllocated > 16:  # it swaps whole cells, the standard words of 16 bits (PS3.5 §6.2, OW)
            frames = np.frombuffer(dataset.PixelData, ">u2").astype("<u2").reshape(count, -1)
            return [frame.tobytes() for frame in frames]
        pixels = pixel_array(dataset, raw=True).reshape(count, -1, dataset.SamplesPerPixel)
        planes = [frame.T if dataset.get("PlanarConfiguration") == 1 else frame for frame in pixels]
        return [frame.astype(frame.dtype.newbyteorder("<")).tobytes() for frame in planes]
    size = dataset.Rows * dataset.Columns * dataset.SamplesPerPixel * dataset.BitsAllocated // 8
    if dataset.PhotometricInterpretation == "YBR_FULL_422":
        size = size // 3 * 2
    return [dataset.PixelData[number * size : (number + 1) * size] for number in range(count)]


@pytest.mark.parametrize("path", REAL_FILES, ids=lambda path: path.name)
def test_frames_are_those_that_pydicom_finds(path: Path) -> None:
    data = path.read_bytes()
    header = read_header(data)
    with tolerant_pydicom():
        dataset = dcmread(BytesIO(data))
        if "PixelData" not in dataset:
            assert ours(header) == []
        elif path.name not in NOT_COMPARABLE:
            assert ours(header) == theirs(dataset)
