"""PS3.18 Annex F and PS3.5 §6.1: whatever the character set, JSON is UTF-8 with the right letters in it."""

import pytest

from conformance.requirement import requires
from conformance.samples import element, raw_identity, raw_part10, raw_path, text
from conformance.service import DicomJson, Service, value, values

NAME, DESCRIPTION, COMMENTS = 0x00100010, 0x00081030, 0x00104000


def stored(service: Service, character_set: str | None, elements: dict[int, tuple[bytes, bytes]]) -> DicomJson:
    """Metadata of an instance with these raw values: (VR, bytes) by tag."""
    found = raw_identity()
    if character_set is None:
        del found[0x00080005]
    else:
        found[0x00080005] = text(0x00080005, b"CS", character_set)
    for tag, (vr, content) in elements.items():
        found[tag] = element(tag, vr, content + b" " * (len(content) % 2))
    data = raw_part10([found[tag] for tag in sorted(found)])
    response = service.store(data)
    assert response.status_code == 200, response.text[:300]
    return service.metadata(raw_path(found))[0]


SINGLE = {
    "ISO_IR 100": ("latin-1", "Buc^Jérôme"),
    "ISO_IR 101": ("iso8859-2", "Wałęsa^Łukasz"),
    "ISO_IR 109": ("iso8859-3", "Ĉu^Ĝi"),
    "ISO_IR 110": ("iso8859-4", "Kalniņš^Jānis"),
    "ISO_IR 144": ("iso8859-5", "Люкceмбypг"),
    "ISO_IR 127": ("iso8859-6", "قباني^لنزار"),
    "ISO_IR 126": ("iso8859-7", "Διονυσιος"),
    "ISO_IR 138": ("iso8859-8", "שרון^דבורה"),
    "ISO_IR 148": ("iso8859-9", "Çavuşoğlu"),
    "ISO_IR 203": ("iso8859-15", "Œuvre^€"),
    "ISO_IR 166": ("tis-620", "นามสกุล"),
    "ISO_IR 13": ("shift_jis", "ﾔﾏﾀﾞ^ﾀﾛｳ"),
    "ISO_IR 192": ("utf-8", "Wang^XiaoDong=王^小东="),
    "GB18030": ("gb18030", "Wang^XiaoDong=王^小东="),
    "GBK": ("gbk", "Wang^XiaoDong=王^小东="),
    "ISO_IR 6": ("ascii", "Plain^Name"),
}


def groups(name: str) -> dict[str, str]:
    names = ("Alphabetic", "Ideographic", "Phonetic")
    return {key: group for key, group in zip(names, name.split("="), strict=False) if group}


@requires("PS3.3 §C.12.1.1.2")
@pytest.mark.parametrize("character_set", list(SINGLE))
def test_a_name_in_a_character_set_is_decoded(service: Service, character_set: str) -> None:
    codec, name = SINGLE[character_set]
    metadata = stored(service, character_set, {NAME: (b"PN", name.encode(codec))})
    assert value(metadata, "00100010") == groups(name)


EXTENDED = {
    "Japanese kanji": (
        "\\ISO 2022 IR 87",
        b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
        "Yamada^Tarou=山田^太郎=やまだ^たろう",
    ),
    "Japanese katakana": (
        "ISO 2022 IR 13\\ISO 2022 IR 87",
        b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
        "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
    ),
    "Korean": (
        "\\ISO 2022 IR 149",
        b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
        "Hong^Gildong=洪^吉洞=홍^길동",
    ),
    "Chinese": (
        "\\ISO 2022 IR 58",
        b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=",
        "Zhang^XiaoDong=张^小东",
    ),
    "Greek and Cyrillic": (
        "ISO 2022 IR 100\\ISO 2022 IR 144\\ISO 2022 IR 126",
        b"Dionysios=\x1b-L\xbb\xee\xda\x1b-F\xc4\xe9\xef",
        "Dionysios=Люк\u0394ιο",
    ),
}


@requires("PS3.3 §C.12.1.1.2")
@pytest.mark.parametrize("name", list(EXTENDED))
def test_a_name_with_code_extensions_is_decoded(service: Service, name: str) -> None:
    character_set, encoded, expected = EXTENDED[name]
    assert value(stored(service, character_set, {NAME: (b"PN", encoded)}), "00100010") == groups(expected)


@requires("PS3.5 §6.1.2.5")
@pytest.mark.parametrize("name", ["Japanese kanji", "Korean"])
def test_no_escape_sequence_is_left(service: Service, name: str) -> None:
    character_set, encoded, _ = EXTENDED[name]
    metadata = stored(service, character_set, {NAME: (b"PN", encoded), COMMENTS: (b"LT", encoded)})
    assert "\x1b" not in str(metadata)


@requires("PS3.18 §F.2")
@pytest.mark.parametrize("character_set", ["ISO_IR 100", "ISO_IR 13", "GB18030", "\\ISO 2022 IR 87"])
def test_json_names_no_other_character_set_than_utf_8(service: Service, character_set: str) -> None:
    metadata = stored(service, character_set, {DESCRIPTION: (b"LO", b"plain")})
    assert values(metadata, "00080005") in ([], ["ISO_IR 192"])


@requires("PS3.5 §6.1.2.5.3")
def test_a_trail_byte_like_a_backslash_does_not_split_gb18030(service: Service) -> None:
    assert "誠".encode("gb18030")[1:] == b"\\"
    metadata = stored(service, "GB18030", {0x00081080: (b"LO", "誠a\\b".encode("gb18030"))})
    assert values(metadata, "00081080") == ["誠a", "b"]


@requires("PS3.5 §6.1.2.3")
def test_a_yen_sign_is_the_delimiter_in_iso_ir_13(service: Service) -> None:
    metadata = stored(service, "ISO_IR 13", {0x00081080: (b"LO", b"\xb1\\\xb2")})
    assert values(metadata, "00081080") == ["ｱ", "ｲ"]


@requires("PS3.5 §6.1.2.5.3")
def test_code_extensions_end_with_a_value(service: Service) -> None:
    encoded = b"\x1b$B;3ED\x1b(B\\plain"
    metadata = stored(service, "\\ISO 2022 IR 87", {0x00081080: (b"LO", encoded)})
    assert values(metadata, "00081080") == ["山田", "plain"]


@requires("PS3.5 §6.1", "B")
@pytest.mark.parametrize(
    ("character_set", "encoded"),
    [
        ("ISO_IR 192", b"broken \xff\xfe utf-8"),
        ("ISO_IR 6", b"undeclared J\xe9r\xf4me"),
        (None, b"undeclared J\xe9r\xf4me"),
        ("NO SUCH SET", b"unknown J\xe9r\xf4me"),
        ("\\ISO 2022 IR 87", b"unknown escape \x1b$Zxx"),
        ("GB18030", b"half a character \x81"),
    ],
)
def test_what_cannot_be_decoded_is_served_all_the_same(
    service: Service, character_set: str | None, encoded: bytes
) -> None:
    metadata = stored(service, character_set, {DESCRIPTION: (b"LO", encoded)})
    assert str(value(metadata, "00081030"))[:4] == encoded[:4].decode()


@requires("PS3.5 §6.2")
@pytest.mark.parametrize(
    ("tag", "vr", "encoded", "expected"),
    [
        (0x00081030, b"LO", b"  both sides  ", "both sides"),
        (0x00100040, b"CS", b" F ", "F"),
        (0x00080090, b"PN", b"Name^One ", {"Alphabetic": "Name^One"}),
        (0x00104000, b"LT", b"  leading kept  ", "  leading kept"),
        (0x00080081, b"ST", b"  leading kept  ", "  leading kept"),
        (0x00081155, b"UI", b"1.2.3\0", "1.2.3"),
        (0x00200010, b"SH", b"pad\0", "pad"),
    ],
)
def test_padding_is_trimmed_as_the_vr_says(
    service: Service, tag: int, vr: bytes, encoded: bytes, expected: object
) -> None:
    assert value(stored(service, "ISO_IR 192", {tag: (vr, encoded)}), f"{tag:08X}") == expected


@requires("PS3.5 §6.2", "B")
@pytest.mark.parametrize("text_with_control", [b"a\0b", b"tab\there", b"bell\x07", b'quote" and \x1f'])
def test_control_characters_are_escaped(service: Service, text_with_control: bytes) -> None:
    assert value(stored(service, "ISO_IR 192", {COMMENTS: (b"LT", text_with_control)}), "00104000")
