"""The commands that work on stored data, and what serves it afterwards."""

import json
import signal
import zipfile
from pathlib import Path

from conformance.patience import wait_until
from tests.app.command import run, serving
from tests.builders import make_instance


def samples(folder: Path) -> None:
    """Three instances, of which one is in a ZIP and one is there twice, and two files that are not DICOM."""
    first, second, third = (make_instance(number=number) for number in (1, 2, 3))
    (folder / "deep/er").mkdir(parents=True)
    (folder / "one.dcm").write_bytes(first)
    (folder / "deep/er/copy").write_bytes(first)
    (folder / "deep/two").write_bytes(second)
    (folder / "README.txt").write_text("not DICOM")
    with zipfile.ZipFile(folder / "more.zip", "w") as archive:
        archive.writestr("../three", third)
        archive.writestr("picture.png", b"\x89PNG")


def test_import_stores_skips_and_says_so(tmp_path: Path) -> None:
    samples(tmp_path / "in")
    data = tmp_path / "data"
    answer = run("import", "--data", data, tmp_path / "in")
    assert answer.stdout == "3 stored, 1 stored already, 2 skipped (not DICOM), 0 failed\n", answer.stderr
    assert (answer.returncode, answer.stderr) == (0, "")
    again = run("import", "--data", data, tmp_path / "in")
    assert again.stdout == "0 stored, 4 stored already, 2 skipped (not DICOM), 0 failed\n"
    with serving(data) as server:
        assert len(json.loads(server.get("/dicom-web/instances")[1])) == 3


def test_import_names_what_failed_and_why(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    whole = make_instance()
    (tmp_path / "in/cut.dcm").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "in/whole.dcm").write_bytes(whole)
    answer = run("import", "--data", tmp_path / "data", tmp_path / "in")
    assert answer.returncode == 1
    assert answer.stdout == "1 stored, 0 stored already, 0 skipped (not DICOM), 1 failed\n"
    assert answer.stderr.startswith(f"{tmp_path}/in/cut.dcm: ")


def blobs_of(data: Path) -> list[Path]:
    return sorted((data / "blobs").rglob("*.dcm"))


def test_check_finds_and_repairs(tmp_path: Path) -> None:
    samples(tmp_path / "in")
    data = tmp_path / "data"
    run("import", "--data", data, tmp_path / "in")
    sound = run("check", "--data", data, "--digests")
    assert sound.returncode == 0, sound.stderr
    assert sound.stdout == f"3 instances in the index, 3 files in {data}/blobs\neverything agrees\n"
    first, second, _ = blobs_of(data)
    first.unlink()
    second.write_bytes(second.read_bytes()[:-1] + b"!")
    found = run("check", "--data", data, "--digests")
    assert found.returncode == 1
    assert f"1 instances without a file:\n  {first.stem}\n1 files that are damaged:\n  {second.stem}" in found.stdout
    repaired = run("check", "--data", data, "--repair")
    assert (repaired.returncode, repaired.stderr) == (0, "")
    assert run("check", "--data", data).stdout.endswith("everything agrees\n")


def test_reindex_makes_the_index_anew(tmp_path: Path) -> None:
    samples(tmp_path / "in")
    data = tmp_path / "data"
    run("import", "--data", data, tmp_path / "in")
    (data / "index.db").write_bytes(b"no database at all")
    refused = run("check", "--data", data)
    assert refused.returncode == 3
    assert "Traceback" not in refused.stderr
    made = run("reindex", "--data", data)
    assert (made.returncode, made.stdout) == (0, "3 files: 3 instances, 0 attachments, 0 duplicates\n"), made.stderr
    (aside,) = data.glob("index.db.*Z")
    assert aside.read_bytes() == b"no database at all"
    assert run("check", "--data", data).returncode == 0
    with serving(data) as server:
        assert len(json.loads(server.get("/dicom-web/instances")[1])) == 3


def test_reindex_goes_on_after_an_interruption(tmp_path: Path) -> None:
    samples(tmp_path / "in")
    data = tmp_path / "data"
    run("import", "--data", data, tmp_path / "in")
    (data / "rebuilding").touch()
    refused = run("serve", "--data", data)
    assert refused.returncode == 3
    assert "run `reindex` again" in refused.stderr
    made = run("reindex", "--data", data)
    assert made.stdout == "3 files: 3 instances, 0 attachments, 0 duplicates\n"
    assert not list(data.glob("index.db.*Z"))
    assert run("check", "--data", data).returncode == 0


def test_killed_server_starts_again_and_leaves_nothing(tmp_path: Path) -> None:
    samples(tmp_path / "in")
    data = tmp_path / "data"
    run("import", "--data", data, tmp_path / "in")
    with serving(data) as server:
        server.stop(signal.SIGKILL)
    known = blobs_of(data)[0]
    stray = known.with_name(known.stem[:-6] + "000000.dcm")
    stray.write_bytes(b"half an instance")
    with serving(data) as server:
        assert len(json.loads(server.get("/dicom-web/instances")[1])) == 3
        wait_until(lambda: not stray.exists())
    assert run("check", "--data", data).returncode == 0
