"""Worklist files: what is read, read again, and passed over."""

import os
from pathlib import Path

import pytest
from pydicom.dataset import FileMetaDataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from dicomweb_server.storage.worklist_folder import WorklistFolder
from tests.worklists import encoded, item


async def numbers(folder: WorklistFolder) -> list[str]:
    return [step.document["00080050"]["Value"][0] for step in await folder.scheduled_steps()]


async def test_part_10_and_bare_data_sets(tmp_path: Path) -> None:
    (tmp_path / "a.wl").write_bytes(encoded(item(AccessionNumber="EXPLICIT")))
    (tmp_path / "b.WL").write_bytes(encoded(item(AccessionNumber="IMPLICIT"), implicit=True))
    for name, syntax in (("c", ExplicitVRLittleEndian), ("d", DeflatedExplicitVRLittleEndian)):
        dataset = item(AccessionNumber=name)
        dataset.file_meta, dataset.preamble = FileMetaDataset(), bytes(128)
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.save_as(tmp_path / f"{name}.wl", enforce_file_format=False)
    (tmp_path / "e.txt").write_bytes(encoded(item()))
    (tmp_path / "f.wl").mkdir()
    assert await numbers(WorklistFolder(tmp_path)) == ["EXPLICIT", "IMPLICIT", "c", "d"]


async def test_names_and_worklists(tmp_path: Path) -> None:
    (tmp_path / "LIST").mkdir()
    (tmp_path / "LIST" / "a.wl").write_bytes(encoded(item()))
    (tmp_path / "b.wl").write_bytes(encoded(item()))
    steps = await WorklistFolder(tmp_path).scheduled_steps()
    assert [(step.step_id, step.worklist) for step in steps] == [("LIST:a", "LIST"), ("b", "")]


async def test_read_again_when_changed_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.wl"
    file.write_bytes(encoded(item(AccessionNumber="OLD")))
    folder = WorklistFolder(tmp_path)
    assert await numbers(folder) == ["OLD"]
    reads: list[str] = []
    original = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        reads.append(path.name)
        return original(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    assert await numbers(folder) == ["OLD"]
    assert reads == []
    file.write_bytes(encoded(item(AccessionNumber="NEW")))
    os.utime(file, ns=(1, 1))  # an older time than before is a change too
    assert await numbers(folder) == ["NEW"]
    file.unlink()
    assert await numbers(folder) == []


async def test_what_cannot_be_read_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    good = encoded(item(AccessionNumber="GOOD"))
    (tmp_path / "good.wl").write_bytes(good)
    (tmp_path / "cut.wl").write_bytes(good[:-3])
    (tmp_path / "empty.wl").write_bytes(b"")
    (tmp_path / "large.wl").write_bytes(bytes(2**20 + 1))
    (tmp_path / "gone.wl").symlink_to(tmp_path / "nowhere.wl")
    folder = WorklistFolder(tmp_path)
    for _ in range(3):
        assert await numbers(folder) == ["GOOD"]
    assert len([record for record in caplog.records if "passed over" in record.message]) == 3
    assert "Doe" not in caplog.text


async def test_a_folder_that_is_not_there(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = WorklistFolder(tmp_path / "later")
    assert [list(await folder.scheduled_steps()) for _ in range(2)] == [[], []]
    assert caplog.text.count("the worklist folder cannot be read") == 1
    (tmp_path / "later").mkdir()
    (tmp_path / "later" / "a.wl").write_bytes(encoded(item(AccessionNumber="A")))
    assert await numbers(folder) == ["A"]
