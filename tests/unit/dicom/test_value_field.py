"""Value fields: each VR from JSON values to bytes and back, and what is refused."""

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomweb_server.dicom.value_field import inline_binary, padded, value_field
from dicomweb_server.errors import Reason, ServerError


def refusal(vr: str, values: list[Any]) -> ServerError:
    with pytest.raises(ServerError) as caught:
        value_field(vr, values, "00081140/1/00091001")
    return caught.value


@pytest.mark.parametrize(
    ("vr", "values", "expected"),
    [
        ("LO", ["a", None, "b"], b"a\\\\b"),
        ("LO", ["ab\N{LATIN SMALL LETTER E WITH ACUTE}"], b"ab\xc3\xa9"),
        ("CS", ["ABC"], b"ABC "),
        ("UI", ["1.2"], b"1.2\0"),
        ("LO", [None], b""),
        ("LT", ["a\\b"], b"a\\b "),
        ("UT", [None], b""),
        ("UR", ["http://x"], b"http://x"),
        ("PN", [{"Alphabetic": "A^B", "Phonetic": "C"}], b"A^B==C"),
        ("PN", [{"Alphabetic": "A"}, None, {}], b"A\\\\"),
        ("PN", [{"Ideographic": "\N{CJK UNIFIED IDEOGRAPH-5C71}"}], b"=\xe5\xb1\xb1"),
        ("DS", [1, 1.5, "0.50", None], b"1\\1.5\\0.50\\"),
        ("DS", [0.1 + 0.2], b"0.3"),
        ("DS", [-1.2345678901234567e-300], b"-1.23456789e-300"),
        ("DS", [10**20], b"1e+20 "),
        ("IS", [1, -2.0, "3", None], b"1\\-2\\3\\"),
        ("US", [1, 65535.0, "2"], struct.pack("<3H", 1, 65535, 2)),
        ("SS", [-1], b"\xff\xff"),
        ("UL", [4294967295], b"\xff" * 4),
        ("SL", [-2147483648], b"\0\0\0\x80"),
        ("UV", ["18446744073709551615"], b"\xff" * 8),
        ("SV", [-1, "-9223372036854775808"], b"\xff" * 8 + b"\0" * 7 + b"\x80"),
        ("FL", [1, 0.5], struct.pack("<2f", 1, 0.5)),
        ("FD", [1e300, "NaN", "-Infinity"], struct.pack("<3d", 1e300, float("nan"), float("-inf"))),
        ("AT", ["00100010", "7fe00010"], b"\x10\0\x10\0\xe0\x7f\x10\0"),
    ],
)
def test_values_have_these_bytes(vr: str, values: list[Any], expected: bytes) -> None:
    raw = value_field(vr, values, "00091001")
    assert raw == padded(expected, vr)
    assert len(raw) % 2 == 0


@pytest.mark.parametrize(
    ("vr", "values"),
    [
        ("LO", [1]),
        ("LO", ["a\\b"]),
        ("LO", ["\ud800"]),
        ("LO", [{"Alphabetic": "A"}]),
        ("LT", ["a", "b"]),
        ("LT", [1]),
        ("LT", []),
        ("PN", ["A"]),
        ("PN", [{"Alphabetic": 1}]),
        ("PN", [{"Alphabetic": "A=B"}]),
        ("PN", [{"Alphabetic": "A\\B"}]),
        ("PN", [{"Other": "A"}]),
        ("PN", [{"Alphabetic": "\ud800"}]),
        ("DS", [True]),
        ("DS", [float("inf")]),
        ("DS", [float("nan")]),
        ("DS", [10**400]),
        ("DS", ["1\\2"]),
        ("DS", [[1]]),
        ("IS", [1.5]),
        ("IS", [2**60]),
        ("IS", ["1\\2"]),
        ("IS", [True]),
        ("US", [-1]),
        ("US", [65536]),
        ("US", ["x"]),
        ("US", [None]),
        ("US", [True]),
        ("US", [1.5]),
        ("SV", [2**63]),
        ("FL", [1e39]),
        ("FD", [float("inf")]),
        ("FD", [10**400]),
        ("FD", ["1.5"]),
        ("FD", [True]),
        ("FD", [None]),
        ("AT", ["0010001"]),
        ("AT", [0x00100010]),
        ("OB", ["x"]),
        ("UN", [1]),
        ("SQ", [{}]),
    ],
)
def test_values_that_are_none_of_their_vr(vr: str, values: list[Any]) -> None:
    error = refusal(vr, values)
    assert error.reason is Reason.CANNOT_UNDERSTAND
    assert error.detail.startswith("attribute 00081140/1/00091001: ")
    assert vr in error.detail


def test_error_does_not_tell_the_value() -> None:
    assert "Doe" not in refusal("PN", ["Doe^Jane"]).detail


@pytest.mark.parametrize(("text", "raw"), [("AAEC", b"\0\1\2\0"), ("", b""), ("AAE=", b"\0\1")])
def test_inline_binary_is_base64(text: str, raw: bytes) -> None:
    assert inline_binary(text, "OB", "00091001") == raw


@pytest.mark.parametrize(
    "text", ["A", "AAE", "AA*=", "AAE=AAE=", " AAE=", "\N{ARABIC-INDIC DIGIT THREE}AA=", 5, None, ["AAE="]]
)
def test_inline_binary_that_is_none(text: object) -> None:
    with pytest.raises(ServerError) as caught:
        inline_binary(text, "OB", "00091001")
    assert caught.value.reason is Reason.CANNOT_UNDERSTAND


@given(st.floats(-1e300, 1e300))
def test_decimal_strings_are_short_and_close(number: float) -> None:
    text = value_field("DS", [number], "00091001").decode().strip()
    assert len(text) <= 16
    assert float(text) == pytest.approx(number, rel=1e-8, abs=1e-300)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["Alphabetic", "x"]), inner, max_size=2)
    ),
    max_leaves=5,
)


@given(
    st.sampled_from(["LO", "LT", "PN", "DS", "IS", "US", "UV", "FL", "FD", "AT", "OB", "UI"]),
    st.lists(JSON, max_size=4),
)
def test_any_json_is_encoded_or_refused(vr: str, values: list[Any]) -> None:
    try:
        assert len(value_field(vr, values, "00091001")) % 2 == 0
    except ServerError:
        return
