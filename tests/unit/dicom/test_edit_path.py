"""Names of elements as clients write them: tags, keywords, paths into sequences, wildcards."""

import pytest

from dicomweb_server.dicom.edit_path import (
    ANY_ITEM,
    EditPath,
    Step,
    TagPattern,
    edit_path,
    is_identifier,
    path_or_pattern,
)
from dicomweb_server.errors import Reason, ServerError


@pytest.mark.parametrize("name", ["PatientID", "0010,0020", "0010-0020", "00100020", "10,20"])
def test_tags_have_many_names(name: str) -> None:
    assert edit_path(name) == path_or_pattern(name) == EditPath((), 0x00100020)
    assert is_identifier(edit_path(name))


def test_paths_lead_into_items() -> None:
    path = edit_path("ReferencedImageSequence[*].0040,A170[2].CodeValue")
    assert path == EditPath((Step(0x00081140, ANY_ITEM), Step(0x0040A170, 2)), 0x00080100)
    assert str(path) == "0008,1140[*].0040,a170[2].0008,0100"
    assert edit_path(str(path)) == path
    assert not is_identifier(edit_path("RequestAttributesSequence[0].StudyInstanceUID"))


@pytest.mark.parametrize(
    ("name", "mask", "value"),
    [
        ("0010,*", 0xFFFF0000, 0x00100000),
        ("0010-*", 0xFFFF0000, 0x00100000),
        ("0010", 0xFFFF0000, 0x00100000),
        ("00xx", 0xFF000000, 0),
        ("50xx,xxxx", 0xFF000000, 0x50000000),
        ("60XX3000", 0xFF00FFFF, 0x60003000),
        ("0018,10xx", 0xFFFFFF00, 0x00181000),
    ],
)
def test_wildcards(name: str, mask: int, value: int) -> None:
    pattern = path_or_pattern(name)
    assert pattern == TagPattern(mask, value)
    assert isinstance(pattern, TagPattern)
    assert pattern.matches(value)
    assert not pattern.matches(value ^ 0x01000000)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Nope",
        "patientid",
        "0010,0020,",
        "00100020x",
        "PatientID[0]",
        "PatientID[0].CodeValue",
        "ReferencedImageSequence[x].CodeValue",
        "ReferencedImageSequence.CodeValue",
        "ReferencedImageSequence[-1].CodeValue",
        ".".join(["ReferencedImageSequence[0]"] * 18 + ["CodeValue"]),
        "X" * 600,
        "0010,*.CodeValue",
    ],
)
def test_names_without_meaning_are_refused_by_name(name: str) -> None:
    for parse in (edit_path, path_or_pattern):
        with pytest.raises(ServerError) as refused:
            parse(name)
        assert refused.value.reason is Reason.BAD_REQUEST


def test_wildcards_are_no_paths() -> None:
    with pytest.raises(ServerError, match="unknown DICOM tag"):
        edit_path("0010,*")
