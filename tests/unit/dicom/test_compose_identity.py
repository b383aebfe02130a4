"""From DICOM JSON to a file and back: nothing changes, on every real instance."""

import math
from pathlib import Path
from typing import Any

import pytest

from dicomweb_server.dicom.compose import compose
from dicomweb_server.dicom.instance import parse_instance
from dicomweb_server.errors import ServerError
from tests.builders import make_rle
from tests.metadata_parts import frames_of, json_of, parts_of
from tests.real_files import REAL_FILES


def same(one: Any, other: Any) -> bool:
    """Equal; encapsulated pixel data are OB by the standard, whatever the source called them."""
    if isinstance(one, dict) and isinstance(other, dict):
        if "BulkDataURI" in one and {one["vr"], other["vr"]} == {"OB", "OW"}:
            one = one | {"vr": other["vr"]}
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=1e-13)
    return bool(one == other)


@pytest.mark.parametrize("path", REAL_FILES, ids=lambda path: path.name)
def test_json_to_file_to_json_is_the_identity(path: Path) -> None:
    file = path.read_bytes()
    try:
        document = json_of(file)
    except ServerError:
        return
    again = b"".join(compose(document, parts_of(file)))
    assert same(json_of(again), document)
    syntax = parse_instance(file).record.transfer_syntax_uid
    if "1.2.840.10008.1.2.4" in syntax or syntax.endswith(".5"):
        assert parse_instance(again).record.transfer_syntax_uid == syntax
        assert frames_of(again) == frames_of(file)


def test_rle_with_several_frames() -> None:
    file = make_rle(frames=3)
    again = b"".join(compose(json_of(file), parts_of(file)))
    assert frames_of(again) == frames_of(file)
