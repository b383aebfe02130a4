"""What an import finds in folders, files and archives."""

import zipfile
from pathlib import Path

import pytest

from dicomweb_server.cli.found_files import UnreadableError, find, looks_like_dicom, total_size

PART10 = bytes(128) + b"DICM" + b"\x02\x00\x00\x00UL\x04\x00"


def names(found: Path, besides: Path | None = None) -> list[str]:
    return [str(Path(one.name).relative_to(found)) if one.name.startswith(str(found)) else one.name
            for one in find([found], besides)]  # fmt: skip


def test_folder_is_walked_in_a_stable_order_without_the_store(tmp_path: Path) -> None:
    for name in ("b/2", "b/1", "a", "store/blobs/x.dcm", "c/store/y"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert names(tmp_path, tmp_path / "store") == ["a", "b/1", "b/2", "c/store/y"]
    assert total_size([tmp_path]) == 5


def test_entries_of_an_archive_are_found_and_read(tmp_path: Path) -> None:
    path = tmp_path / "study.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("series/1.dcm", PART10)
        archive.writestr("../../evil", b"x")
        archive.mkdir("folder")
    found = list(find([path]))
    assert [one.name for one in found] == [f"{path}:series/1.dcm", f"{path}:../../evil"]
    with found[0].open() as file:
        assert file.read() == PART10


def test_file_that_only_begins_like_an_archive_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"PK\x03\x04 not really")
    (found,) = find([path])
    assert found.name == str(path)


def test_missing_path_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="does not exist"):
        list(find([tmp_path / "none"]))


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (PART10, True),
        (bytes(128) + b"DICM" + b"1.2.840.10008.1.3.10\0", False),  # a DICOMDIR
        (b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100", True),
        (b"", False),
        (b"\x89PNG", False),
        (bytes(200), False),
    ],
)
def test_looks_like_dicom(head: bytes, expected: bool) -> None:
    assert looks_like_dicom(head) is expected
