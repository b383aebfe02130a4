"""The explorer in a real browser: what a person sees of what is stored."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless
from pynetdicom import AE, build_context

from conformance.server import Server
from tests.builders import make_instance

_BROWSER = shutil.which("chromium")
_STUDY, _SERIES, _OTHER = "1.2.3.1", "1.2.3.1.1", "1.2.3.1.2"
_QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--virtual-time-budget=15000",
]

needs_browser = pytest.mark.skipif(_BROWSER is None, reason="chromium is not installed")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    links = "Weasis=weasis://x?study={study}&root={dicomweb},Own=https://v.example/{study}/{series}"
    # An association must outlast the start of a browser on a slow machine.
    environment = {"DICOMWEB_SERVER_VIEWER_LINKS": links, "DICOMWEB_SERVER_DIMSE_TIMEOUT": "600"}
    server = Server(tmp_path_factory.mktemp("explorer"), environment=environment)
    pixels = (numpy.indices((64, 64)).sum(axis=0) * 8).astype("<u2").tobytes()
    names: dict[str, Any] = {
        "PatientName": "<b>Bold</b>^Anna",
        "PatientID": "P-17",
        "Modality": "CT",
        "StudyDate": "20250102",
    }
    uids: dict[str, Any] = {"StudyInstanceUID": _STUDY, "SeriesInstanceUID": _SERIES}
    grey: dict[str, Any] = {"BitsAllocated": 16, "BitsStored": 12, "HighBit": 11, "PixelData": pixels}
    drawn = make_instance(rows=64, columns=64, **names, **uids, **grey, SeriesDescription="Drawn")
    uids["SeriesInstanceUID"] = _OTHER
    coded: dict[str, Any] = {"PixelData": encapsulate([b"\xff\x4f\xff\x51 no real codestream "])}
    not_drawn = make_instance(
        transfer_syntax_uid=JPEG2000Lossless, **names, **uids, **coded, SeriesDescription="Not drawn"
    )
    for data in (drawn, not_drawn):
        headers = {"Content-Type": "application/dicom"}
        answer = httpx.post(f"{server.root}/studies", content=data, headers=headers, trust_env=False, timeout=60)
        assert answer.status_code == 200, answer.text
    yield server
    server.stop()


def _page(server: Server, folder: Path, address: str) -> str:
    """The page's elements once it has come to rest."""
    assert _BROWSER is not None
    url = f"http://127.0.0.1:{server.http_port}/{address}"
    command = [_BROWSER, *_QUIET, f"--user-data-dir={folder}", "--dump-dom", url]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=200).stdout


@needs_browser
def test_the_list_of_studies_opens_at_the_root_and_takes_names_as_text(server: Server, tmp_path: Path) -> None:
    page = _page(server, tmp_path, "")
    assert "&lt;b&gt;Bold&lt;/b&gt; Anna" in page or "Anna &lt;b&gt;Bold" in page
    assert "<b>Bold" not in page
    assert "2025-01-02" in page
    assert re.search(r"1–1 of 1", page)


@needs_browser
@pytest.mark.parametrize(("patient_id", "seen"), [("P-1", "Anna"), ("P-18", "No study matches.")])
def test_the_filter_in_the_address_is_obeyed(server: Server, tmp_path: Path, patient_id: str, seen: str) -> None:
    assert seen in _page(server, tmp_path, f"ui/#/?PatientID={patient_id}")


@needs_browser
def test_a_study_shows_its_series_as_pictures_or_says_why_not(server: Server, tmp_path: Path) -> None:
    page = _page(server, tmp_path, f"ui/#/studies/{_STUDY}")
    assert page.count("/thumbnail?viewport") == 1
    assert f"series/{_SERIES}/thumbnail" in page
    assert "Drawn" in page
    assert "Not drawn" in page
    assert "no picture" in page


@needs_browser
def test_a_series_shows_its_frame_and_its_elements(server: Server, tmp_path: Path) -> None:
    page = _page(server, tmp_path, f"ui/#/studies/{_STUDY}/series/{_SERIES}")
    assert re.search(r'<canvas[^>]* width="64" height="64"', page)
    assert "(0010,0020)" in page
    assert "P-17" in page


@needs_browser
def test_other_viewers_are_linked_to(server: Server, tmp_path: Path) -> None:
    address = server.root.replace(":", "%3A").replace("/", "%2F")
    weasis = f'<a href="weasis://x?study={_STUDY}&amp;root={address}">Open in Weasis</a>'
    study = _page(server, tmp_path, f"ui/#/studies/{_STUDY}")
    assert weasis in study
    assert "Open in Own" not in study
    series = _page(server, tmp_path, f"ui/#/studies/{_STUDY}/series/{_SERIES}")
    assert weasis in series
    assert f'<a href="https://v.example/{_STUDY}/{_SERIES}">Open in Own</a>' in series


@needs_browser
def test_only_several_frames_can_be_played(server: Server, tmp_path: Path) -> None:
    """That they are, no page at rest can tell."""
    series = "1.2.3.1.3"
    data = make_instance(frames=3, StudyInstanceUID="1.2.3.2", SeriesInstanceUID=series, PatientID="P-cine")
    headers = {"Content-Type": "application/dicom"}
    assert (
        httpx.post(f"{server.root}/studies", content=data, headers=headers, trust_env=False, timeout=60).status_code
        == 200
    )
    try:
        several = _page(server, tmp_path, f"ui/#/studies/1.2.3.2/series/{series}")
    finally:
        httpx.delete(f"{server.root}/studies/1.2.3.2", trust_env=False, timeout=60)
    assert re.search(r"<button[^>]*>Play</button>", several)
    assert "hidden" not in re.findall(r"<button[^>]*>Play</button>", several)[0]
    one = _page(server, tmp_path, f"ui/#/studies/{_STUDY}/series/{_SERIES}")
    assert "hidden" in re.findall(r"<button[^>]*>Play</button>", one)[0]


@needs_browser
def test_what_is_known_as_destination_is_offered(server: Server, tmp_path: Path) -> None:
    base = f"http://127.0.0.1:{server.http_port}"
    assert "Send to" not in _page(server, tmp_path, f"ui/#/studies/{_STUDY}")
    known = httpx.put(f"{base}/modalities/pacs", json=["PACS", "127.0.0.1", 11112], trust_env=False, timeout=60)
    assert known.status_code == 200
    page = _page(server, tmp_path, f"ui/#/studies/{_STUDY}")
    assert re.search(r"Send to</button> <select[^>]*><option[^>]*>pacs<", page)
    assert "Anonymize a copy" in page


def test_the_page_may_only_run_its_own_scripts(server: Server) -> None:
    answer = httpx.get(f"http://127.0.0.1:{server.http_port}/ui/", trust_env=False, timeout=60)
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "<script>" not in answer.text
    for name in re.findall(r'"(static/[^"]+)"', answer.text):
        found = httpx.get(f"http://127.0.0.1:{server.http_port}/ui/{name}", trust_env=False, timeout=60)
        assert found.status_code == 200, name


@needs_browser
def test_associations_that_are_open_can_be_seen(server: Server, tmp_path: Path) -> None:
    assert "No association is open." in _page(server, tmp_path / "before", "ui/#/associations")
    contexts = [build_context("1.2.840.10008.1.1")]
    scanner = AE("SCANNER")
    scanner.network_timeout = None
    association = scanner.associate("127.0.0.1", server.dimse_port, contexts)
    assert association.is_established
    assert association.send_c_echo().Status == 0
    page = _page(server, tmp_path / "after", "ui/#/associations")
    association.release()
    assert re.search(r"<td[^>]*>SCANNER</td>", page)
    assert "C-ECHO success: 1" in page
    assert "Abort</button>" in page
