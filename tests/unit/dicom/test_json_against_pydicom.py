"""Our JSON and our headers against what pydicom reads, on every file that pydicom and pydicom-data ship."""

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_files
from pydicom.dataset import Dataset

from dicomweb_server.dicom.attribute_json import PLACE_OF_URL
from dicomweb_server.dicom.dicom_json import read_json
from dicomweb_server.dicom.header import FRAME_TAGS, open_part10, read_header
from dicomweb_server.errors import Reason, ServerError
from tests.json_oracle import differences
from tests.real_files import tolerant_pydicom

FILES = sorted({Path(name) for name in get_testdata_files() if Path(name).is_file()})

# Files that are not DICOM Part 10, or end too early, or whose lengths are wrong: never to be stored.
REFUSED = {
    "ExplVR_LitEndNoMeta.dcm": Reason.NOT_DICOM,
    "no_meta.dcm": Reason.NOT_DICOM,
    "rtstruct.dcm": Reason.NOT_DICOM,
    "meta_missing_tsyntax.dcm": Reason.CANNOT_UNDERSTAND,
    "MR_truncated.dcm": Reason.CANNOT_UNDERSTAND,
    "rtplan_truncated.dcm": Reason.CANNOT_UNDERSTAND,
    "DICOMDIR-nooffset": Reason.CANNOT_UNDERSTAND,
    "emri_small_jpeg_2k_lossless_too_short.dcm": Reason.CANNOT_UNDERSTAND,
}


@pytest.fixture(autouse=True)
def _no_complaints() -> Iterator[None]:
    with tolerant_pydicom():
        yield


def theirs(data: bytes) -> Dataset:
    return dcmread(BytesIO(data))


def test_there_are_files() -> None:
    assert len(FILES) > 150


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_json_says_what_pydicom_reads(path: Path) -> None:
    data = path.read_bytes()
    if path.name in REFUSED or data[128:132] != b"DICM":
        with pytest.raises(ServerError) as caught:
            read_json(open_part10(data))
        assert caught.value.reason is REFUSED.get(path.name, Reason.NOT_DICOM)
        return
    opened = open_part10(data)
    metadata, reading = read_json(opened)
    ours = json.loads(metadata.replace(PLACE_OF_URL, b"/bulkdata/"))
    assert list(differences(ours, theirs(data), little_endian=opened.encoding.little_endian)) == []
    header = read_header(data)
    frames = {tag: raw for tag, raw in header.layout.items() if tag in FRAME_TAGS}
    assert (header.pixel_data, frames) == (reading.pixel_data, reading.layout)
