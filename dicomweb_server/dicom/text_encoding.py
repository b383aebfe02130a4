"""Text encoding: Unicode to the character set of a data set, and text of one character set to another.

Only where nothing is lost: single-byte sets, UTF-8, GB18030 and GBK. What needs code extensions goes to UTF-8.
"""

from dicomweb_server.dicom.charset import Charset, charset_of
from dicomweb_server.dicom.value_field import padded

UTF8_LABEL = b"ISO_IR 192"
SPECIFIC_CHARACTER_SET = 0x00080005
# The VRs whose text is in the Specific Character Set (PS3.5 §6.1.2.3).
CHARSET_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})

_EXACT = frozenset({"ascii", "utf-8", "gb18030", "gbk", "latin-1"})


def encoded_text(text: str, charset: Charset) -> bytes | None:
    """The text in a character set; None if it cannot be said in it."""
    if text.isascii():
        return text.encode("ascii")
    codec = charset.key
    if codec not in _EXACT and not codec.startswith("iso8859"):
        return None
    try:
        return text.encode(codec)
    except UnicodeEncodeError:
        return None


def needs_reencoding(raw: bytes) -> bool:
    """Whether a value of ours in another character set would be other bytes: anything but plain ASCII."""
    return not raw.isascii() or b"\x1b" in raw


def reencoded(raw: bytes, vr: str, charset: Charset, target: Charset) -> bytes | None:
    """A value in another character set, padded; None if the target cannot say it."""
    text = (charset.decode_name if vr == "PN" else charset.decode)(raw)
    encoded = encoded_text(text.rstrip(" \0"), target)
    return None if encoded is None else padded(encoded, vr)


def charset_named(term: str) -> Charset | None:
    """The character set of a defined term, if text can be encoded in it here."""
    charset = charset_of(term.encode("ascii", "replace"))
    known = charset.key in _EXACT or charset.key.startswith("iso8859")
    return charset if known and "\\" not in term else None
