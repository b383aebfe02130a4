"""Dates and times in another zone."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomweb_server.dicom.query import Match, MatchKind
from dicomweb_server.dicom.timezone import a_day_wider, adjusted, offset_minutes, offset_text


@given(st.integers(-14 * 60, 14 * 60))
def test_offsets(minutes: int) -> None:
    assert offset_minutes(offset_text(minutes)) == minutes


@pytest.mark.parametrize("text", ["", "CET", "0100", "+1", "+1500", "+0060", "+01:00", "*"])
def test_what_is_no_offset(text: str) -> None:
    assert offset_minutes(text) is None


def study(date: Any, time: Any, zone: str = "+0100") -> dict[str, Any]:
    values = {"00080020": ("DA", date), "00080030": ("TM", time), "00080201": ("SH", zone)}
    return {
        tag: {"vr": vr, "Value": value if isinstance(value, list) else [value]} for tag, (vr, value) in values.items()
    }


@pytest.mark.parametrize(
    ("date", "time", "minutes", "moved"),
    [
        ("20240301", "0030", 0, ("20240229", "2330")),
        ("20240101", "10", -60, ("20240101", "08")),
        ("20240101", "10", 90, ("20240101", "1030")),
        ("2024.01.01", "10:15:30", 120, ("20240101", "111530")),
        ("20240101", "235959.123456", 120, ("20240102", "005959.123456")),
        ("00020101", "00", 0, ("00011231", "23")),
    ],
)
def test_moments_move(date: str, time: str, minutes: int, moved: tuple[str, str]) -> None:
    assert adjusted(study(date, time), minutes) == study(*moved, {0: "+0000"}.get(minutes) or offset_text(minutes))


@pytest.mark.parametrize(
    ("date", "time"),
    [
        ("20240101", ""), ("", "10"), ("2024", "10"), ("20241301", "10"), ("20240101", "2560"), ("20240101", "morning"),
        (["20240101", "20240102"], "10"), ("20240101", []), ("00010101", "00"),
    ],
)  # fmt: skip
def test_what_is_no_moment_stays(date: Any, time: Any) -> None:
    assert adjusted(study(date, time), 0) == study(date, time, "+0000")


def test_without_a_zone_nothing_moves() -> None:
    for document in (study("20240101", "10", "CET"), {"00080020": {"vr": "DA", "Value": ["20240101"]}}, {}):
        assert adjusted(document, 0) is document


def key(kind: MatchKind, *values: str, vr: str = "DA") -> Match:
    return Match((0x00080020,), vr, kind, values)


@pytest.mark.parametrize(
    ("match", "wider"),
    [
        (key(MatchKind.SINGLE, "20240229"), ("20240228", "20240301")),
        (key(MatchKind.RANGE, "20240101", ""), ("20231231", "")),
        (key(MatchKind.RANGE, "", "20241231"), ("", "20250101")),
        (key(MatchKind.RANGE, "00010101", "20240101"), ("", "20240102")),
    ],
)
def test_a_key_for_a_date_is_widened(match: Match, wider: tuple[str, str]) -> None:
    assert a_day_wider(match) == key(MatchKind.RANGE, *wider)


def test_no_other_key_is() -> None:
    for match in (key(MatchKind.RANGE, "10", "11", vr="TM"), key(MatchKind.EMPTY), key(MatchKind.MULTIPLE)):
        assert a_day_wider(match) is None
    assert a_day_wider(key(MatchKind.RANGE, "00010101", "99991231")) is None
