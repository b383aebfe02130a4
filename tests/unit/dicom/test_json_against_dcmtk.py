"""Our JSON against DCMTK's dcm2json, on every file that pydicom and pydicom-data ship.

Differences that are allowed: we write (0008,0005) as the encoding of the JSON; we resolve UN elements of public tags;
DCMTK drops trailing "^" of names, prints nine digits of FL and seventeen of FD that need fewer, pads odd values of UN,
refuses NaN and some wrong character sets. It writes no encapsulated pixel data, so it gets the files without pixels.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.data import get_testdata_files

from dicomweb_server.dicom.dicom_json import read_json
from dicomweb_server.dicom.header import Header, PixelData, open_part10
from dicomweb_server.errors import ServerError

pytestmark = pytest.mark.skipif(shutil.which("dcm2json") is None, reason="DCMTK is not installed")

FILES = sorted({Path(name) for name in get_testdata_files() if Path(name).is_file()})
REFUSED_BY_DCMTK = {"explicit_VR-UN.dcm", "J2K_pixelrep_mismatch.dcm", "SC_rgb_jpeg.dcm"}

Json = dict[str, Any]


def without_pixels(data: bytes, opened: Header, pixel_data: PixelData | None) -> bytes:
    if pixel_data is None or opened.encoding.deflated:
        return data
    return data[: pixel_data.offset - (12 if opened.encoding.explicit else 8)]


def dcm2json(data: bytes, folder: Path) -> Json | None:
    path = folder / "file.dcm"
    path.write_bytes(data)
    result = subprocess.run(["dcm2json", "-q", "-fc", str(path)], capture_output=True, check=False)
    return json.loads(result.stdout) if result.returncode == 0 else None


def differences(ours: Json, theirs: Json, path: str = "") -> Iterator[str]:
    for tag in sorted(ours.keys() ^ theirs.keys()):
        yield f"{path}{tag}: only in {'ours' if tag in ours else 'theirs'}"
    for tag in ours.keys() & theirs.keys():
        mine, other = ours[tag], theirs[tag]
        if other["vr"] == "UN" and int(tag[3], 16) % 2 == 0:
            continue
        if mine["vr"] != other["vr"]:
            yield f"{path}{tag}: VR {mine['vr']}, theirs {other['vr']}"
        elif mine["vr"] == "SQ":
            items, others = mine.get("Value", []), other.get("Value", [])
            if len(items) != len(others):
                yield f"{path}{tag}: {len(items)} items, theirs {len(others)}"
            for number, (item, theirs_item) in enumerate(zip(items, others, strict=False), start=1):
                yield from differences(item, theirs_item, f"{path}{tag}/{number}/")
        elif tag != "00080005" and "BulkDataURI" not in mine and comparable(mine) != comparable(other):
            yield f"{path}{tag}: {mine}, theirs {other}"


def comparable(attribute: Json) -> Any:
    if "InlineBinary" in attribute:
        return attribute["InlineBinary"].rstrip("A=") if attribute["vr"] == "UN" else attribute["InlineBinary"]
    values = [value_of(value, attribute["vr"]) for value in attribute.get("Value", [])]
    return values if values != [None] else []


def value_of(value: Any, vr: str) -> Any:
    if isinstance(value, dict):
        return {key: group.rstrip("^") for key, group in value.items() if group.rstrip("^")} or None
    if isinstance(value, float):
        return float(f"{value:.7g}" if vr == "FL" else f"{value:.15g}")
    if vr in ("DS", "IS") and isinstance(value, str):
        return float(value) if value.strip("+-.0123456789") == "" else value
    return value


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_json_says_what_dcm2json_says(path: Path, tmp_path: Path) -> None:
    data = path.read_bytes()
    try:
        opened = open_part10(data)
        metadata, reading = read_json(opened)
    except ServerError:
        return  # which files may be refused is tested against pydicom
    ours = json.loads(metadata.replace(b"\2", b"/"))
    stripped = without_pixels(data, opened, reading.pixel_data)
    if stripped is not data:
        ours = {tag: attribute for tag, attribute in ours.items() if tag < "7FE00008"}
    theirs = dcm2json(stripped, tmp_path)
    if theirs is None:
        assert path.name in REFUSED_BY_DCMTK
        return
    assert list(differences(ours, theirs)) == []
