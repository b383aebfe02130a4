"""Wildcards of keys, compared with a regular expression."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.cost import at_most
from dicomweb_server.dicom.wildcard import Wildcard


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("", "", True),
        ("", "a", False),
        ("abc", "abc", True),
        ("abc", "abcd", False),
        ("a?c", "abc", True),
        ("a?c", "aüc", True),
        ("a?c", "ac", False),
        ("a*", "a", True),
        ("*c", "abc", True),
        ("a*c", "ac", True),
        ("ab*bc", "abc", False),
        ("*b?d*", "abcdbxd", True),
        ("*?", "", False),
        ("*[a]*", "x[a]y", True),
        ("*.*", "ab", False),
        ("*%_*", "100%_", True),
        ("?*?", "a\n", True),
    ],
)
def test_matches(pattern: str, text: str, matches: bool) -> None:
    assert Wildcard(pattern).matches(text) is matches


@given(st.text("ab*?", max_size=8), st.text("ab?", max_size=10))
def test_agrees_with_a_regular_expression(pattern: str, text: str) -> None:
    expression = "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in pattern)
    assert Wildcard(pattern).matches(text) is (re.fullmatch(expression, text, re.DOTALL) is not None)


@pytest.mark.parametrize("pattern", ["*a" * 4000 + "*b", "*a?" * 2700 + "*b", "*" * 8000 + "b", "?*" * 4000 + "b"])
def test_a_hostile_pattern_is_not_slow(pattern: str) -> None:
    with at_most(0.5):
        assert not Wildcard(pattern).matches("a" * 8000)
