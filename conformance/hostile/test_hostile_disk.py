"""What rests on disk: private, harmless when opened by mistake."""

import stat
from pathlib import Path

import pytest

from conformance.requirement import requires
from conformance.samples import make, sample
from conformance.server import Server
from conformance.service import Service

AS_STORED = "application/dicom; transfer-syntax=*"
PREAMBLES = {
    "a Windows program": b"MZ\x90\0\3\0",
    "a Linux program": b"\x7fELF\2\1\1",
    "a macOS program": b"\xcf\xfa\xed\xfe",
    "a script": b"#!/bin/sh\nrm -rf /\n",
    "a ZIP": b"PK\3\4",
    "a PDF": b"%PDF-1.7",
    "a page": b"<html><script>alert(1)</script>",
}


@pytest.fixture
def folder(server: Server | None) -> Path:
    if server is None:
        pytest.skip("the folder of this server is not known")
    return server.data


@requires("Hostile input: preambles", "B")
@pytest.mark.parametrize("name", list(PREAMBLES))
def test_a_program_in_the_preamble_is_cleared(service: Service, name: str) -> None:
    one = sample(make())
    service.store(PREAMBLES[name].ljust(128, b"\x90") + one.data[128:])
    assert service.get(one.path, accept=AS_STORED).content == one.data


@requires("Hostile input: preambles", "B")
@pytest.mark.parametrize("start", [b"II*\0", b"MM\0*"])
def test_a_tiff_in_the_preamble_is_kept(service: Service, start: bytes) -> None:
    one = sample(make())
    data = start.ljust(128, b"\1") + one.data[128:]
    service.store(data)
    assert service.get(one.path, accept=AS_STORED).content == data


@requires("Hostile input: files", "B")
def test_files_are_for_the_server_alone(service: Service, folder: Path) -> None:
    service.store(sample(make(EncapsulatedDocument=bytes(3 << 20))).data)
    others = stat.S_IRWXO | stat.S_IWGRP
    assert not [path for path in folder.rglob("*") if path.is_file() and path.stat().st_mode & others]


@requires("Hostile input: files", "B")
def test_no_file_can_be_executed(service: Service, folder: Path) -> None:
    service.store(sample(make()).data)
    execute = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH
    assert not [path for path in folder.rglob("*") if path.is_file() and path.stat().st_mode & execute]


@requires("Hostile input: deletion", "B")
def test_what_is_deleted_can_be_stored_again(service: Service) -> None:
    one = sample(make())
    service.store(one.data)
    service.send("DELETE", one.path)
    service.store(one.data)
    assert service.get(one.path, accept=AS_STORED).content == one.data
