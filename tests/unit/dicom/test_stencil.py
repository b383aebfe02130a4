import struct
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomweb_server.dicom import dicom_json
from dicomweb_server.dicom.dicom_json import read_alike
from dicomweb_server.dicom.instance import parse_instance
from dicomweb_server.dicom.record import ParsedInstance
from dicomweb_server.errors import ServerError
from tests.alike import ELEMENTS, element, elements, instance, nothing_known
from tests.builders import make_encapsulated, make_instance
from tests.encoded import (
    EXPLICIT_BIG_UID,
    EXPLICIT_LITTLE_UID,
    IMPLICIT_LITTLE_UID,
    LONG,
    UNDEFINED,
    encoded,
    item,
    sequence,
)

NO_TAGS: frozenset[int] = frozenset()
ENCODINGS = [EXPLICIT_LITTLE_UID, IMPLICIT_LITTLE_UID, EXPLICIT_BIG_UID]
Result = ParsedInstance | tuple[object, str]

EXTRA = frozenset({0x00200032, 0x00081140})


def result(data: bytes, extra: frozenset[int] = NO_TAGS) -> Result:
    try:
        return parse_instance(data, extra=extra)
    except ServerError as error:
        return error.reason, error.detail


def fresh(data: bytes, extra: frozenset[int] = NO_TAGS) -> Result:
    """What the reader says that knows of no other instance."""
    with nothing_known():
        return result(data, extra)


@pytest.fixture(autouse=True)
def _nothing_known() -> Iterator[None]:
    with nothing_known():
        yield


def learn(uid: str, count: int = 8, extra: frozenset[int] = NO_TAGS) -> None:
    for number in range(1, count + 1):
        parse_instance(instance(uid, number), extra=extra)


def fits(data: bytes, extra: frozenset[int] = NO_TAGS) -> bool:
    return read_alike(data, extra) is not None


@pytest.mark.parametrize("uid", [EXPLICIT_LITTLE_UID, IMPLICIT_LITTLE_UID])
@pytest.mark.parametrize("extra", [NO_TAGS, EXTRA], ids=["usual", "extra"])
def test_what_fits_says_what_it_would_say_alone(uid: str, extra: frozenset[int]) -> None:
    learn(uid, extra=extra)
    for number in (9, 10, 123456789):
        data = instance(uid, number)
        assert fits(data, extra)
        assert result(data, extra) == fresh(data, extra)
    assert not fits(instance(uid, 9), NO_TAGS if extra else EXTRA)


def test_big_endian_and_deflated_are_read_otherwise() -> None:
    learn(EXPLICIT_BIG_UID)
    assert not fits(instance(EXPLICIT_BIG_UID, 9))
    for number in range(9):
        data = make_instance(
            transfer_syntax_uid="1.2.840.10008.1.2.1.99",
            StudyInstanceUID="1.2.3",
            SeriesInstanceUID="1.2.3.4",
            InstanceNumber=number,
        )
        assert not fits(data)
        assert result(data) == fresh(data)


def test_compressed_pixels_are_read_behind_the_stencil() -> None:
    for number in range(9):
        data = make_encapsulated(
            [bytes(number + 8)] * (1 + number % 3),
            StudyInstanceUID="1.2.3",
            SeriesInstanceUID="1.2.3.4",
            SOPInstanceUID=f"1.2.3.4.{number}",
            InstanceNumber=number,
        )
        assert fits(data) is (number > 1)
        assert result(data) == fresh(data)
        for cut in range(1, 30):
            assert result(data[:-cut]) == fresh(data[:-cut])


@pytest.mark.parametrize("uid", [EXPLICIT_LITTLE_UID, IMPLICIT_LITTLE_UID])
@pytest.mark.parametrize(
    ("at", "tag", "vr", "value", "is_read"),
    [
        (-1, 0x00420015, "CS", b"OTHER ", True),
        (99, 0xFFFCFFFC, "OB", bytes(8), True),
        (99, 0x7FE00010, "OW", b"34", False),
        (-1, 0x00280103, "US", b"\0\0", False),
        (-1, 0x00280106, "US", b"\0\0", False),
        (99, 0x00100010, "PN", b"X ", False),
        (0, 0x00080001, "UL", bytes(4), False),
        (1, 0x00080005, "CS", b"ISO_IR 144", False),
        (5, 0x00080020, "DA", b"20200101", False),
    ],
)
def test_one_element_more(uid: str, at: int, tag: int, vr: str, value: bytes, is_read: bool) -> None:
    learn(uid)
    made = elements(uid, 9)
    made.insert(at, element(uid, tag, vr, value))
    data = instance(uid, 9, made)
    assert fits(data) is is_read
    assert result(data) == fresh(data)


@pytest.mark.parametrize("uid", [EXPLICIT_LITTLE_UID, IMPLICIT_LITTLE_UID])
def test_private_creators_behind_the_pixels_are_those_of_one_instance(uid: str) -> None:
    creator = element(uid, 0x7FE10010, "LO", b"KRETZ_US")
    other = element(uid, 0x7FE10010, "LO", b"PMOD_GENPET ")
    private = element(uid, 0x7FE11001, "UT", b"x ")
    for number in range(1, 12):
        tail = [[creator, private], [private], [other, private], []][number % 4]
        data = instance(uid, number, elements(uid, number) + tail)
        assert fits(data) is (number > 1)
        assert result(data) == fresh(data)


def test_pixel_representation_is_not_read_behind_what_depends_on_it() -> None:
    ambiguous = encoded(0x00189810, "", b"\xff\xff")
    for number in range(1, 6):
        made = elements(IMPLICIT_LITTLE_UID, number)[:-6]
        made[-6:-6] = [ambiguous]
        data = instance(IMPLICIT_LITTLE_UID, number, made)
        assert fits(data) is (number > 1)
        assert result(data) == fresh(data)
    more = data + encoded(0x00280103, "", b"\1\0")
    assert result(more) == fresh(more)


def test_the_character_set_does_not_hold_before_it_is_told() -> None:
    for number in range(1, 6):
        early = [encoded(0x00080000, "UL", bytes(4)), encoded(0x00080001, "LO", b"\xe9%d" % number)]
        data = instance(EXPLICIT_LITTLE_UID, number, early + elements(EXPLICIT_LITTLE_UID, number)[1:])
        assert fits(data) is (number > 1)
        assert result(data) == fresh(data)


@pytest.mark.parametrize("count", [1, 4, 7, 8, 12, 20])
def test_zeros_at_the_end_belong_to_no_element(count: int) -> None:
    for number in range(1, 8):
        made = elements(EXPLICIT_LITTLE_UID, number)[:-1]
        data = instance(EXPLICIT_LITTLE_UID, number, made)
        more = encoded(0x00420015, "CS", b"OTHER ")
        for changed in (data + bytes(count), data + bytes(count) + more, data + more, data):
            assert result(changed) == fresh(changed)


@pytest.mark.parametrize("uid", [EXPLICIT_LITTLE_UID, IMPLICIT_LITTLE_UID])
def test_elements_that_some_have_are_holes_whatever_the_others_had(uid: str) -> None:
    at = [tag for tag, _, _ in ELEMENTS].index(0x00200032)
    for number in range(1, 20):
        made = elements(uid, number)
        del made[at if number % 2 else at - 1]
        data = instance(uid, number, made)
        assert fits(data) is (number > 2)
        assert result(data) == fresh(data)


def test_without_pixel_data_the_last_element_may_vary() -> None:
    for number in range(1, 12):
        data = instance(EXPLICIT_LITTLE_UID, number, elements(EXPLICIT_LITTLE_UID, number)[:-1])
        assert fits(data) is (number > 1)
        assert result(data) == fresh(data)
        assert result(data[:-1]) == fresh(data[:-1])


def test_an_element_that_some_lack_is_a_hole_that_may_be_empty() -> None:
    learn(EXPLICIT_LITTLE_UID)
    at = [tag for tag, _, _ in ELEMENTS].index(0x00200032)
    less = elements(EXPLICIT_LITTLE_UID, 9)
    del less[at]
    data = instance(EXPLICIT_LITTLE_UID, 9, less)
    assert fits(data)
    assert result(data) == fresh(data)


@pytest.mark.parametrize("uid", [EXPLICIT_LITTLE_UID, IMPLICIT_LITTLE_UID])
@pytest.mark.parametrize(
    ("tag", "vr", "values"),
    [
        (0x00080001, "UL", [bytes(4), b"1234"]),
        (0x00080005, "CS", [b"ISO_IR 144", b"ISO_IR 192"]),
        (0x00280010, "US", [b"\1\0", b"\2\0"]),
        (0x00280103, "US", [b"\0\0", b"\1\0"]),
        (0x00090010, "LO", [b"one ", b"two "]),
    ],
)
def test_what_changes_the_meaning_of_others_is_no_hole(uid: str, tag: int, vr: str, values: list[bytes]) -> None:
    at = [tag for tag, _, _ in ELEMENTS].index(tag)
    for number in range(1, 12):
        made = elements(uid, number)
        made[at] = element(uid, tag, vr, values[number % 2])
        data = instance(uid, number, made)
        is_hole = tag == 0x00280010 or (tag == 0x00090010 and uid == EXPLICIT_LITTLE_UID)
        assert fits(data) is (is_hole and number > 1)
        assert result(data) == fresh(data)


@pytest.mark.parametrize(
    "more",
    [
        [encoded(0x00410000 + n, "LO", b"") for n in range(0x1000, 0x1400)],
        [encoded(0x00411001, "UT", b"X" * 70_000)],
        [encoded(0x00411001, "UT", b"\1" * 30_000)],
    ],
    ids=["elements", "bytes", "JSON"],
)
def test_nothing_is_kept_of_what_is_large(more: list[bytes]) -> None:
    for number in range(1, 5):
        made = elements(EXPLICIT_LITTLE_UID, number)
        made[-2:-2] = more
        data = instance(EXPLICIT_LITTLE_UID, number, made)
        assert not fits(data)
        assert result(data) == fresh(data)
    assert not dicom_json._SAMPLES._recent


@pytest.mark.parametrize("uid", [EXPLICIT_LITTLE_UID, IMPLICIT_LITTLE_UID])
@pytest.mark.parametrize(
    ("tag", "vr", "value"),
    [
        (0x00200013, "IS", b""),
        (0x00200013, "IS", b"\\ "),
        (0x00200013, "IS", b"+1\\x"),
        (0x00080018, "UI", b"1.2.3.4.99 "),
        (0x00080033, "TM", b"\xe9"),
        (0x00081140, "SQ", b""),
        (0x00091002, "OB", bytes(2000)),
        (0x00420010, "ST", b"\\"),
        (0x00420010, "ST", bytes(9)),
        (0x00420010, "ST", b"A " * 4000),
    ],
)
def test_the_value_in_a_hole_may_be_any(uid: str, tag: int, vr: str, value: bytes) -> None:
    learn(uid, extra=EXTRA)
    made = elements(uid, 9)
    made[[tag for tag, _, _ in ELEMENTS].index(tag)] = element(uid, tag, vr, value)
    data = instance(uid, 9, made)
    assert fits(data, EXTRA) is (len(value) < 4096)
    assert result(data, EXTRA) == fresh(data, EXTRA)


@pytest.mark.parametrize("uid", [EXPLICIT_LITTLE_UID, IMPLICIT_LITTLE_UID])
def test_an_indexed_sequence_may_vary(uid: str) -> None:
    at = [tag for tag, _, _ in ELEMENTS].index(0x00400275)
    for number in range(1, 12):
        made = elements(uid, number)
        made[at] = element(uid, 0x00400275, "SQ", b"%d " % number)
        if number == 9:
            made[at] = sequence(0x00400275, vr="SQ" if uid == EXPLICIT_LITTLE_UID else "")
        data = instance(uid, number, made)
        assert fits(data) is (number > 1)
        assert result(data) == fresh(data)


def test_the_document_is_left_to_bulk_data_whatever_its_vr() -> None:
    for number in range(1, 12):
        made = elements(EXPLICIT_LITTLE_UID, number)
        made.insert(-1, encoded(0x00420011, "LO", b"%d " % number))
        data = instance(EXPLICIT_LITTLE_UID, number, made)
        assert not fits(data)
        assert result(data) == fresh(data)


def test_the_file_meta_information_is_compared_as_well() -> None:
    learn(EXPLICIT_LITTLE_UID)
    data = instance(EXPLICIT_LITTLE_UID, 9)
    meta = encoded(0x00020003, "UI", b"1.2.3.4.9\0")
    assert fits(data)
    other = data.replace(meta, encoded(0x00020010, "UI", IMPLICIT_LITTLE_UID.encode() + b"\0"))
    assert result(data.replace(meta, b"")) == fresh(data.replace(meta, b""))
    for changed in (other, data[:131] + b"X" + data[132:], data[1:], b""):
        assert not fits(changed)
        assert result(changed) == fresh(changed)


def test_there_are_only_so_many_holes() -> None:
    for number in range(1, 12):
        made = elements(EXPLICIT_LITTLE_UID, number)
        made[-2:-2] = [encoded(0x00411010 + n, "LO", b"%04d" % number) for n in range(70)]
        data = instance(EXPLICIT_LITTLE_UID, number, made)
        assert not fits(data)
        assert result(data) == fresh(data)


# What becomes of an element: (its bytes, some number, some bytes) to what stands in its place.
def _with_value(made: bytes, number: int, raw: bytes) -> bytes:
    return made[:6] + struct.pack("<H", len(raw)) + raw


def _with_length(made: bytes, number: int, raw: bytes) -> bytes:
    return made[:6] + struct.pack("<H", number & 0xFFFF) + made[8:]


def _of_undefined_length(made: bytes, number: int, raw: bytes) -> bytes:
    return made[:4] + b"SQ\0\0" + struct.pack("<I", UNDEFINED) + raw + encoded(0xFFFEE0DD, "")


def _with_vr(made: bytes, number: int, raw: bytes) -> bytes:
    vr = sorted(LONG | {"LO", "PN", "US", "IS", "FD", "  ", "??", "ZZ"})[number % 21]
    return made[:4] + vr.encode() + made[6:]


CHANGES = [
    _with_value,
    _with_length,
    _of_undefined_length,
    _with_vr,
    lambda made, number, raw: b"",
    lambda made, number, raw: made + made,
    lambda made, number, raw: made + encoded(int.from_bytes(made[:2], "little") << 16 | number & 0xFFFF, "LO", raw),
    lambda made, number, raw: made + sequence(0x00081199, item(raw, defined=False), defined=bool(number & 1)),
    lambda made, number, raw: made + bytes(number % 20),
    lambda made, number, raw: made[: number % (len(made) + 1)] + raw + made[number % (len(made) + 1) :],
    lambda made, number, raw: made[: number % (len(made) + 1)],
]
VARYING = [at for at, (_, _, value) in enumerate(ELEMENTS) if b"%d" in value]


@st.composite
def changed(draw: st.DrawFn, uid: str, number: int) -> bytes:
    """An instance like the others, more or less."""
    made = elements(uid, number)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.sampled_from(VARYING) | st.integers(0, len(made) - 1))
        change = draw(st.sampled_from(CHANGES))
        made[at] = change(made[at], draw(st.integers(0, 70000)), draw(st.binary(max_size=40)))
    if draw(st.integers(0, 5)) == 0:
        at = draw(st.integers(0, len(made) - 1))
        made.insert(draw(st.integers(0, len(made) - 1)), made.pop(at))
    data = instance(uid, draw(st.sampled_from([number, number * 1000])), made)
    if draw(st.integers(0, 5)) == 0:
        data = data[: draw(st.integers(0, len(data)))]
    return data


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_stencils_change_nothing(data: st.DataObject) -> None:
    uid = data.draw(st.sampled_from(ENCODINGS))
    extra = data.draw(st.sampled_from([NO_TAGS, EXTRA]))
    with nothing_known():
        learn(uid, data.draw(st.integers(0, 7)), extra)
        for number in range(data.draw(st.integers(1, 8))):
            one = data.draw(changed(uid, number))
            assert result(one, extra) == fresh(one, extra)
