"""Software that others wrote decodes to the same pixels: real files by DCMTK, GDCM and us, and what we encoded."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dicomweb_server.dicom.header import read_header
from dicomweb_server.dicom.pixels.color import rgb_of_full
from dicomweb_server.dicom.pixels.description import PixelDescription, describe_pixels
from dicomweb_server.dicom.pixels.encode import Target
from dicomweb_server.dicom.pixels.transcode import transcode
from dicomweb_server.errors import ServerError
from tests.encoded_images import decoded, image_file
from tests.images import Samples, described, image
from tests.real_files import REAL_FILES

_P = "1.2.840.10008.1.2."
_LARGEST = 3_000_000
_LARGEST_TRANSCODED = 60_000
# Files that GDCM decodes wrongly, which DCMTK and the uncompressed originals tell: color of more than 8 bits in RLE.
_NOT_FOR_GDCM = ("SC_rgb_rle_16bit", "SC_rgb_rle_32bit")
_DCMTK = {
    _P + "4.50": "dcmdjpeg", _P + "4.51": "dcmdjpeg", _P + "4.57": "dcmdjpeg", _P + "4.70": "dcmdjpeg",
    _P + "4.80": "dcmdjpls", _P + "4.81": "dcmdjpls", _P + "5": "dcmdrle",
}  # fmt: skip
_GDCM = (*_DCMTK, _P + "4.90", _P + "4.91")

needs_dcmtk = pytest.mark.skipif(shutil.which("dcmdjpls") is None, reason="DCMTK is not installed")
needs_gdcm = pytest.mark.skipif(shutil.which("gdcmconv") is None, reason="GDCM is not installed")
needs_dciodvfy = pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy is not installed")


def decompressed(command: list[str], file: Path, out: Path) -> bytes | None:
    """What a tool makes of a file; None if it refuses."""
    out.unlink(missing_ok=True)
    subprocess.run([*command, file, out], capture_output=True, check=False, timeout=200)
    return out.read_bytes() if out.exists() else None


def as_ours(data: bytes, ours: PixelDescription) -> Samples:
    """The pixels of an uncompressed file in the color that we decode to."""
    pixels = decoded(data)
    color = describe_pixels(read_header(data)).photometric_interpretation
    if color == "YBR_FULL" and ours.photometric_interpretation == "RGB":
        return np.stack([rgb_of_full(frame) for frame in pixels])
    return pixels


def compare(tool: dict[str, list[str]], tmp_path: Path) -> int:
    """Compare real files with what the tool for their transfer syntax gives; how many it were."""
    compared = 0
    for path in REAL_FILES:
        data = path.read_bytes()
        header = read_header(data)
        command = tool.get(header.transfer_syntax_uid)
        if command is None or len(data) > _LARGEST or header.pixel_data is None:
            continue
        if command[0] == "gdcmconv" and path.name.startswith(_NOT_FOR_GDCM):
            continue
        theirs = decompressed(command, path, tmp_path / "theirs.dcm")
        if theirs is None:
            continue
        ours = describe_pixels(header).decoded()
        try:
            difference = np.abs(decoded(data).astype(np.int64) - as_ours(theirs, ours))
        except ServerError:
            assert path.name == "JPEG2000-embedded-sequence-delimiter.dcm"  # a damaged stream
            continue
        lossy = ours.transfer_syntax_uid in (_P + "4.50", _P + "4.51", _P + "4.91")
        assert difference.max() <= (1 if lossy else 0), path.name
        compared += 1
    return compared


@needs_dcmtk
def test_dcmtk_decodes_real_files_to_the_same(tmp_path: Path) -> None:
    assert compare({uid: [tool] for uid, tool in _DCMTK.items()}, tmp_path) >= 15


@needs_gdcm
def test_gdcm_decodes_real_files_to_the_same(tmp_path: Path) -> None:
    assert compare({uid: ["gdcmconv", "--raw"] for uid in _GDCM}, tmp_path) >= 20


@needs_dcmtk
@needs_gdcm
@pytest.mark.parametrize("name", ["rtdose_expb.dcm", "SC_rgb_expb_32bit.dcm"])
def test_big_endian_of_32_bits_is_read_as_others_read_it(name: str, tmp_path: Path) -> None:
    path = next(path for path in REAL_FILES if path.name == name)
    ours = decoded(path.read_bytes())
    for command in (["dcmconv", "+te"], ["gdcmconv", "-w", "--explicit"]):
        theirs = decompressed(command, path, tmp_path / "theirs.dcm")
        assert theirs is not None
        np.testing.assert_array_equal(ours, decoded(theirs))


def compare_transcoded(command: list[str], uid: str, tmp_path: Path) -> int:
    """Bring real files to a transfer syntax and compare what the tool decodes with what we do; how many it were."""
    file, compared = tmp_path / "ours.dcm", 0
    for path in REAL_FILES:
        data = path.read_bytes()
        largest = _LARGEST if uid.endswith("4.50") else _LARGEST_TRANSCODED  # few are of 8 bits
        if len(data) > largest or read_header(data).pixel_data is None:
            continue
        if command[0] == "gdcmconv" and path.name.startswith(("SC_rgb", *_NOT_FOR_GDCM)):
            continue  # two frames in a class of one, and RLE of deep colors
        try:
            made = transcode(data, Target(uid))
        except ServerError:
            continue
        file.write_bytes(made)
        theirs = decompressed(command, file, tmp_path / "theirs.dcm")
        if theirs is None:
            continue
        ours = describe_pixels(read_header(made)).decoded()
        difference = np.abs(decoded(made).astype(np.int64) - as_ours(theirs, ours))
        assert difference.max() <= (1 if uid.endswith(("4.50", "4.51", "4.91")) else 0), path.name
        compared += 1
    return compared


# dcmdjpeg would also convert the colors of what is compressed without losses.
_DCMTK_KEEPS = {"dcmdjpeg": ["dcmdjpeg", "--conv-lossy"]}


@needs_dcmtk
@pytest.mark.parametrize("uid", _DCMTK)
def test_dcmtk_decodes_real_files_that_we_transcoded(tmp_path: Path, uid: str) -> None:
    command = _DCMTK_KEEPS.get(_DCMTK[uid], [_DCMTK[uid]])
    assert compare_transcoded(command, uid, tmp_path) >= 20


@needs_gdcm
@pytest.mark.parametrize("uid", _GDCM)
def test_gdcm_decodes_real_files_that_we_transcoded(tmp_path: Path, uid: str) -> None:
    assert compare_transcoded(["gdcmconv", "--raw"], uid, tmp_path) >= 10


IMAGES = {
    "gray 8": described(8),
    "gray 12": described(12),
    "gray 16": described(16),
    "signed 16": described(16, signed=True),
    "color": described(8, samples=3),
}


@needs_dcmtk
@pytest.mark.parametrize("uid", [_P + "4.57", _P + "4.70", _P + "4.80", _P + "5"])
@pytest.mark.parametrize("name", IMAGES)
def test_dcmtk_decodes_what_we_encoded(tmp_path: Path, uid: str, name: str) -> None:
    file = tmp_path / "ours.dcm"
    file.write_bytes(image_file(IMAGES[name], uid, frames=2))
    theirs = decompressed([_DCMTK[uid]], file, tmp_path / "theirs.dcm")
    assert theirs is not None
    np.testing.assert_array_equal(decoded(theirs), [image(IMAGES[name], 0), image(IMAGES[name], 1)])


@needs_gdcm
@pytest.mark.parametrize("uid", [_P + "4.57", _P + "4.70", _P + "4.80", _P + "4.90", _P + "5"])
@pytest.mark.parametrize("name", IMAGES)
def test_gdcm_decodes_what_we_encoded(tmp_path: Path, uid: str, name: str) -> None:
    file = tmp_path / "ours.dcm"
    file.write_bytes(image_file(IMAGES[name], uid, frames=2))
    theirs = decompressed(["gdcmconv", "--raw"], file, tmp_path / "theirs.dcm")
    assert theirs is not None
    np.testing.assert_array_equal(decoded(theirs), [image(IMAGES[name], 0), image(IMAGES[name], 1)])


@needs_dcmtk
@pytest.mark.parametrize("name", ["gray 8", "color"])
def test_dcmtk_decodes_what_we_encoded_with_losses(tmp_path: Path, name: str) -> None:
    for uid in (_P + "4.50", _P + "4.81"):
        file = tmp_path / "ours.dcm"
        file.write_bytes(image_file(IMAGES[name], uid))
        theirs = decompressed([_DCMTK[uid]], file, tmp_path / "theirs.dcm")
        assert theirs is not None
        assert np.abs(decoded(theirs).astype(int) - decoded(file.read_bytes())).max() <= 1


@needs_dciodvfy
@pytest.mark.parametrize("last", ["4.50", "4.70", "4.80", "4.81", "4.90", "4.91", "5"])
@pytest.mark.parametrize("name", ["gray 8", "color"])
def test_dciodvfy_finds_nothing_new(tmp_path: Path, last: str, name: str) -> None:
    def errors(data: bytes) -> set[str]:
        file = tmp_path / "file.dcm"
        file.write_bytes(data)
        done = subprocess.run(["dciodvfy", "-new", file], capture_output=True, check=False, timeout=200)
        lines = (done.stdout + done.stderr).decode("utf-8", "replace").splitlines()
        return {line for line in lines if line.startswith("Error")}

    capture: dict[str, Any] = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}
    assert errors(image_file(IMAGES[name], _P + last, **capture)) <= errors(image_file(IMAGES[name], **capture))
