import json
import math
import struct
from typing import Any

import pytest

from dicomweb_server.dicom.charset import charset_of
from dicomweb_server.dicom.values import BINARY_VRS, TO_JSON, TO_TEXT, inline_binary

LATIN1 = charset_of(b"ISO_IR 100")


def to_json(vr: str, raw: bytes, order: str = "<", label: bytes = b"ISO_IR 100") -> Any:
    """The Value array, None where there is none."""
    body = TO_JSON[vr.encode()](raw, charset_of(label), order)
    return json.loads(b"{" + body[1:] + b"}")["Value"] if body else None


def to_text(vr: str, raw: bytes, order: str = "<") -> str:
    return TO_TEXT[vr.encode()](raw, LATIN1, order)


WORDS = ["AE", "AS", "CS", "DA", "DT", "LO", "SH", "TM", "UI"]
PARAGRAPHS = ["LT", "ST", "UR", "UT"]
NUMBERS = ["DS", "IS"]
BINARY_NUMBERS = ["AT", "FD", "FL", "SL", "SS", "SV", "UL", "US", "UV"]


@pytest.mark.parametrize("vr", WORDS)
@pytest.mark.parametrize(
    ("raw", "values"),
    [
        (b"ABC", ["ABC"]),
        (b" ABC ", ["ABC"]),
        (b"ABC\0", ["ABC"]),
        (b"A\\B \\ C", ["A", "B", "C"]),
        (b"A\\\\C", ["A", None, "C"]),
        (b"\\", [None, None]),
        (b'q"\x01\x02\n', ['q"\x01\x02\n']),
        (b"J\xe9r\xf4me", ["Jérôme"]),
    ],
)
def test_words(vr: str, raw: bytes, values: list[str | None]) -> None:
    assert to_json(vr, raw) == values
    assert to_text(vr, raw) == "\\".join(value or "" for value in values)


@pytest.mark.parametrize("vr", PARAGRAPHS)
def test_text_of_one_value_keeps_leading_blanks_and_backslashes(vr: str) -> None:
    assert to_json(vr, b"  a\\b\r\n c  ") == ["  a\\b\r\n c"]
    assert to_text(vr, b"  a\\b  ") == "  a\\b"


def test_unlimited_characters_keep_leading_blanks_and_have_several_values() -> None:
    assert to_json("UC", b" a \\ b ") == [" a", " b"]
    assert to_text("UC", b" a \\ b ") == " a\\ b"


@pytest.mark.parametrize("vr", WORDS + PARAGRAPHS + NUMBERS + BINARY_NUMBERS + ["PN", "UC"])
def test_an_empty_value_has_no_value(vr: str) -> None:
    assert to_json(vr, b"") is None
    assert to_text(vr, b"") == ""


@pytest.mark.parametrize("vr", WORDS + PARAGRAPHS + NUMBERS + ["PN", "UC"])
def test_only_padding_is_empty(vr: str) -> None:
    assert to_json(vr, b"   \0") is None
    assert to_text(vr, b"  ") == ""


@pytest.mark.parametrize(
    ("raw", "names", "text"),
    [
        (b"Doe^Jane ", [{"Alphabetic": "Doe^Jane"}], "Doe^Jane"),
        (b"A=B=C", [{"Alphabetic": "A", "Ideographic": "B", "Phonetic": "C"}], "A=B=C"),
        (b"A==C", [{"Alphabetic": "A", "Phonetic": "C"}], "A==C"),
        (b"=B", [{"Ideographic": "B"}], "=B"),
        (b"A=", [{"Alphabetic": "A"}], "A"),
        (b"A=B=C=D=E", [{"Alphabetic": "A", "Ideographic": "B", "Phonetic": "C"}], "A=B=C"),
        (b"A^B\\\\C", [{"Alphabetic": "A^B"}, None, {"Alphabetic": "C"}], "A^B\\\\C"),
        (b"=", None, ""),
        (b'J\xe9"', [{"Alphabetic": 'Jé"'}], 'Jé"'),
    ],
)
def test_person_names(raw: bytes, names: list[Any] | None, text: str) -> None:
    assert to_json("PN", raw) == names
    assert to_text("PN", raw) == text


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (b"1.0", b"1.0"),  # spelt as in the file
        (b"-175.0\\-175.0 \\-300.000", b"-175.0,-175.0,-300.000"),
        (b" 5 ", b"5"),
        (b"+1.5", b"1.5"),
        (b"-.5", b"-0.5"),
        (b"5.", b"5"),
        (b"007", b"7"),
        (b"1.5E+3", b"1.5e3"),
        (b"1e-05", b"1e-5"),
        (b"0.1234567890123456", b"0.1234567890123456"),
        (b"12345678901234567", b'"12345678901234567"'),  # a double would lose digits
        (b"0.12345678901234567890", b'"0.12345678901234567890"'),
        (b"1e400", b'"1e400"'),
        (b"1e-400", b'"1e-400"'),
        (b"abc\\1", b'"abc",1'),
        (b"1\\\\2", b"1,null,2"),
        (b"NaN\\inf", b'"NaN","inf"'),
        (b".\\-\\e5", b'".","-","e5"'),
        (b"1,5", b'"1,5"'),
        (b"1_000", b'"1_000"'),
    ],
)
def test_decimal_strings(raw: bytes, body: bytes) -> None:
    assert TO_JSON[b"DS"](raw, LATIN1, "<") == b',"Value":[' + body + b"]"
    assert json.loads(b"[" + body + b"]")


@pytest.mark.parametrize(
    ("raw", "body", "text"),
    [
        (b"5 ", b"5", "5"),
        (b"-12\\+7\\007", b"-12,7,7", "-12\\7\\7"),
        (b"1.0", b'"1.0"', "1.0"),
        (b"9007199254740992", b"9007199254740992", "9007199254740992"),
        (b"9007199254740993", b'"9007199254740993"', "9007199254740993"),
        (b"12x", b'"12x"', "12x"),
        (b"9" * 5000, b'"' + b"9" * 5000 + b'"', "9" * 5000),
        (b"\xb2", b'"\xc2\xb2"', "²"),
    ],
)
def test_integer_strings(raw: bytes, body: bytes, text: str) -> None:
    assert TO_JSON[b"IS"](raw, LATIN1, "<") == b',"Value":[' + body + b"]"
    assert to_text("IS", raw) == text


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("vr", "code", "values"),
    [
        ("US", "H", [0, 65535]),
        ("SS", "h", [-32768, 32767]),
        ("UL", "I", [0, 2**32 - 1]),
        ("SL", "i", [-(2**31), 2**31 - 1]),
        ("FL", "f", [0.5, -1e30]),
        ("FD", "d", [0.1, -1e300]),
    ],
)
def test_binary_numbers(order: str, vr: str, code: str, values: list[float]) -> None:
    raw = struct.pack(f"{order}{len(values)}{code}", *values)
    expected = list(struct.unpack(f"{order}{len(values)}{code}", raw))
    assert to_json(vr, raw, order) == expected
    assert to_json(vr, raw[: len(raw) // 2], order) == expected[:1]
    assert to_text(vr, raw, order) == "\\".join(map(str, expected))


@pytest.mark.parametrize(("vr", "code", "value"), [("SV", "q", -(2**63)), ("UV", "Q", 2**64 - 1), ("UV", "Q", 5)])
def test_64_bit_integers_are_strings(vr: str, code: str, value: int) -> None:
    assert to_json(vr, struct.pack(f"<{code}", value)) == [str(value)]
    assert to_text(vr, struct.pack(f">{code}", value), ">") == str(value)


@pytest.mark.parametrize(("vr", "code"), [("FL", "f"), ("FD", "d")])
def test_what_is_no_number_is_a_string(vr: str, code: str) -> None:
    raw = struct.pack(f"<4{code}", math.nan, math.inf, -math.inf, 1.0)
    assert to_json(vr, raw) == ["NaN", "Infinity", "-Infinity", 1.0]


def test_tags_are_eight_upper_case_digits() -> None:
    assert to_json("AT", b"\x08\0\x3e\x10\xfe\xff\x0d\xe0") == ["0008103E", "FFFEE00D"]
    assert to_json("AT", b"\0\x08\x10\x3e", ">") == ["0008103E"]
    assert to_text("AT", b"\x08\0\x60\0") == "00080060"


@pytest.mark.parametrize("vr", BINARY_NUMBERS)
def test_bytes_behind_the_last_whole_value_are_ignored(vr: str) -> None:
    assert to_json(vr, b"\1") is None
    assert len(to_json(vr, bytes(17 if vr not in ("AT", "FL", "SL", "UL") else 10)[:9])) >= 1


@pytest.mark.parametrize(
    ("vr", "raw", "order", "content"),
    [
        ("OB", b"\1\2\3\4", ">", "AQIDBA=="),
        ("UN", b"\1\2\3\4", ">", "AQIDBA=="),
        ("OW", b"\1\2\3\4", "<", "AQIDBA=="),
        ("OW", b"\2\1\4\3", ">", "AQIDBA=="),
        ("OL", b"\4\3\2\1", ">", "AQIDBA=="),
        ("OF", b"\4\3\2\1", ">", "AQIDBA=="),
        ("OD", b"\7\6\5\4\3\2\1\0", ">", "AAECAwQFBgc="),
        ("OV", b"\7\6\5\4\3\2\1\0", ">", "AAECAwQFBgc="),
    ],
)
def test_inline_binary_is_little_endian(vr: str, raw: bytes, order: str, content: str) -> None:
    assert inline_binary(vr.encode(), raw, order) == b',"InlineBinary":"' + content.encode() + b'"'
    assert inline_binary(vr.encode(), b"", order) == b""


def test_every_vr_is_covered() -> None:
    assert TO_JSON.keys() == TO_TEXT.keys()
    assert len(TO_JSON.keys() | BINARY_VRS | {b"SQ"}) == 34


def test_values_follow_the_character_set() -> None:
    assert to_json("LO", b"\x81\\\\\x81\\", label=b"GB18030") == ["乗", "乗"]
    assert to_json("PN", b"\x1b$B%\\\x1b(B\\b", label=b"\\ISO 2022 IR 87") == [
        {"Alphabetic": "ボ"},
        {"Alphabetic": "b"},
    ]
