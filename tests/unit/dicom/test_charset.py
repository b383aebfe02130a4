import pytest

from dicomweb_server.dicom.charset import charset_of


@pytest.mark.parametrize(
    ("label", "raw", "text"),
    [
        ("ISO_IR 100", "Buc^Jérôme".encode("latin-1"), "Buc^Jérôme"),
        ("ISO_IR 101", "Wałęsa".encode("iso8859-2"), "Wałęsa"),
        ("ISO_IR 109", "Ĉapelo".encode("iso8859-3"), "Ĉapelo"),
        ("ISO_IR 110", "Rīga".encode("iso8859-4"), "Rīga"),
        ("ISO_IR 144", "Люкceмбypг".encode("iso8859-5"), "Люкceмбypг"),
        ("ISO_IR 127", "قباني^لنزار".encode("iso8859-6"), "قباني^لنزار"),
        ("ISO_IR 126", "Διονυσιος".encode("iso8859-7"), "Διονυσιος"),
        ("ISO_IR 138", "שרון^דבורה".encode("iso8859-8"), "שרון^דבורה"),
        ("ISO_IR 148", "Çavuşoğlu".encode("iso8859-9"), "Çavuşoğlu"),
        ("ISO_IR 203", "Œuvre €".encode("iso8859-15"), "Œuvre €"),
        ("ISO_IR 166", "นามสกุล".encode("iso8859-11"), "นามสกุล"),
        ("ISO_IR 13", b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3", "ﾔﾏﾀﾞ^ﾀﾛｳ"),
        ("ISO_IR 192", "Wang^小东".encode(), "Wang^小东"),
        ("GB18030", "Wang^小东\U00020000".encode("gb18030"), "Wang^小东\U00020000"),
        ("GBK", "Wang^小东".encode("gbk"), "Wang^小东"),
    ],
)
def test_one_set(label: str, raw: bytes, text: str) -> None:
    assert charset_of(label.encode()).decode(raw) == text
    assert charset_of(label.encode() + b" ").decode_name(raw) == text


# PS3.5 annexes H, I, J and K.
@pytest.mark.parametrize(
    ("label", "raw", "text"),
    [
        (
            "\\ISO 2022 IR 87",
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
            "Yamada^Tarou=山田^太郎=やまだ^たろう",
        ),
        (
            "ISO 2022 IR 13\\ISO 2022 IR 87",
            b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
            "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
        ),
        (
            "\\ISO 2022 IR 149",
            b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
            "Hong^Gildong=洪^吉洞=홍^길동",
        ),
        (
            "\\ISO 2022 IR 58",
            b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab",
            "Zhang^XiaoDong=张^小东",
        ),
        ("\\ISO 2022 IR 159", b"\x1b$(D0!\x1b(B ok", "丂 ok"),
        ("ISO 2022 IR 100\\ISO 2022 IR 144", b"\xe9 \x1b-L\xdb\x1b-A\xe9", "é лé"),
        ("ISO 2022 IR 6\\ISO 2022 IR 126", b"a\x1b-F\xe1", "aα"),
        ("ISO 2022 IR 6\\ISO 2022 IR 13", b"\x1b)I\xd4\xcf", "ﾔﾏ"),
        ("ISO 2022 IR 6\\ISO 2022 IR 166", b"\x1b-T\xb9", "น"),
        ("ISO 2022 IR 6\\ISO 2022 IR 203", b"\x1b-b\xa4", "€"),
    ],
)
def test_code_extensions(label: str, raw: bytes, text: str) -> None:
    assert charset_of(label.encode()).decode_name(raw) == text


def test_a_delimiter_brings_the_first_set_back() -> None:
    korean = charset_of(b"ISO 2022 IR 100\\ISO 2022 IR 149")
    assert korean.decode(b"\x1b$)C\xb1\xe6\\\xe9") == "길\\é"
    assert korean.decode(b"\x1b$)C\xb1\xe6\r\n\xe9") == "길\r\né"
    assert korean.decode_name(b"\x1b$)C\xb1\xe6^\xe9") == "길^é"
    assert korean.decode_name(b"\x1b$)C\xb1\xe6=\xe9") == "길=é"
    japanese = charset_of(b"\\ISO 2022 IR 87")
    assert japanese.decode(b"\x1b$B;3\nabc") == "山\nabc"


@pytest.mark.parametrize(
    ("label", "raw"),
    [
        ("GB18030", b"\x81\\\\\x81\\"),
        ("GBK", b"\x81\\\\\x81\\"),
        ("ISO_IR 13", "表\\ソ".encode("shift_jis")),
        ("\\ISO 2022 IR 87", b"\x1b$B%\\\x1b(B\\\x1b$B%\\\x1b(B"),
    ],
)
def test_a_trail_byte_5c_is_no_delimiter(label: str, raw: bytes) -> None:
    assert raw.count(b"\\") == 3
    assert charset_of(label.encode()).decode(raw).count("\\") == 1


@pytest.mark.parametrize(
    "label", ["ISO_IR_100", "ISO IR 100", "ISO-IR 100", "iso_ir 100", "ISOIR100", " ISO_IR 100 ", "ISO 2022 IR 100"]
)
def test_labels_are_read_generously(label: str) -> None:
    assert charset_of(label.encode()).decode(b"\xe9") == "é"


@pytest.mark.parametrize(
    "label", [b"", b"ISO_IR 6", b"ISO_IR 999", b"nonsense", b"\xff\xfe", b"ISO_IR 6\\\\ISO_IR 999"]
)
def test_without_a_set_bytes_are_utf8_or_latin1(label: bytes) -> None:
    charset = charset_of(label)
    assert charset.decode("é小".encode()) == "é小"
    assert charset.decode(b"\xe9t\xe9") == "été"
    assert charset.decode(b"plain") == "plain"


@pytest.mark.parametrize("label", ["UTF-8", "utf8", "ISO_IR 192"])
def test_utf8_has_several_names(label: str) -> None:
    assert charset_of(label.encode()).decode("小".encode()) == "小"


@pytest.mark.parametrize(
    ("label", "raw", "text"),
    [
        ("ISO_IR 192", b"a\xe9b", "a\ufffdb"),
        ("GB18030", b"a\xff", "a\ufffd"),
        ("ISO_IR 127", b"a\xff", "a\ufffd"),
        ("\\ISO 2022 IR 87", b"\x1b$B\x7f\x7f", "\x7f\x7f"),
        ("\\ISO 2022 IR 149", b"\x1b$)C\xff", "\ufffd"),
        ("\\ISO 2022 IR 149", b"\xb1\xe6\xb5\xbf", "길동"),  # no escape
        ("ISO 2022 IR 149", b"\x1b$)C\xb1\xe6", "길"),  # alone, so in the wrong place
        ("\\ISO 2022 IR 87", b"\x1bXYZ", "\x1bXYZ"),  # no escape sequence that DICOM knows
        ("\\ISO 2022 IR 87", b"\x1b$", "\x1b$"),
    ],
)
def test_what_cannot_be_decoded_is_replaced(label: str, raw: bytes, text: str) -> None:
    assert charset_of(label.encode()).decode(raw) == text


def test_any_bytes_decode_to_text_that_utf8_can_write() -> None:
    every = bytes(range(256)) * 2
    for label in (b"", b"ISO_IR 13", b"ISO_IR 192", b"GB18030", b"\\ISO 2022 IR 87\\ISO 2022 IR 149\\ISO 2022 IR 58"):
        assert charset_of(label).decode(every).encode("utf-8")
        assert charset_of(label).decode_name(every).encode("utf-8")


def test_sets_that_decode_alike_are_equal() -> None:
    assert charset_of(b"ISO_IR 100") == charset_of(b"ISO_IR 100 ") == charset_of(b"ISO 2022 IR 100")
    assert charset_of(b"ISO_IR 100") != charset_of(b"ISO_IR 101")
