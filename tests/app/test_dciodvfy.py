"""What comes back has no fault, in the eyes of dciodvfy, that what was sent had not."""

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pydicom
import pytest
from pydicom.dataset import Dataset

from conformance.server import Server
from dicomweb_server.dicom.pixels.encode import Target
from dicomweb_server.dicom.pixels.transcode import transcode
from dicomweb_server.errors import ServerError
from tests.builders import make_instance
from tests.real_files import REAL_FILES, tolerant_pydicom

pytestmark = pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy is not installed")

_LARGEST = 2_000_000
_LARGEST_TRANSCODED = 200_000
_CRASHED = "it crashed"
_UID = re.compile(r"<[0-9.]+>")
_COMPLAINT = re.compile(r"(Error|Warning)\b")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("dciodvfy"))
    yield server
    server.stop()


def _complaints(path: Path) -> Counter[str]:
    done = subprocess.run(
        ["dciodvfy", "-new", path], capture_output=True, text=True, errors="replace", check=False, timeout=200
    )
    if done.returncode < 0:
        return Counter([_CRASHED])  # as of 32 bits that are not compressed
    return Counter(line for line in (done.stdout + done.stderr).splitlines() if _COMPLAINT.match(line))


def _is_deflated(data: bytes) -> bool:
    return b"1.2.840.10008.1.2.1.99" in data[:1024]  # dciodvfy does not read those


def test_nothing_new_is_wrong_with_what_comes_back(server: Server, tmp_path: Path) -> None:
    compared = 0
    with httpx.Client(trust_env=False, timeout=60) as client:
        for path in REAL_FILES:
            data = path.read_bytes()
            if len(data) > _LARGEST or _is_deflated(data):
                continue
            headers = {"Content-Type": "application/dicom"}
            answer = client.post(f"{server.root}/studies", content=data, headers=headers)
            if answer.status_code != 200:  # refused, or its UIDs are those of another file
                continue
            url = answer.json()["00081199"]["Value"][0]["00081190"]["Value"][0]
            before = _complaints(path)
            for accept in ("application/dicom; transfer-syntax=*", "application/dicom"):
                back = tmp_path / "back.dcm"
                back.write_bytes(client.get(url, headers={"Accept": accept}).raise_for_status().content)
                assert not _complaints(back) - before, (path.name, accept)
                compared += 1
    assert compared > 60


def _derived(path: Path, back: Path) -> Path:
    """The same image, did it say that it is derived: dciodvfy has objections to those that the standard has not."""
    dataset = pydicom.dcmread(path)
    for element in dataset.iterall():
        if element.keyword in ("ImageType", "FrameType") and element.value:
            element.value = ["DERIVED", *list(element.value)[1:]]
    dataset.save_as(back)
    return back


@pytest.mark.parametrize("last", ["4.50", "4.51", "4.57", "4.80", "4.81", "4.91", "5"])
def test_nothing_new_is_wrong_with_what_was_transcoded(tmp_path: Path, last: str) -> None:
    compared = 0
    for path in REAL_FILES[::2]:
        data = path.read_bytes()
        if len(data) > _LARGEST_TRANSCODED or _is_deflated(data):
            continue
        try:
            made = transcode(data, Target(f"1.2.840.10008.1.2.{last}"))
        except ServerError:  # not in this transfer syntax, or no image
            continue
        before = set(_complaints(path))
        if _CRASHED in before:
            continue
        back = tmp_path / "transcoded.dcm"
        back.write_bytes(made)
        errors = {line for line in _complaints(back) if line.startswith(("Error", _CRASHED))} - before
        if errors:
            with tolerant_pydicom():
                errors -= set(_complaints(_derived(path, tmp_path / "derived.dcm")))
        assert not errors, path.name
        compared += 1
    assert compared > 5


@pytest.mark.parametrize("last", ["4.81", "4.91"])
def test_nothing_new_is_wrong_with_functional_groups(tmp_path: Path, last: str) -> None:
    """Frame Types, the source in the shared ones, and the evidence of it (PS3.3 §C.7.6.16.2.6)."""
    types, shared, frame = Dataset(), Dataset(), Dataset()
    types.FrameType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    shared.CTImageFrameTypeSequence = [types]
    original, made = tmp_path / "original.dcm", tmp_path / "made.dcm"
    data = make_instance(
        rows=32, columns=32, frames=2, SOPClassUID="1.2.840.10008.5.1.4.1.1.2.1", ImageType=types.FrameType,
        SharedFunctionalGroupsSequence=[shared], PerFrameFunctionalGroupsSequence=[frame, frame],
    )  # fmt: skip
    original.write_bytes(data)
    made.write_bytes(transcode(data, Target(f"1.2.840.10008.1.2.{last}", 50)))
    assert b"Uncompressed predecessor" in made.read_bytes()
    assert not [line for line in _complaints(made) - _complaints(original) if line.startswith(("Error", _CRASHED))]


@pytest.mark.parametrize("body", [{}, {"Options": ["RetainLongitudinalModifiedDates", "CleanDescriptors"]}])
def test_nothing_new_is_wrong_with_what_was_anonymized(server: Server, tmp_path: Path, body: dict[str, object]) -> None:
    compared = 0
    with httpx.Client(base_url=server.root.removesuffix("/dicom-web"), trust_env=False, timeout=60) as client:
        for path in REAL_FILES[::4]:
            data = path.read_bytes()
            answer = client.post("/instances", content=data)
            if len(data) > _LARGEST or _is_deflated(data) or answer.status_code != 200:
                continue
            made = client.post(f"/instances/{answer.json()['ID']}/anonymize", json=body)
            back = tmp_path / "anonymized.dcm"
            back.write_bytes(made.raise_for_status().content)
            before = _complaints(path)
            if any("Implicit VR encoding even though" in line for line in before):  # and so it stays
                continue
            known = {_UID.sub("<>", line) for line in before}
            errors = {
                line for line in _complaints(back) if line.startswith("Error") and _UID.sub("<>", line) not in known
            }
            assert not errors, (path.name, errors)
            compared += 1
    assert compared > 10
