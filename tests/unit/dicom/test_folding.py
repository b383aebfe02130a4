"""Folding of person names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomweb_server.dicom.folding import fold


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("SMITH^John", "smith^john"),
        ("Müller^Jürgen", "muller^jurgen"),
        ("Groß", "gross"),
        ("GROSS", "gross"),
        ("Łódź Øst Æsir", "lodz ost aesir"),
        ("ＳＭＩＴＨ", "smith"),
        ("İstanbul ı", "istanbul i"),
        ("ΣΊΣΥΦΟΣ", "σισυφοσ"),
        ("Σίσυφος", "σισυφοσ"),
        ("Čapek=ﾔﾏﾀﾞ", "capek=ヤマタ"),
        ("Ａ＊？＝＾＼≠", "a＊？＝＾＼≠"),
        ("", ""),
    ],
)
def test_fold(text: str, folded: str) -> None:
    assert fold(text) == folded


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.text())
def test_folding_makes_no_operators(text: str) -> None:
    for operator in "*?=^\\":
        assert fold(text).count(operator) == text.count(operator)


def test_hangul_stays_one_character_each() -> None:
    assert len(fold("홍길동")) == 3
