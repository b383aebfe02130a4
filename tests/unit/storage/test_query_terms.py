"""Matches as comparisons of SQL."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.query import Match
from dicomweb_server.dicom.search_parameters import search_request
from dicomweb_server.storage.query_terms import Comparison, Term, _after, list_term, text_term


def match_of(key: str, value: str) -> Match:
    any_value = key != "ModalitiesInStudy"  # which takes a list without it, and with it is several matches
    pairs = [(key, value), ("multiplevaluematching", str(any_value).lower()), ("emptyvaluematching", "true")]
    return search_request(Level.INSTANCE, pairs).query.matches[0]


@pytest.mark.parametrize(
    ("key", "value", "comparisons", "values"),
    [
        ("PatientID", "a", [Comparison.EQUAL], ("a",)),
        ("PatientID", "a*", [Comparison.PREFIX], ("a", "b")),
        ("PatientID", "a**", [Comparison.PREFIX], ("a", "b")),
        ("PatientID", "*a*", [Comparison.CONTAINS], ("a",)),
        ("PatientID", "*a", [Comparison.GLOB], ("*a",)),
        ("PatientID", "*[a]", [Comparison.GLOB], ("*[[]a]",)),
        ("PatientID", "***?**b", [Comparison.GLOB], ("*?*b",)),
        ("PatientID", "ab*c?", [Comparison.PREFIX_AND_GLOB], ("ab", "ac", "ab*c?")),
        ("PatientID", "a,b", [Comparison.ONE_OF], ('["a","b"]',)),
        ("PatientID", "a,b*", [Comparison.EQUAL, Comparison.PREFIX], ("a", "b", "c")),
        ("PatientID", '""', [Comparison.EMPTY], ()),
        ("StudyInstanceUID", "1.2,1.3", [Comparison.ONE_OF], ('["1.2","1.3"]',)),
        ("StudyDate", "20240101-20240131", [Comparison.BETWEEN], ("20240101", "20240131")),
        ("StudyDate", "20240101-", [Comparison.FROM], ("20240101",)),
        ("StudyTime", "-10", [Comparison.UNTIL], ("105959.999999",)),
    ],
)
def test_text(key: str, value: str, comparisons: list[Comparison], values: tuple[str, ...]) -> None:
    term = text_term(match_of(key, value), fuzzy=False)
    assert term is not None
    assert (term.comparisons, term.values, term.words) == (tuple(comparisons), values, 0)


@pytest.mark.parametrize(
    ("value", "pieces"), [("*a[b*", ("a[b",)), ("*ab?c**d", ("ab", "c", "d")), ("ab*", ()), ("ab", ()), ("a*b", ())]
)
def test_pieces(value: str, pieces: tuple[str, ...]) -> None:
    term = text_term(match_of("PatientID", value), fuzzy=False)
    assert term is not None
    assert term.pieces == pieces


def test_names_by_their_words() -> None:
    term = text_term(match_of("PatientName", "Jo*n Smi"), fuzzy=True)
    assert term == Term(
        (Comparison.PREFIX_AND_GLOB,), ("jo", "jp", "jo*n smi", "jo", "n", "smi"), 3, ("jo", "n", "smi")
    )
    assert text_term(match_of("PatientID", "Jo Smi"), fuzzy=True) == Term((Comparison.EQUAL,), ("Jo Smi",))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("PatientName", "*=山田*"),
        ("PatientName", "a,*=山田*"),
        ("PatientID", ",".join(f"{n}*" for n in range(40))),
    ],
)
def test_what_sql_leaves_open(key: str, value: str) -> None:
    assert text_term(match_of(key, value), fuzzy=False) is None


def test_fuzzy_names_of_a_list_are_left_open() -> None:
    assert text_term(match_of("PatientName", "a,b"), fuzzy=True) is None


def test_a_backslash_is_in_no_value() -> None:
    match = search_request(Level.STUDY, [("PatientID", "a\\b")]).query.matches[0]
    assert text_term(match, fuzzy=False) == Term((Comparison.NEVER,), ())


@pytest.mark.parametrize(
    ("value", "term"),
    [
        ("CT", Term((Comparison.CONTAINS,), ("\\CT\\",))),
        ("CT,MR", Term((Comparison.CONTAINS, Comparison.CONTAINS), ("\\CT\\", "\\MR\\"))),
        ('""', Term((Comparison.EQUAL,), ("\\",))),
        ("C*", None),
        ("CT,M*", None),
        (",".join(f"M{n}" for n in range(40)), None),
    ],
)
def test_lists(value: str, term: Term | None) -> None:
    assert list_term(match_of("ModalitiesInStudy", value)) == term


@given(st.text(min_size=1, max_size=4), st.text(max_size=4))
def test_the_end_of_a_prefix(prefix: str, rest: str) -> None:
    assert prefix <= prefix + rest < _after(prefix)


@pytest.mark.parametrize(
    ("prefix", "after"),
    [("a", "b"), ("\ud7ff", "\ue000"), ("a\U0010ffff", "b"), ("\U0010ffff", "\U0010ffff" * 65)],
)
def test_the_end_of_a_prefix_at_borders(prefix: str, after: str) -> None:
    assert _after(prefix) == after
