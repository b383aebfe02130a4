import pytest

from conformance.cost import at_most
from dicomweb_server.dicom.elements import LONG_VRS, SHORT_VRS, is_signed, item_encoding, items, walk
from dicomweb_server.dicom.encoding import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, Encoding
from dicomweb_server.errors import Reason, ServerError
from tests.encoded import UNDEFINED, encoded, item, sequence

TAG_PN = 0x00100010
TAG_SQ = 0x00081140


def found(data: bytes, encoding: Encoding = EXPLICIT_LITTLE, *, signed: bool = False) -> list[tuple[int, str, bytes]]:
    return [
        (element.tag, element.vr, data[element.start : element.end])
        for element in walk(data, 0, len(data), encoding, signed=signed)
    ]


def refused(data: bytes, encoding: Encoding = EXPLICIT_LITTLE) -> str:
    with pytest.raises(ServerError) as caught:
        found(data, encoding)
    assert caught.value.reason is Reason.CANNOT_UNDERSTAND
    return caught.value.detail


@pytest.mark.parametrize("encoding", [EXPLICIT_LITTLE, EXPLICIT_BIG, IMPLICIT_LITTLE])
def test_elements_of_all_encodings(encoding: Encoding) -> None:
    order = "<" if encoding.little_endian else ">"
    rows = b"\x40\0" if encoding.little_endian else b"\0\x40"
    wanted = [(TAG_PN, "PN", b"A^B "), (0x00280010, "US", rows), (0x7FE00010, "OW", bytes(600))]
    data = b"".join(encoded(tag, vr if encoding.explicit else "", value, order=order) for tag, vr, value in wanted)
    assert found(data, encoding) == wanted


@pytest.mark.parametrize("vr", [vr.decode() for vr in sorted(SHORT_VRS)])
def test_vrs_of_the_short_form(vr: str) -> None:
    assert found(encoded(0x00990010, vr, b"12345678")) == [(0x00990010, vr, b"12345678")]


@pytest.mark.parametrize("vr", [vr.decode() for vr in sorted(LONG_VRS)])
def test_vrs_of_the_long_form(vr: str) -> None:
    assert found(encoded(0x00990010, vr, bytes(70000))) == [(0x00990010, vr, bytes(70000))]


def test_odd_lengths_are_taken_as_they_are() -> None:
    data = encoded(TAG_PN, "PN", b"A") + encoded(0x00100020, "LO", b"123")
    assert found(data) == [(TAG_PN, "PN", b"A"), (0x00100020, "LO", b"123")]


def test_a_new_vr_has_the_long_form_if_it_fits_and_else_the_short_one() -> None:
    long_form = b"\x99\0\x10\0XX\0\0\4\0\0\0abcd"
    short_form = b"\x99\0\x10\0XX\4\0abcd"
    assert found(long_form + encoded(0x00990011, "LO", b"x")) == [
        (0x00990010, "UN", b"abcd"),
        (0x00990011, "LO", b"x"),
    ]
    assert found(short_form) == [(0x00990010, "UN", b"abcd")]
    assert found(b"\x99\0\x10\0XX\0\0") == [(0x00990010, "UN", b"")]


@pytest.mark.parametrize("vr", ["  ", "\0\0", "??", "--"])
def test_a_missing_vr_is_unknown_and_short(vr: str) -> None:
    data = encoded(TAG_PN, vr, b"A^B ") + encoded(0x00100020, "LO", b"12")
    assert found(data) == [(TAG_PN, "UN", b"A^B "), (0x00100020, "LO", b"12")]


def test_a_writer_that_goes_on_in_implicit_vr_is_followed() -> None:
    data = encoded(TAG_PN, "PN", b"A^B ") + encoded(0x00100020, "", b"12")
    assert found(data) == [(TAG_PN, "PN", b"A^B "), (0x00100020, "LO", b"12")]


def test_implicit_vr_asks_the_dictionary() -> None:
    data = (
        encoded(0x00090010, "", b"GEMS_IDEN_01")
        + encoded(0x00091001, "", b"full fid")
        + encoded(0x00091201, "", b"unknown ")
        + encoded(0x00181001, "", b"x")
    )
    assert [vr for _, vr, _ in found(data, IMPLICIT_LITTLE)] == ["LO", "LO", "UN", "UN"]


def test_pixel_representation_decides_between_us_and_ss() -> None:
    smallest = encoded(0x00280106, "", b"\xff\xff")
    signed = encoded(0x00280103, "", b"\1\0")
    unsigned = encoded(0x00280103, "", b"\0\0")
    assert [vr for _, vr, _ in found(unsigned + smallest, IMPLICIT_LITTLE)] == ["US", "US"]
    assert [vr for _, vr, _ in found(signed + smallest, IMPLICIT_LITTLE)] == ["US", "SS"]
    assert [vr for _, vr, _ in found(smallest, IMPLICIT_LITTLE, signed=True)] == ["SS"]
    assert [vr for _, vr, _ in found(unsigned + smallest, IMPLICIT_LITTLE, signed=True)] == ["US", "US"]


@pytest.mark.parametrize("encoding", [EXPLICIT_LITTLE, EXPLICIT_BIG, IMPLICIT_LITTLE])
@pytest.mark.parametrize("value", [b"\1\0", b"\0\0", None])
def test_pixel_representation_is_found_ahead(encoding: Encoding, value: bytes | None) -> None:
    order = "<" if encoding.little_endian else ">"
    vr = "US" if encoding.explicit else ""
    data = sequence(TAG_SQ, item(defined=False, order=order), defined=False, vr="SQ" if vr else "", order=order)
    data += sequence(TAG_SQ, item(order=order), vr="SQ" if vr else "", order=order)
    if value:
        data += encoded(0x00280103, vr, value if encoding.little_endian else value[::-1], order=order)
    data += encoded(0x00280106, vr, b"\0\0", order=order)
    assert is_signed(data, 0, len(data), encoding) is (value == b"\1\0")


@pytest.mark.parametrize("defined", [True, False])
@pytest.mark.parametrize("encoding", [EXPLICIT_LITTLE, EXPLICIT_BIG, IMPLICIT_LITTLE])
def test_sequences_and_their_items(encoding: Encoding, defined: bool) -> None:
    order = "<" if encoding.little_endian else ">"
    name = encoded(TAG_PN, "PN" if encoding.explicit else "", b"A^B ", order=order)
    vr = "SQ" if encoding.explicit else ""
    nested = sequence(TAG_SQ, item(name, defined=defined, order=order), defined=defined, vr=vr, order=order)
    outer = sequence(
        TAG_SQ,
        item(nested, defined=defined, order=order),
        item(order=order, defined=defined),
        defined=defined,
        vr=vr,
        order=order,
    )
    data = outer + name
    elements = list(walk(data, 0, len(data), encoding))
    assert [(element.tag, element.vr, element.defined) for element in elements] == [
        (TAG_SQ, "SQ", defined),
        (TAG_PN, "PN", True),
    ]
    assert elements[0].following == len(outer)
    spans = list(items(data, elements[0], encoding))
    assert [data[start:end] for start, end in spans] == [nested, b""]
    inner = next(walk(data, *spans[0], encoding, depth=1))
    ((start, end),) = items(data, inner, encoding, depth=1)
    assert data[start:end] == name


def test_un_of_undefined_length_contains_implicit_vr() -> None:
    data = sequence(0x00990010, item(encoded(TAG_PN, "", b"A^B "), defined=False), defined=False, vr="UN")
    (element,) = walk(data, 0, len(data), EXPLICIT_LITTLE)
    assert (element.vr, element.defined) == ("UN", False)
    assert item_encoding(element, EXPLICIT_LITTLE) == IMPLICIT_LITTLE
    ((start, end),) = items(data, element, EXPLICIT_LITTLE)
    assert found(data[start:end], IMPLICIT_LITTLE) == [(TAG_PN, "PN", b"A^B ")]


def test_unknown_tags_of_undefined_length_are_sequences_in_implicit_vr() -> None:
    data = sequence(0x00990010, item(encoded(TAG_PN, "", b"A^B "), defined=False), defined=False, vr="")
    (element,) = walk(data, 0, len(data), IMPLICIT_LITTLE)
    assert (element.vr, item_encoding(element, IMPLICIT_LITTLE)) == ("SQ", IMPLICIT_LITTLE)


def test_encapsulated_pixel_data_has_fragments() -> None:
    fragments = item(b"") + item(b"\xfe\xff\xdd\xe0") + item(b"xyz!")
    data = sequence(0x7FE00010, fragments, defined=False, vr="OB") + encoded(0xFFFCFFFC, "OB", b"\0\0")
    pixels, padding = walk(data, 0, len(data), EXPLICIT_LITTLE)
    assert (pixels.vr, pixels.defined, data[pixels.start : pixels.end]) == ("OB", False, fragments)
    assert padding.tag == 0xFFFCFFFC
    implicit = sequence(0x7FE00010, fragments, defined=False, vr="")
    assert [element.vr for element in walk(implicit, 0, len(implicit), IMPLICIT_LITTLE)] == ["OB"]


@pytest.mark.parametrize("padding", [b"\0", b"\0" * 7, b"\0" * 8, b"\0" * 70001])
@pytest.mark.parametrize("encoding", [EXPLICIT_LITTLE, IMPLICIT_LITTLE])
def test_zeros_behind_the_last_element_are_padding(encoding: Encoding, padding: bytes) -> None:
    data = encoded(TAG_PN, "PN" if encoding.explicit else "", b"A^B ")
    assert found(data + padding, encoding) == [(TAG_PN, "PN", b"A^B ")]


def test_superfluous_delimiters_are_skipped() -> None:
    content = encoded(TAG_PN, "PN", b"A^B ") + encoded(0xFFFEE00D, "")
    data = sequence(TAG_SQ, item(content), encoded(0xFFFEE0DD, ""))
    (element,) = walk(data, 0, len(data), EXPLICIT_LITTLE)
    ((start, end),) = items(data, element, EXPLICIT_LITTLE)
    assert found(data[start:end]) == [(TAG_PN, "PN", b"A^B ")]


@pytest.mark.parametrize(
    "data",
    [
        b"\0\0\0\0\0\0\0\0\1",
        b"\x10\0\x10",
        b"\x10\0\x10\0PN\x10\0abc",
        encoded(TAG_PN, "PN", b"abc", length=4),
        encoded(0x00990010, "OB", b"abc", length=0xFFFFFFFE),
        encoded(0x00990010, "UT", b"", length=1 << 30),
        b"\x99\0\x10\0OB\0\0\0",
        encoded(0x00000002, "UI", b"1.2\0"),
        encoded(0xFFFEE00D, "", b"1234"),
        encoded(TAG_SQ, "SQ", b"", length=UNDEFINED),
        encoded(TAG_SQ, "SQ", item(), length=UNDEFINED),
        encoded(TAG_SQ, "SQ", encoded(0xFFFEE000, "", length=UNDEFINED), length=UNDEFINED),
        encoded(TAG_SQ, "SQ", encoded(0xFFFEE000, "", length=100), length=UNDEFINED),
        encoded(TAG_SQ, "SQ", encoded(TAG_PN, "PN", b"abcd"), length=UNDEFINED),
        encoded(0x7FE00010, "OB", item(b"abcd"), length=UNDEFINED),
        encoded(0x00990010, "LO", b"", length=0xFFFF),
    ],
)
def test_lengths_that_lie_are_refused(data: bytes) -> None:
    assert "byte" in refused(data)


@pytest.mark.parametrize(
    "content", [b"\0" * 4, encoded(TAG_PN, "PN", b"abcd"), encoded(0xFFFEE000, "", b"abcd", length=8)]
)
def test_a_sequence_of_defined_length_must_contain_items(content: bytes) -> None:
    data = encoded(TAG_SQ, "SQ", content)
    (element,) = walk(data, 0, len(data), EXPLICIT_LITTLE)
    with pytest.raises(ServerError):
        list(items(data, element, EXPLICIT_LITTLE))


@pytest.mark.parametrize("encoding", [EXPLICIT_LITTLE, IMPLICIT_LITTLE])
@pytest.mark.parametrize("depth", [65, 10_000])
def test_deep_nesting_is_refused_quickly(encoding: Encoding, depth: int) -> None:
    opening = encoded(TAG_SQ, "SQ" if encoding.explicit else "", length=UNDEFINED)
    opening += encoded(0xFFFEE000, "", length=UNDEFINED)
    closing = encoded(0xFFFEE00D, "") + encoded(0xFFFEE0DD, "")
    with at_most(1):
        assert "nested deeper than 64" in refused(opening * depth + closing * depth, encoding)
    assert found(opening * 64 + closing * 64, encoding)


def test_endless_elements_and_items_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicomweb_server.dicom.elements.MAX_ELEMENTS", 100)
    monkeypatch.setattr("dicomweb_server.dicom.elements.Steps.__init__.__defaults__", (100,))
    name = encoded(TAG_PN, "", b"A ")
    endless = (
        name * 101,
        sequence(TAG_SQ, *[item()] * 101, defined=False, vr=""),
        sequence(TAG_SQ, item(name * 101, defined=False), defined=False, vr=""),
        sequence(TAG_SQ, *[item()] * 40, defined=False, vr="") * 3,
    )
    for data in endless:
        assert "more than" in refused(data, IMPLICIT_LITTLE) or "too many" in refused(data, IMPLICIT_LITTLE)
    for data in (encoded(0x00080060, "", b"CT") * 101, name * 99):
        assert is_signed(data, 0, len(data), IMPLICIT_LITTLE) is False


def test_padding_is_looked_at_ahead() -> None:
    assert is_signed(bytes(20), 0, 20, IMPLICIT_LITTLE) is False


def test_the_depth_of_what_encloses_an_element_counts() -> None:
    data = sequence(TAG_SQ, item(defined=False), defined=False)
    list(walk(data, 0, len(data), EXPLICIT_LITTLE, depth=63))
    with pytest.raises(ServerError, match="nested deeper"):
        list(walk(data, 0, len(data), EXPLICIT_LITTLE, depth=64))
