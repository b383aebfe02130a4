"""Values in comparable form, and the bounds of dates, times and instants."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomweb_server.dicom.comparable import comparable, date_text, instant_bounds, number, time_bounds


@pytest.mark.parametrize(
    ("vr", "text", "expected"),
    [
        ("LO", " a  b ", "a  b"),
        ("ST", " a  b ", " a  b"),
        ("UI", "1.2\0", "1.2"),
        ("DA", "1998.01.28", "19980128"),
        ("TM", "10:15:30 ", "101530"),
        ("DT", "20240131120000+0200", "20240131100000.000000"),
        ("DT", "junk", ""),
        ("PN", "Müller^Jörg^^ ", "muller^jorg"),
        ("IS", " +02", "2"),
        ("DS", "1.50", "1.5"),
        ("DS", "1e2", "100"),
        ("DS", "1e400", "inf"),
        ("IS", "1_0", "1_0"),
        ("IS", "two", "two"),
    ],
)
def test_comparable(vr: str, text: str, expected: str) -> None:
    assert comparable(vr, text) == expected


@pytest.mark.parametrize(
    ("text", "bounds"),
    [
        ("10", ("10", "105959.999999")),
        ("00", ("00", "005959.999999")),
        ("1015", ("1015", "101559.999999")),
        ("101500", ("1015", "101500.999999")),
        ("100030", ("100030", "100030.999999")),
        ("101500.120", ("101500.12", "101500.120999")),
        ("235960", ("235960", "235960.999999")),
        ("24", None),
        ("1", None),
        ("1060", None),
        ("10.5", None),
        ("", None),
    ],
)
def test_time_bounds(text: str, bounds: tuple[str, str] | None) -> None:
    assert time_bounds(text) == bounds


_TIMES = st.tuples(
    st.integers(0, 23), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999_999), st.integers(0, 4)
)


def _written(time: tuple[int, int, int, int, int]) -> str:
    hour, minute, second, fraction, precision = time
    return f"{hour:02}{minute:02}{second:02}.{fraction:06}"[: (2, 4, 6, 9, 13)[precision]]


def _microseconds(text: str) -> int:
    text, _, fraction = text.partition(".")
    text = text.ljust(6, "0")
    seconds = int(text[:2]) * 3600 + int(text[2:4]) * 60 + int(text[4:6])
    return seconds * 1_000_000 + int(fraction.ljust(6, "0"))


@given(_TIMES, _TIMES)
def test_times_compare_as_text_as_they_do_by_the_clock(stored: tuple[int, ...], key: tuple[int, ...]) -> None:
    text, bounds = _written(stored), time_bounds(_written(key))  # type: ignore[arg-type]
    assert bounds is not None
    low, high = bounds
    moment = _microseconds(text)
    assert (low <= text <= high) == (_microseconds(low) <= moment <= _microseconds(high))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("20240229", "20240229"), ("2024.02.29", "20240229"), ("20230229", None), ("2024", None), ("２０２４0101", None)],
)
def test_date_text(text: str, expected: str | None) -> None:
    assert date_text(text) == expected


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("2024", "20240101000000.000000", "20241231235959.999999"),
        ("202402", "20240201000000.000000", "20240229235959.999999"),
        ("20240229", "20240229000000.000000", "20240229235959.999999"),
        ("2024022910", "20240229100000.000000", "20240229105959.999999"),
        ("202402291030", "20240229103000.000000", "20240229103059.999999"),
        ("20240229103015", "20240229103015.000000", "20240229103015.999999"),
        ("20240229103015.5", "20240229103015.500000", "20240229103015.599999"),
        ("20240229230000-0500", "20240301040000.000000", "20240301040000.999999"),
        ("9999", "99990101000000.000000", "99991231235959.999998"),
        ("0001", "00010101000000.000000", "00011231235959.999999"),
    ],
)
def test_instant_bounds(text: str, low: str, high: str) -> None:
    assert instant_bounds(text) == (low, high)


@pytest.mark.parametrize("text", ["", "20", "202413", "20240230", "2024022925", "2024+1500", "2024+0060", "0001+0100"])
def test_no_instant(text: str) -> None:
    assert instant_bounds(text) is None


@given(st.text())
def test_any_text_has_a_form(text: str) -> None:
    for vr in ("LO", "PN", "DA", "TM", "DT", "IS", "DS", "UI"):
        assert isinstance(comparable(vr, text), str)
    assert number(number(text)) == number(text)
