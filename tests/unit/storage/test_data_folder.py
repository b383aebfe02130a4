"""The data folder: private, locked, its spool emptied, its index set aside for a rebuild."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.storage.data_folder import DataFolder


def test_everything_is_private(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    assert {path.stat().st_mode & 0o777 for path in (folder.root, folder.blobs, folder.spool)} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in (folder.index, folder.root / "lock")} == {0o600}
    folder.close()


def test_a_second_server_is_refused(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    program = (
        "import sys; from pathlib import Path; from dicomweb_server.storage.data_folder import DataFolder\n"
        "from dicomweb_server.errors import ServerError\n"
        "try: DataFolder(Path(sys.argv[1]))\n"
        "except ServerError as error: print(error.reason.name, error.detail)"
    )
    told = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    assert told.stdout.startswith("BUSY")
    assert f"process {os.getpid()}" in told.stdout
    assert str(tmp_path) in told.stdout
    folder.close()
    DataFolder(tmp_path).close()


def test_a_folder_for_the_index_is_locked_too(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "a", tmp_path / "index")
    with pytest.raises(ServerError, match="in use"):
        DataFolder(tmp_path / "b", tmp_path / "index")
    folder.close()
    DataFolder(tmp_path / "b", tmp_path / "index").close()


def test_a_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ServerError) as caught:
        DataFolder(tmp_path / "file" / "data")
    assert caught.value.reason is Reason.OUT_OF_RESOURCES
    assert "file" in caught.value.detail


def test_the_spool_is_emptied(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    (folder.spool / "half.part").write_bytes(b"half")
    (folder.spool / "folder").mkdir()
    (folder.spool / "folder" / "file").touch()
    assert folder.empty_spool() == 2
    assert list(folder.spool.iterdir()) == []
    folder.close()


def test_the_index_is_set_aside_once(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    folder.index.write_bytes(b"old")
    Path(f"{folder.index}-wal").write_bytes(b"old log")
    folder.begin_rebuild()
    assert folder.is_rebuilding
    assert not folder.index.exists()
    assert sorted(path.read_bytes() for path in tmp_path.glob("index.db.*")) == [b"old", b"old log"]
    folder.index.write_bytes(b"new")
    folder.begin_rebuild()
    assert folder.index.read_bytes() == b"new"
    folder.finish_rebuild()
    assert not folder.is_rebuilding
    folder.close()
