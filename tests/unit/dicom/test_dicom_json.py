import json
import struct
from base64 import b64decode, b64encode
from typing import Any

import pytest

from conformance.cost import at_most
from dicomweb_server.dicom.attribute_json import INLINE_LIMIT, TEXT_LIMIT
from dicomweb_server.dicom.dicom_json import read_json
from dicomweb_server.dicom.elements import VR_BYTES
from dicomweb_server.dicom.encoding import MAX_ELEMENTS
from dicomweb_server.dicom.header import open_dataset
from dicomweb_server.dicom.reading import Reading
from dicomweb_server.errors import Reason, ServerError
from tests.encoded import (
    EXPLICIT_BIG_UID,
    EXPLICIT_LITTLE_UID,
    IMPLICIT_LITTLE_UID,
    UNDEFINED,
    encoded,
    item,
    sequence,
)

NAME, CHARSET, REFERENCES, LUT = 0x00100010, 0x00080005, 0x00081140, 0x00283010


def read(data: bytes, uid: str = EXPLICIT_LITTLE_UID, extra: frozenset[int] = frozenset()) -> tuple[bytes, Reading]:
    return read_json(open_dataset(data, uid), extra)


def to_json(data: bytes, uid: str = EXPLICIT_LITTLE_UID) -> dict[str, Any]:
    """The JSON, made twice, because the second time comes from the memo."""
    first = read(data, uid)[0]
    assert read(data, uid)[0] == first
    parsed: dict[str, Any] = json.loads(first.replace(b"\2", b"URL/"))
    return parsed


def test_an_empty_data_set_is_an_empty_object() -> None:
    assert to_json(b"") == {}


def test_keys_are_upper_case_and_in_order() -> None:
    data = encoded(0x0020000D, "UI", b"1.2") + encoded(0x0008103E, "LO", b"x")
    data += encoded(NAME, "PN", b"a") + encoded(0x7FE00010, "OW", b"12") + encoded(0x0009103E, "LO", b"y")
    assert list(to_json(data)) == ["0008103E", "0009103E", "00100010", "0020000D", "7FE00010"]


def test_the_first_of_repeated_elements_counts() -> None:
    data = encoded(NAME, "PN", b"first ") + encoded(NAME, "PN", b"second") + encoded(0x00080060, "CS", b"CT")
    data += encoded(0x00080060, "CS", b"MR")
    metadata, reading = read(data)
    assert metadata == (
        b'{"00080060":{"vr":"CS","Value":["CT"]},"00100010":{"vr":"PN","Value":[{"Alphabetic":"first"}]}}'
    )
    assert reading.values == {"patient_name": "first", "modality": "CT"}


def test_repeats_in_items_are_left_out_too() -> None:
    content = encoded(0x00100020, "LO", b"b ") + encoded(NAME, "PN", b"a ") + encoded(0x00100020, "LO", b"c ")
    assert to_json(sequence(REFERENCES, item(content)))["00081140"]["Value"] == [
        {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "a"}]}, "00100020": {"vr": "LO", "Value": ["b"]}}
    ]


@pytest.mark.parametrize("uid", [EXPLICIT_LITTLE_UID, IMPLICIT_LITTLE_UID, EXPLICIT_BIG_UID])
def test_group_lengths_are_left_out(uid: str) -> None:
    order = ">" if uid == EXPLICIT_BIG_UID else "<"
    vr = "" if uid == IMPLICIT_LITTLE_UID else "UL"
    data = encoded(0x00080000, vr, bytes(4), order=order) + encoded(0x00090000, vr, bytes(4), order=order)
    assert to_json(data, uid) == {}


@pytest.mark.parametrize("vr", sorted(VR_BYTES))
def test_an_empty_attribute_has_nothing_but_its_vr(vr: str) -> None:
    assert to_json(encoded(0x00990010, vr)) == {"00990010": {"vr": vr}}


@pytest.mark.parametrize("uid", [EXPLICIT_LITTLE_UID, IMPLICIT_LITTLE_UID, EXPLICIT_BIG_UID])
@pytest.mark.parametrize("defined", [True, False])
def test_sequences(uid: str, defined: bool) -> None:
    order = ">" if uid == EXPLICIT_BIG_UID else "<"
    explicit = uid != IMPLICIT_LITTLE_UID
    name = encoded(NAME, "PN" if explicit else "", b"A^B ", order=order)
    vr = "SQ" if explicit else ""
    inner = sequence(REFERENCES, item(name, order=order, defined=defined), defined=defined, vr=vr, order=order)
    data = sequence(
        REFERENCES,
        item(inner, order=order, defined=defined),
        item(order=order, defined=not defined),
        defined=defined,
        vr=vr,
        order=order,
    )
    person = {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "A^B"}]}}
    expected = {"vr": "SQ", "Value": [{"00081140": {"vr": "SQ", "Value": [person]}}, {}]}
    assert to_json(data + name, uid) == {"00081140": expected} | person


@pytest.mark.parametrize("defined", [True, False])
def test_a_sequence_without_items_has_no_value(defined: bool) -> None:
    assert to_json(sequence(REFERENCES, defined=defined)) == {"00081140": {"vr": "SQ"}}


def test_text_follows_the_character_set_and_json_says_utf8() -> None:
    data = encoded(CHARSET, "CS", b"ISO_IR 144") + encoded(NAME, "PN", "Люкс".encode("iso8859-5"))
    assert to_json(data) == {
        "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Люкс"}]},
    }
    assert to_json(encoded(CHARSET, "CS")) == {"00080005": {"vr": "CS"}}


def test_items_inherit_the_character_set_or_have_their_own() -> None:
    text = b"\xe9\xe9"
    own = encoded(CHARSET, "CS", b"ISO_IR 144") + encoded(0x00100020, "LO", text)
    data = encoded(CHARSET, "CS", b"ISO_IR 100")
    data += sequence(REFERENCES, item(own), item(encoded(0x00100020, "LO", text)))
    data += encoded(0x00100020, "LO", text)
    result = to_json(data)
    assert result["00081140"]["Value"][0]["00100020"]["Value"] == ["щщ"]
    assert result["00081140"]["Value"][1]["00100020"]["Value"] == ["éé"]
    assert result["00100020"]["Value"] == ["éé"]


def test_equal_bytes_under_other_conditions_are_not_mixed_up() -> None:
    name = encoded(NAME, "PN", b"\xe9\xe9")
    for charset, text in ((b"ISO_IR 100", "éé"), (b"ISO_IR 144", "щщ"), (b"ISO_IR 126", "ιι"), (b"ISO_IR 138", "יי")):
        result = to_json(encoded(CHARSET, "CS", charset) + name)
        assert result["00100010"]["Value"] == [{"Alphabetic": text}]


def test_ambiguous_vrs_follow_pixel_representation() -> None:
    smallest = encoded(0x00280106, "", b"\xff\xff")
    for representation, vr, value in ((b"\0\0", "US", 65535), (b"\1\0", "SS", -1), (b"\0\0", "US", 65535)):
        data = encoded(0x00280103, "", representation) + smallest
        assert to_json(data, IMPLICIT_LITTLE_UID)["00280106"] == {"vr": vr, "Value": [value]}


def test_ambiguous_vrs_before_pixel_representation_and_in_items() -> None:
    zero_velocity = encoded(0x00189810, "", b"\xff\xff")
    nested = sequence(0x00409096, item(encoded(0x00409216, "", b"\xff\xff")), vr="")
    own = sequence(0x00880200, item(encoded(0x00280103, "", b"\0\0") + encoded(0x00280106, "", b"\xff\xff")), vr="")
    result = to_json(zero_velocity + encoded(0x00280103, "", b"\1\0") + nested + own, IMPLICIT_LITTLE_UID)
    assert result["00189810"] == {"vr": "SS", "Value": [-1]}
    assert result["00409096"]["Value"][0]["00409216"] == {"vr": "SS", "Value": [-1]}
    assert result["00880200"]["Value"][0]["00280106"] == {"vr": "US", "Value": [65535]}


def test_private_elements_in_implicit_vr_depend_on_their_creator() -> None:
    value = encoded(0x00291010, "", b"12345678")
    for creator, vr in ((b"SIEMENS CSA HEADER", "OB"), (b"somebody", "UN"), (b"SIEMENS CSA HEADER", "OB")):
        data = encoded(0x00290010, "", creator) + value
        assert to_json(data, IMPLICIT_LITTLE_UID) == {
            "00290010": {"vr": "LO", "Value": [creator.decode()]},
            "00291010": {"vr": vr, "InlineBinary": b64encode(b"12345678").decode()},
        }


def test_unknown_elements_of_public_tags_are_resolved() -> None:
    data = encoded(0x00080060, "UN", b"CT") + encoded(0x00280106, "UN", b"\1\0") + encoded(0x00991001, "UN", b"\1\0")
    assert to_json(data) == {
        "00080060": {"vr": "CS", "Value": ["CT"]},
        "00280106": {"vr": "UN", "InlineBinary": "AQA="},
        "00991001": {"vr": "UN", "InlineBinary": "AQA="},
    }
    assert read(data)[1].values == {"modality": "CT"}


def test_unknown_elements_in_big_endian_stay_unknown() -> None:
    data = encoded(0x00280010, "UN", b"\1\0", order=">")
    assert to_json(data, EXPLICIT_BIG_UID) == {"00280010": {"vr": "UN", "InlineBinary": "AQA="}}


@pytest.mark.parametrize("defined", [True, False])
def test_unknown_sequences_contain_implicit_vr(defined: bool) -> None:
    data = sequence(REFERENCES, item(encoded(NAME, "", b"A^B ")), vr="UN", defined=defined)
    person = {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "A^B"}]}}
    assert to_json(data) == {"00081140": {"vr": "SQ", "Value": [person]}}


@pytest.mark.parametrize("content", [b"\1\2\3\4", bytes(2000)])
def test_an_unknown_sequence_without_items_stays_binary(content: bytes) -> None:
    attribute = to_json(encoded(REFERENCES, "UN", content))["00081140"]
    assert attribute.pop("vr") == "UN"
    if len(content) <= INLINE_LIMIT:
        assert b64decode(attribute["InlineBinary"]) == content
    else:
        assert attribute == {"BulkDataURI": "URL/00081140"}


@pytest.mark.parametrize("vr", ["OB", "OD", "OF", "OL", "OV", "OW", "UN"])
def test_large_binary_values_are_left_to_bulk_data(vr: str) -> None:
    data = encoded(0x00990010, vr, bytes(INLINE_LIMIT)) + encoded(0x00990011, vr, bytes(INLINE_LIMIT + 8))
    result = to_json(data)
    assert b64decode(result["00990010"]["InlineBinary"]) == bytes(INLINE_LIMIT)
    assert result["00990011"] == {"vr": vr, "BulkDataURI": "URL/00990011"}


@pytest.mark.parametrize(("vr", "unit"), [("UT", b"x"), ("UC", b"x"), ("UR", b"x"), ("UV", bytes(8))])
def test_very_long_texts_and_numbers_are_left_to_bulk_data(vr: str, unit: bytes) -> None:
    most = unit * (TEXT_LIMIT // len(unit))
    result = to_json(encoded(0x00990010, vr, most) + encoded(0x00990011, vr, most + unit))
    assert "Value" in result["00990010"]
    assert result["00990011"] == {"vr": vr, "BulkDataURI": "URL/00990011"}


@pytest.mark.parametrize("tag", [0x7FE00008, 0x7FE00009, 0x7FE00010, 0x00420011])
def test_pixel_data_and_documents_are_never_inline(tag: int) -> None:
    name = f"{tag:08X}"
    assert to_json(encoded(tag, "OB", b"\1\2"))[name] == {"vr": "OB", "BulkDataURI": f"URL/{name}"}
    assert to_json(encoded(tag, "OB"))[name] == {"vr": "OB"}
    nested = sequence(REFERENCES, item(), item(encoded(tag, "OB", b"\1\2")))
    assert to_json(nested)["00081140"]["Value"][1][name] == {
        "vr": "OB",
        "BulkDataURI": f"URL/00081140/2/{name}",
    }


def test_bulk_data_of_equal_items_has_the_path_of_each() -> None:
    curve = encoded(0x00283006, "OW", bytes(INLINE_LIMIT + 2))
    data = sequence(LUT, item(curve), item(curve)) + sequence(0x00880200, item(sequence(LUT, item(curve))))
    result = to_json(data)
    first, second = result["00283010"]["Value"]
    assert first["00283006"]["BulkDataURI"] == "URL/00283010/1/00283006"
    assert second["00283006"]["BulkDataURI"] == "URL/00283010/2/00283006"
    deep = result["00880200"]["Value"][0]["00283010"]["Value"][0]["00283006"]["BulkDataURI"]
    assert deep == "URL/00880200/1/00283010/1/00283006"


def test_encapsulated_pixel_data_is_left_to_bulk_data() -> None:
    data = sequence(0x7FE00010, item(), item(b"abcd"), vr="OB", defined=False) + encoded(0xFFFCFFFC, "OB", b"\0\0")
    assert to_json(data) == {
        "7FE00010": {"vr": "OB", "BulkDataURI": "URL/7FE00010"},
        "FFFCFFFC": {"vr": "OB", "InlineBinary": "AAA="},
    }
    pixel_data = read(data)[1].pixel_data
    assert pixel_data is not None
    assert (pixel_data.offset, pixel_data.length) == (12, None)


def test_inline_binary_of_big_endian_is_little_endian() -> None:
    data = encoded(0x00990010, "OW", b"\1\2\3\4", order=">")
    assert to_json(data, EXPLICIT_BIG_UID)["00990010"]["InlineBinary"] == b64encode(b"\2\1\4\3").decode()


def test_control_characters_are_escaped() -> None:
    every = bytes(range(1, 32)).replace(b"\x1b", b"") + b'"\x7f'
    metadata, _ = read(encoded(0x00081030, "LT", b"a" + every + b"z"))
    assert min(metadata) >= 0x20
    assert json.loads(metadata)["00081030"]["Value"] == [f"a{every.decode()}z"]


def test_indexed_values_are_gathered_from_the_top_level_only() -> None:
    data = encoded(CHARSET, "CS", b"ISO_IR 100") + encoded(0x00080060, "CS", b"CT")
    data += sequence(0x00400275, item(encoded(0x00080050, "SH", b"A2")), item(encoded(NAME, "PN", b"\xe9 ")))
    data += encoded(NAME, "PN", b"A=B \\C ") + encoded(0x00280010, "US", b"\2\1") + encoded(0x00200013, "IS", b"+07 ")
    data += encoded(0x00081030, "LO", b" \\ ") + encoded(0x00200010, "SH")
    _, reading = read(data)
    values = dict(reading.values)
    assert json.loads(values.pop("request_attributes")) == [
        {"00080050": {"vr": "SH", "Value": ["A2"]}},
        {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "é"}]}},
    ]
    assert values == {
        "modality": "CT",
        "patient_name": "A=B\\C",
        "rows": "258",
        "instance_number": "7",
        "study_description": "",
        "study_id": "",
    }
    assert reading.layout == {0x00280010: b"\2\1"}


def test_extra_tags_are_gathered_under_their_tag() -> None:
    data = encoded(0x00180050, "DS", b"2.50") + encoded(0x00291001, "LO", b"x\\y")
    data += sequence(REFERENCES, item(encoded(0x00081150, "UI", b"1.2\0")))
    extra = frozenset({0x00180050, 0x00291001, 0x00081140, 0x00080060})
    assert read(data)[1].values == {}
    assert read(data, extra=extra)[1].values == {
        "00180050": "2.50",
        "00291001": "x\\y",
        "00081140": '[{"00081150":{"vr":"UI","Value":["1.2"]}}]',
    }


@pytest.mark.parametrize(
    "data",
    [
        encoded(NAME, "PN", b"abc", length=4),
        encoded(0x00990010, "OB", b"abc", length=0xFFFFFFFE),
        encoded(NAME, "PN", b"abcd") + b"\1",
        encoded(REFERENCES, "SQ", b"", length=UNDEFINED),
        encoded(REFERENCES, "SQ", item(), length=UNDEFINED),
        encoded(REFERENCES, "SQ", item(defined=False)[:-8], length=UNDEFINED),
        encoded(REFERENCES, "SQ", encoded(0xFFFEE000, "", b"abcd", length=1000)),
        encoded(REFERENCES, "SQ", b"1234"),
        encoded(REFERENCES, "SQ", encoded(NAME, "PN", b"abcd")),
        encoded(0x7FE00010, "OB", item(b"abcd"), length=UNDEFINED),
        encoded(0x7FE00010, "OW", b"ab", length=1 << 30),
        encoded(0x00000002, "UI", b"1.2\0"),
        encoded(0x00990010, "LO", b"", length=0xFFFF),
        b"\x99\0\x10\0OB\0\0\0",
    ],
)
def test_what_breaks_the_rules_is_refused(data: bytes) -> None:
    with pytest.raises(ServerError) as caught:
        read(data)
    assert caught.value.reason is Reason.CANNOT_UNDERSTAND


@pytest.mark.parametrize("uid", [EXPLICIT_LITTLE_UID, IMPLICIT_LITTLE_UID])
@pytest.mark.parametrize("defined", [True, False])
def test_deep_nesting_is_refused_quickly(uid: str, defined: bool) -> None:
    vr = "SQ" if uid == EXPLICIT_LITTLE_UID else ""
    data = b""
    for _ in range(64):
        data = sequence(REFERENCES, item(data, defined=defined), defined=defined, vr=vr)
    assert to_json(data, uid)
    opening = encoded(REFERENCES, vr, length=UNDEFINED) + encoded(0xFFFEE000, "", length=UNDEFINED)
    closing = encoded(0xFFFEE00D, "") + encoded(0xFFFEE0DD, "")
    for bad in (sequence(REFERENCES, item(data), vr=vr), opening * 10_000 + closing * 10_000):
        with at_most(1), pytest.raises(ServerError, match="nested deeper"):
            read(bad, uid)


def test_endless_elements_and_items_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicomweb_server.dicom.reading.MAX_ELEMENTS", 1000)
    assert MAX_ELEMENTS > 1000
    for data in (
        b"".join(encoded(0x00990000 + number, "CS", b"X ") for number in range(16, 1100)),
        encoded(NAME, "PN") * 1100,
        encoded(0x00080000, "UL", bytes(4)) * 1100,
        sequence(REFERENCES, *[item()] * 1100),
        sequence(REFERENCES, *[item(encoded(NAME, "PN"))] * 600),
        encoded(0xFFFEE00D, "") * 1100,
    ):
        with pytest.raises(ServerError, match="more than"):
            read(data)
    with pytest.raises(ServerError, match="more than"):
        read(encoded(NAME, "") * 1100, IMPLICIT_LITTLE_UID)
    assert to_json(sequence(REFERENCES, *[item(encoded(NAME, "PN"))] * 400))


def test_a_sequence_with_a_lying_length_does_not_reach_beyond_its_item() -> None:
    inner = encoded(REFERENCES, "SQ", item(encoded(NAME, "PN", b"abcd")), length=100)
    with pytest.raises(ServerError):
        read(sequence(REFERENCES, item(inner)) + bytes(200))


def test_floats_that_are_no_numbers_leave_the_json_strict() -> None:
    data = encoded(0x00189087, "FD", struct.pack("<d", float("nan")))
    assert to_json(data)["00189087"] == {"vr": "FD", "Value": ["NaN"]}


def test_a_writer_that_goes_on_in_implicit_vr_is_followed() -> None:
    data = encoded(0x00080060, "CS", b"CT") + encoded(NAME, "", b"A^B ") + encoded(0x00291001, "", b"12")
    assert to_json(data) == {
        "00080060": {"vr": "CS", "Value": ["CT"]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "A^B"}]},
        "00291001": {"vr": "UN", "InlineBinary": "MTI="},
    }


def test_superfluous_delimiters_are_skipped() -> None:
    content = encoded(0x00080060, "CS", b"CT") + encoded(0xFFFEE00D, "")
    data = sequence(REFERENCES, item(content), encoded(0xFFFEE0DD, ""), item())
    assert to_json(data)["00081140"]["Value"] == [{"00080060": {"vr": "CS", "Value": ["CT"]}}, {}]
