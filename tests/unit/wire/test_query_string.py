"""Query strings: decoding and limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.wire.query_string import MAX_LENGTH, MAX_NAME_LENGTH, MAX_PARAMETERS, parse_query_string


@pytest.mark.parametrize(
    ("query", "pairs"),
    [
        (b"", []),
        (b"PatientID=1", [("PatientID", "1")]),
        (b"PatientName=M%C3%BCller%5EJ*&limit=1", [("PatientName", "Müller^J*"), ("limit", "1")]),
        (b"StudyDescription=CT+THORAX%2B", [("StudyDescription", "CT THORAX+")]),
        (b"includefield=00081030%2C00080060", [("includefield", "00081030,00080060")]),
        (b"a=1=2&&b&c=", [("a", "1=2"), ("b", ""), ("c", "")]),
        (b"%50atientID=%31", [("PatientID", "1")]),
        (b"a=100%&b=%zz", [("a", "100%"), ("b", "%zz")]),
        ("a=ü".encode(), [("a", "ü")]),
    ],
)
def test_pairs(query: bytes, pairs: list[tuple[str, str]]) -> None:
    assert parse_query_string(query) == pairs


@pytest.mark.parametrize(
    ("query", "why"),
    [
        (b"a=%FF", "UTF-8"),
        (b"a=\xff", "UTF-8"),
        (b"a=%00", "NUL"),
        (b"a=" + b"1" * MAX_LENGTH, "longer"),
        (b"&".join([b"includefield=1"] * (MAX_PARAMETERS + 1)), "more than"),
        (b"a" * (MAX_NAME_LENGTH + 1), "parameter name"),
    ],
)
def test_refusals(query: bytes, why: str) -> None:
    with pytest.raises(ServerError, match=why) as caught:
        parse_query_string(query)
    assert caught.value.reason is Reason.BAD_REQUEST


@given(st.binary(max_size=200))
def test_any_bytes_parse_or_are_refused(query: bytes) -> None:
    try:
        pairs = parse_query_string(query)
    except ServerError:
        return
    assert all(isinstance(name, str) and isinstance(value, str) for name, value in pairs)
