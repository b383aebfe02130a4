import pytest

from dicomweb_server.dicom.same_series import BySeries, series_of
from tests.encoded import encoded


@pytest.mark.parametrize("vr", ["UI", ""])
@pytest.mark.parametrize("cut", range(1, 20))
def test_the_series_is_looked_for_safely(vr: str, cut: int) -> None:
    tail = encoded(0x0020000E, vr, b"1.2.3.4\0")
    head = encoded(0x00080060, vr and "CS", b"CT")
    series_of(head + tail[:-cut], 0)
    assert series_of(head + tail, 0) == tail
    assert series_of(head + tail, len(head) + 1) is None


def test_a_series_is_not_what_is_too_long_for_a_uid() -> None:
    assert series_of(encoded(0x0020000E, "UI", bytes(66)), 0) is None


def test_few_series_are_remembered() -> None:
    known: BySeries[int] = BySeries()
    for number in range(1, 1000):
        known.put((b"%d" % number, frozenset()), number)
    assert known.get((b"999", frozenset())) == 999
    assert known.get((b"999", frozenset({1}))) is None
    assert known.get((b"1", frozenset())) is None
    assert len(known._recent) + len(known._older) <= 128
