"""The preamble: cleared where a program may hide, kept where it makes a TIFF file."""

from hashlib import sha256
from pathlib import Path

import pytest

from dicomweb_server.ports.blobs import Staged
from dicomweb_server.services.admission import Admitted, IngestPolicy, Preamble, admit
from tests.builders import make_instance


def staged(data: bytes, folder: Path | None) -> Staged:
    if folder is None:
        return Staged(size=len(data), data=data)
    path = folder / "1.part"
    path.write_bytes(data)
    return Staged(size=len(data), digest=sha256(data).digest(), path=path)


@pytest.mark.parametrize("in_memory", [True, False])
@pytest.mark.parametrize(
    ("start", "policy", "kept"),
    [
        (b"MZ\x90\0", Preamble.CLEARED, False),
        (b"#!/bin/sh\n", Preamble.CLEARED, False),
        (b"II*\0", Preamble.CLEARED, True),
        (b"MM\0*", Preamble.CLEARED, True),
        (b"MZ\x90\0", Preamble.KEPT, True),
        (b"", Preamble.CLEARED, True),
    ],
)
def test_what_becomes_of_it(tmp_path: Path, in_memory: bool, start: bytes, policy: Preamble, kept: bool) -> None:
    clean = make_instance()
    data = start.ljust(128, b"\0") + clean[128:]
    admitted = admit(staged(data, None if in_memory else tmp_path), None, IngestPolicy(preamble=policy))
    assert isinstance(admitted, Admitted)
    expected = data if kept else clean
    found = admitted.staged.data if admitted.staged.path is None else admitted.staged.path.read_bytes()
    assert found == expected
    assert admitted.digest == sha256(expected).digest()
    assert admitted.staged.size == len(expected)
