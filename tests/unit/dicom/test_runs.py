from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomweb_server.dicom import dicom_json, reading
from dicomweb_server.dicom.dicom_json import read_json
from dicomweb_server.dicom.header import open_dataset, open_part10
from dicomweb_server.dicom.memo import Memo
from dicomweb_server.dicom.runs import NO_RUNS, Template, Templates, first_template, learn, series_of
from dicomweb_server.errors import ServerError
from tests.builders import make_instance
from tests.encoded import EXPLICIT_BIG_UID, EXPLICIT_LITTLE_UID, IMPLICIT_LITTLE_UID, encoded, item, sequence

Result = tuple[bytes, dict[str, str], dict[int, bytes], object] | str

ENCODINGS = {EXPLICIT_LITTLE_UID: "<", IMPLICIT_LITTLE_UID: "<", EXPLICIT_BIG_UID: ">"}


def result_of(data: bytes, uid: str) -> Result:
    try:
        metadata, found = read_json(open_dataset(data, uid))
    except ServerError as error:
        return error.detail
    return metadata, found.values, found.layout, found.pixel_data


@pytest.fixture
def afresh(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes, str], Result]:
    """Reads a data set as if it were the first."""

    def read(data: bytes, uid: str) -> Result:
        with monkeypatch.context() as patch:
            patch.setattr(dicom_json, "_TEMPLATES", Templates())
            patch.setattr(reading, "_MEMO", Memo(1 << 20))
            return result_of(data, uid)

    return read


# What an instance of the series may have: (tag, VR, values to choose from); SQ has one item with a name.
CHOICES: list[tuple[int, str, list[bytes]]] = [
    (0x00080005, "CS", [b"ISO_IR 100", b"ISO_IR 144", b"ISO_IR 192"]),
    (0x00080008, "CS", [b"ORIGINAL\\PRIMARY "]),
    (0x00080018, "UI", [b"1.2.3.4.%d\0" % number for number in range(10)]),
    (0x00080060, "CS", [b"CT"]),
    (0x00080080, "LO", [b"\xe9\xe9"]),
    (0x00081140, "SQ", [b"\xe9\xe9", b"A^B "]),
    (0x00090010, "LO", [b"GEMS_IDEN_01", b"other "]),
    (0x00091001, "LO", [b"one ", b"two "]),
    (0x00091004, "SH", [b"x "]),
    (0x00100010, "PN", [b"\xe9^B ", b"A^B "]),
    (0x00180050, "DS", [b"1.0 "]),
    (0x00189810, "US", [b"\xff\xff"]),
    (0x0020000D, "UI", [b"1.2.3\0"]),
    (0x0020000E, "UI", [b"1.2.3.4\0"]),
    (0x00200013, "IS", [b"%d " % number for number in range(10)]),
    (0x00280010, "US", [b"\1\0", b"\2\0"]),
    (0x00280103, "US", [b"\0\0", b"\1\0"]),
    (0x00280106, "US", [b"\xff\xff"]),
    (0x00283006, "OW", [bytes(2000), b"\1" * 2000]),
    (0x7FE00010, "OW", [b"12", b"34"]),
]


@st.composite
def series(draw: st.DrawFn) -> tuple[str, list[bytes]]:
    """Instances that mostly agree: now and then one lacks something, says it otherwise, twice, or in another order."""
    uid = draw(st.sampled_from(sorted(ENCODINGS)))
    usual = [draw(st.sampled_from(values)) for _, _, values in CHOICES]
    instances = []
    for _ in range(draw(st.integers(3, 14))):
        elements = []
        for (tag, vr, values), value in zip(CHOICES, usual, strict=True):
            change = draw(st.integers(0, 30))
            if change == 0:
                continue
            chosen = draw(st.sampled_from(values)) if change < 4 or tag in (0x00080018, 0x00200013) else value
            elements.extend([_element(uid, tag, vr, chosen)] * (2 if change == 30 else 1))
        if elements and draw(st.integers(0, 9)) == 0:
            at = draw(st.integers(0, len(elements) - 1))
            elements.append(elements.pop(at))
        instances.append(b"".join(elements))
    return uid, instances


def _element(uid: str, tag: int, vr: str, value: bytes) -> bytes:
    order = ENCODINGS[uid]
    explicit = uid != IMPLICIT_LITTLE_UID
    if vr == "SQ":
        name = encoded(0x00100010, "PN" if explicit else "", value, order=order)
        return sequence(tag, item(name, order=order), vr="SQ" if explicit else "", order=order)
    return encoded(tag, vr if explicit else "", value, order=order)


@settings(max_examples=150, deadline=None)
@given(series())
def test_what_was_learnt_changes_nothing(made: tuple[str, list[bytes]]) -> None:
    uid, instances = made
    with pytest.MonkeyPatch.context() as patch:
        expected = []
        for data in instances:
            patch.setattr(dicom_json, "_TEMPLATES", Templates())
            patch.setattr(reading, "_MEMO", Memo(1 << 20))
            expected.append(result_of(data, uid))
        patch.setattr(dicom_json, "_TEMPLATES", Templates())
        patch.setattr(reading, "_MEMO", Memo(1 << 13))  # small, so that generations change as well
        for _ in range(2):
            assert [result_of(data, uid) for data in instances] == expected


def learnt(data: list[bytes]) -> Template:
    """The template after some instances."""
    template = None
    for one in data:
        header = open_part10(one)
        if template is None:
            template = first_template(header)
        else:
            template = learn(template, header, reading.start_reading(header, frozenset(), NO_RUNS).read_run)
    assert template is not None
    return template


def instances(count: int, **attributes: object) -> list[bytes]:
    return [
        make_instance(
            StudyInstanceUID="1.2.3",
            SeriesInstanceUID="1.2.3.4",
            SOPInstanceUID=f"1.2.3.4.{number}",
            InstanceNumber=number,
            PixelData=None,
            SOPClassUID="1.2.3",
            **attributes,  # type: ignore[arg-type]
        )
        for number in range(1, count + 1)
    ]


def test_runs_are_what_lies_between_the_elements_that_vary() -> None:
    template = learnt(instances(4))
    assert template.varying == {0x00080018, 0x00200013}
    assert sorted(template.runs) == [0x00080005, 0x00080020, 0x00280002]
    first = template.runs[0x00080005]
    assert first.last_tag == 0x00080016
    assert first.values == {"sop_class_uid": "1.2.3"}
    assert first.json.startswith(b'"00080005":{"vr":"CS","Value":["ISO_IR 192"]},"00080016":')
    assert first.conditions.charset.key == "ascii"
    assert first.conditions_behind.charset.key == "latin-1"
    assert template.runs[0x00280002].layout[0x00280010] == b"\x08\0"


def test_a_lesson_waits_until_the_series_is_worth_it() -> None:
    assert learnt(instances(3)).runs == {}
    assert learnt(instances(4)).runs


def test_a_template_does_not_learn_for_ever() -> None:
    assert learnt(instances(50)).lessons == 10


def test_large_headers_are_not_kept() -> None:
    (data,) = instances(1, EncapsulatedDocument=bytes(1 << 17))
    assert first_template(open_part10(data)) is None


@pytest.mark.parametrize("cut", range(1, 20))
def test_the_series_is_looked_for_safely(cut: int) -> None:
    tail = encoded(0x0020000E, "UI", b"1.2.3.4\0")
    header = open_dataset(encoded(0x00080060, "CS", b"CT") + tail[:-cut], EXPLICIT_LITTLE_UID)
    series_of(header)
    whole = open_dataset(encoded(0x00080060, "CS", b"CT") + tail, EXPLICIT_LITTLE_UID)
    assert series_of(whole) == tail


def test_few_series_are_remembered() -> None:
    templates = Templates()
    for number in range(1000):
        templates.put(b"%d" % number, Template(b""))
    assert templates.get(b"999") is not None
    assert templates.get(b"0") is None
    assert len(templates._recent) + len(templates._older) <= 200


def test_elements_out_of_order_are_sorted_although_runs_are_known(afresh: Callable[[bytes, str], Result]) -> None:
    head = encoded(0x00080060, "CS", b"CT") + encoded(0x00100020, "LO", b"1 ")
    tail = encoded(0x0020000E, "UI", b"1.2.3.4\0") + encoded(0x00280010, "US", b"\1\0")
    for _ in range(6):
        result_of(head + tail, EXPLICIT_LITTLE_UID)
    late = head + tail + encoded(0x00080070, "LO", b"X ")
    assert result_of(late, EXPLICIT_LITTLE_UID) == afresh(late, EXPLICIT_LITTLE_UID)
    twice = head + tail + head
    assert result_of(twice, EXPLICIT_LITTLE_UID) == afresh(twice, EXPLICIT_LITTLE_UID)
