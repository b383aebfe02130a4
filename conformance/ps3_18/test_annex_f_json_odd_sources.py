"""PS3.18 Annex F: odd data sets give valid JSON, or are refused; never a broken document."""

import json
import struct

import pytest

from conformance.requirement import requires
from conformance.samples import element, raw_identity, raw_part10, read, text
from conformance.service import JSON, Service, values

DELIMITER = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
ITEM_END = struct.pack("<HHI", 0xFFFE, 0xE00D, 0)


def item(content: bytes, *, undefined: bool = False) -> bytes:
    length = 0xFFFFFFFF if undefined else len(content)
    return struct.pack("<HHI", 0xFFFE, 0xE000, length) + content + (ITEM_END if undefined else b"")


def sequence(tag: int, items: bytes, *, undefined: bool = False) -> bytes:
    if undefined:
        return element(tag, b"SQ", items + DELIMITER, 0xFFFFFFFF)
    return element(tag, b"SQ", items)


CODE = text(0x00080100, b"SH", "CODE")
ODD = {
    "a tag twice": [text(0x00081030, b"LO", "one"), text(0x00081030, b"LO", "two")],
    "tags out of order": [text(0x00081030, b"LO", "late"), text(0x00080020, b"DA", "20210314")],
    "an unknown vr": [element(0x00081030, b"ZZ", b"abcd")],
    "a group length": [element(0x00080000, b"UL", struct.pack("<I", 4)), text(0x00081030, b"LO", "x")],
    "a wrong vr": [element(0x00280010, b"LO", b"12")],
    "rows of no number": [element(0x00280010, b"US", b"")],
    "an odd length": [element(0x00081030, b"LO", b"odd")],
    "an integer string that is none": [text(0x00200013, b"IS", "one")],
    "a decimal string that is none": [text(0x00101030, b"DS", "heavy")],
    "a decimal string of infinity": [text(0x00101030, b"DS", "1e999")],
    "a decimal string of nan": [text(0x00101030, b"DS", "NaN")],
    "an integer string too long": [text(0x00200013, b"IS", "9" * 40)],
    "a date that is none": [text(0x00080020, b"DA", "99991332")],
    "a private element without creator": [text(0x00111001, b"LO", "orphan")],
    "an unknown public tag": [text(0x00081999, b"LO", "unknown")],
    "a sequence of undefined length": [sequence(0x00081032, item(CODE, undefined=True), undefined=True)],
    "a sequence of defined length": [sequence(0x00081032, item(CODE) + item(CODE))],
    "a mixture of both": [sequence(0x00081032, item(CODE) + item(CODE, undefined=True), undefined=True)],
    "a sequence nested ten times": [],
    "un of undefined length": [
        element(0x00081032, b"UN", item(struct.pack("<HHI", 0x0008, 0x0100, 4) + b"CODE") + DELIMITER, 0xFFFFFFFF)
    ],
    "a float half": [element(0x00720074, b"FD", b"\0\0\0\0")],
}
nested = sequence(0x00081032, item(CODE))
for _ in range(9):
    nested = sequence(0x00081032, item(nested, undefined=True), undefined=True)
ODD["a sequence nested ten times"] = [nested]


def source(extra: list[bytes]) -> bytes:
    head = list(raw_identity().values())
    return raw_part10([*head[:4], *extra, *head[4:]])


@requires("PS3.18 §F.2", "B")
@pytest.mark.parametrize("name", list(ODD))
def test_an_odd_data_set_is_refused_or_gives_valid_json(service: Service, name: str) -> None:
    data = source(ODD[name])
    response = service.store(data)
    if response.status_code != 200:
        assert response.status_code in (202, 400, 409)
        return
    study = read(data).StudyInstanceUID
    found = service.get(f"/studies/{study}/metadata", accept=JSON)
    assert (found.status_code, len(json.loads(found.text, parse_constant=lambda token: 1 / 0))) == (200, 1)


@requires("PS3.18 §F.2", "B")
@pytest.mark.parametrize("name", list(ODD))
def test_an_odd_data_set_can_be_searched(service: Service, name: str) -> None:
    data = source(ODD[name])
    stored = service.store(data).status_code == 200
    found = service.search("/instances", {"StudyInstanceUID": str(read(data).StudyInstanceUID), "includefield": "all"})
    assert len(found) == int(stored)


@requires("PS3.18 §F.2.4")
@pytest.mark.parametrize(
    "name",
    ["a sequence of undefined length", "a sequence of defined length", "a mixture of both", "un of undefined length"],
)
def test_every_encoding_of_a_sequence_has_the_same_json(service: Service, name: str) -> None:
    data = source(ODD[name])
    service.store(data)
    metadata = service.metadata(f"/studies/{read(data).StudyInstanceUID}")[0]
    assert values(values(metadata, "00081032")[0], "00080100") == ["CODE"]
