"""Paths in archives: as Orthanc names them, unique, and never out of the archive."""

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomweb_server.ports.archives import SeriesTitle
from dicomweb_server.ports.index import StoredInstance
from dicomweb_server.services.archive_names import archive_names, cleaned


def stored(study: str, series: str, number: int) -> StoredInstance:
    uid = f"{series}.{number}"
    return StoredInstance(study, series, uid, "1.2", "1.2.840.10008.1.2.1", uid, 10, b"", b"", 1.0)


def title(study: str, series: str, *texts: str) -> SeriesTitle:
    return SeriesTitle(study, series, *(*texts, *[""] * 6)[:6])


def test_folders_of_patient_study_and_series() -> None:
    instances = [stored("1", "1.1", 1), stored("1", "1.1", 2), stored("1", "1.2", 1), stored("2", "2.1", 1)]
    titles = [
        title("1", "1.1", "1CT1", "CompressedSamples^CT1", "", "e+1", "CT", "Thin/slices"),
        title("1", "1.2", "1CT1", "CompressedSamples^CT1", "", "e+1", "CT", "Thin/slices"),
        title("2", "2.1", "1CT1", "CompressedSamples^CT1", "A 7", "Head", "RTPLAN"),
    ]
    assert list(archive_names(instances, titles)) == [
        "1CT1 CompressedSamples CT1/e1/CT Thinslices/CT000000.dcm",
        "1CT1 CompressedSamples CT1/e1/CT Thinslices/CT000001.dcm",
        "1CT1 CompressedSamples CT1/e1/CT Thinslices-2/CT000000.dcm",
        "1CT1 CompressedSamples CT1/A 7 Head/RTPLAN/RT000000.dcm",
    ]


def test_what_has_no_name() -> None:
    instances = [stored("1", "1.1", 1), stored("2", "2.1", 1), stored("3", "3.1", 1)]
    titles = [title("1", "1.1"), title("2", "2.1", "", "", "", "", "X"), title("3", "3.1", "..")]
    assert list(archive_names(instances, titles)) == [
        "Unknown Patient/Unknown Study/Unknown Series/00000000.dcm",
        "Unknown Patient/Unknown Study-2/X/X0000000.dcm",
        "Unknown Patient-2/Unknown Study/Unknown Series/00000000.dcm",
    ]
    assert list(archive_names(instances[:1], [])) == ["Unknown Patient/Unknown Study/Unknown Series/00000000.dcm"]


@pytest.mark.parametrize(
    ("text", "name", "in_ascii"),
    [
        ("Ünï^Dœ=日本", "Ünï Dœ 日本", "n D"),
        ("../../etc/passwd", "....etcpasswd", "....etcpasswd"),
        ("a\0b\nc\\d:e", "abcde", "abcde"),
        (" . ", "", ""),
        ("x" * 300, "x" * 100, "x" * 100),
        ("日" * 100, "日" * 66, ""),
    ],
)
def test_cleaned(text: str, name: str, in_ascii: str) -> None:
    assert cleaned(text) == name
    assert cleaned(text, ascii_only=True) == in_ascii


_TEXT = st.text(max_size=8)


@given(st.lists(st.tuples(_TEXT, _TEXT, _TEXT, _TEXT, _TEXT, _TEXT), max_size=6))
def test_names_are_unique_and_stay_inside(rows: list[tuple[str, ...]]) -> None:
    titles = [title(f"{n % 3}", f"{n % 3}.{n}", *texts) for n, texts in enumerate(rows)]
    instances = [stored(one.study_uid, one.series_uid, n) for one in titles for n in range(2)]
    names = list(archive_names(instances, titles))
    assert len(set(names)) == len(instances)
    for name in names:
        path = PurePosixPath(name)
        assert len(path.parts) == 4
        assert not path.is_absolute()
        assert not {".", "..", ""} & set(path.parts)
        assert "\\" not in name
        assert "\0" not in name
