"""PURE: matches of a search (DICOM JSON) → identifiers of C-FIND responses (PS3.4 §C.4.1.1.3.2), their bytes.

The hot path of large answers: what is the same in all of them is encoded once, text in ASCII is not decoded twice.
"""

from binascii import a2b_base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import orjson

from dicomweb_server.dicom.element_head import element_head, implicit_head, item_head
from dicomweb_server.dicom.uids import IMPLICIT_VR_LITTLE_ENDIAN
from dicomweb_server.dicom.value_field import padded, value_field
from dicomweb_server.dimse.identifiers import CHARACTER_SET, RequestKey
from dicomweb_server.errors import ServerError

Attributes = dict[str, Any]
Head = Callable[[int, str, int], bytes]

_UTF_8 = "ISO_IR 192"
# Character sets that a response is written in if the request was; names in several component groups, in code
# extensions, or in characters that these have not, are answered in UTF-8.
_CODECS = {
    "ISO_IR 100": "latin-1",
    "ISO_IR 101": "iso8859-2",
    "ISO_IR 109": "iso8859-3",
    "ISO_IR 110": "iso8859-4",
    "ISO_IR 144": "iso8859-5",
    "ISO_IR 127": "iso8859-6",
    "ISO_IR 126": "iso8859-7",
    "ISO_IR 138": "iso8859-8",
    "ISO_IR 148": "iso8859-9",
    "ISO_IR 203": "iso8859-15",
    "ISO_IR 166": "iso8859-11",
    "GB18030": "gb18030",
    _UTF_8: "utf-8",
}
_TEXT_VRS = frozenset(("AE", "AS", "CS", "DA", "DT", "LO", "LT", "SH", "ST", "TM", "UC", "UI", "UR", "UT"))
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


class AnswerEncoder:
    """Encodes the answers to one identifier."""

    def __init__(
        self,
        keys: Sequence[RequestKey],
        constants: dict[int, tuple[str, str]],
        transfer_syntax_uid: str,
        character_set: str = "",
        web_root: str = "",
        change: Callable[[Attributes], Attributes] | None = None,
    ) -> None:
        """`constants`: elements that all answers have, tag → (VR, text), or instead of a key; `change`: of a match."""
        self._change = change
        self._web_root = web_root.encode("ascii")  # of the Retrieve URLs in matches
        self._head = _head(transfer_syntax_uid)
        self._label = character_set if character_set in _CODECS else _UTF_8
        fixed = {
            tag: self._element(tag, vr, padded(text.encode("latin-1"), vr)) for tag, (vr, text) in constants.items()
        }
        wanted: dict[int, bytes | RequestKey] = {key.tag: key for key in keys if key.tag != CHARACTER_SET}
        # In the order of their tags, each either bytes or a key; the name that the JSON has for it is made once.
        self._plan = [(f"{tag:08X}", each, self._empty(tag, each)) for tag, each in sorted((wanted | fixed).items())]
        self._before = [entry for entry in self._plan if int(entry[0], 16) < CHARACTER_SET]
        self._after = [entry for entry in self._plan if int(entry[0], 16) > CHARACTER_SET]

    def encode(self, match: bytes) -> bytes:
        """The identifier that answers with one match."""
        attributes: Attributes = orjson.loads(match.replace(b"\1", self._web_root))
        if self._change is not None:
            attributes = self._change(attributes)
        if match.isascii():
            return b"".join(self._elements(self._plan, attributes, "ascii"))
        label = self._label
        try:
            elements = self._elements(self._after, attributes, _CODECS[label])
        except UnicodeEncodeError:
            label = _UTF_8
            elements = self._elements(self._after, attributes, _CODECS[label])
        charset = self._element(CHARACTER_SET, "CS", padded(label.encode("ascii"), "CS"))
        return b"".join((*self._elements(self._before, attributes, "ascii"), charset, *elements))

    def _elements(
        self, plan: Sequence[tuple[str, bytes | RequestKey, bytes]], attributes: Attributes, codec: str
    ) -> list[bytes]:
        found = []
        for name, key, empty in plan:
            if isinstance(key, bytes):
                found.append(key)
                continue
            attribute = attributes.get(name) if key.private_creator is None else _private(attributes, key)
            found.append(empty if attribute is None else self._attribute(key, attribute, codec))
        return found

    def _attribute(self, key: RequestKey, attribute: Attributes, codec: str) -> bytes:
        vr = attribute["vr"]
        values = attribute.get("Value")
        if not values:
            inline = attribute.get("InlineBinary")
            return self._element(key.tag, vr, padded(a2b_base64(inline), vr) if inline else b"")
        if vr == "SQ":
            return self._element(key.tag, vr, b"".join([self._item(key, item, codec) for item in values]))
        return self._element(key.tag, vr, _value(vr, values, codec))

    def _item(self, key: RequestKey, item: Attributes, codec: str) -> bytes:
        wanted = key.items or tuple(RequestKey(int(tag, 16), each["vr"], "") for tag, each in item.items())
        plan = [(f"{inner.tag:08X}", inner, self._empty(inner.tag, inner)) for inner in wanted]
        content = b"".join(self._elements(plan, item, codec))
        return item_head(len(content)) + content

    def _empty(self, tag: int, key: bytes | RequestKey) -> bytes:
        return b"" if isinstance(key, bytes) else self._element(tag, key.vr, b"")

    def _element(self, tag: int, vr: str, content: bytes) -> bytes:
        return self._head(tag, vr, len(content)) + content


def attribute_list(document: Mapping[str, Any], transfer_syntax_uid: str, tags: Iterable[int] = ()) -> bytes:
    """The data set of a normalized operation: these attributes of a DICOM JSON object, all if none are named."""
    wanted = [f"{tag:08X}" for tag in tags] or document
    keys = [RequestKey(int(tag, 16), document[tag]["vr"], "") for tag in wanted if tag in document]
    return AnswerEncoder(keys, {}, transfer_syntax_uid).encode(orjson.dumps(document))


def failed_list(instance_uids: Iterable[str], transfer_syntax_uid: str) -> bytes:
    """The identifier of a final response to C-MOVE or C-GET: Failed SOP Instance UID List (0008,0058)."""
    content = padded("\\".join(instance_uids).encode("ascii"), "UI")
    return _head(transfer_syntax_uid)(0x00080058, "UI", len(content)) + content


def _head(transfer_syntax_uid: str) -> Head:
    return implicit_head if transfer_syntax_uid == IMPLICIT_VR_LITTLE_ENDIAN else element_head


def _value(vr: str, values: Sequence[Any], codec: str) -> bytes:
    if vr in _TEXT_VRS:
        text = values[0] if len(values) == 1 else "\\".join([value or "" for value in values])
        return padded((text or "").encode(codec), vr)
    if vr == "PN":
        names = "\\".join([_name(value) for value in values])
        return padded(names.encode(codec), vr)
    try:
        return value_field(vr, values, vr)
    except ServerError:  # a value that its VR does not allow was stored as it came
        return padded("\\".join([str(value) for value in values if value is not None]).encode(codec, "replace"), vr)


def _name(value: dict[str, str] | None) -> str:
    if not value:
        return ""
    return "=".join([value.get(group, "") for group in _GROUPS]).rstrip("=")


def _private(attributes: Attributes, key: RequestKey) -> Attributes | None:
    """The attribute of a private creator, in whatever block it has there (PS3.5 §7.8.1)."""
    group = f"{key.tag >> 16:04X}00"
    for name, attribute in attributes.items():
        if name.startswith(group) and attribute.get("Value") == [key.private_creator]:
            found: Attributes | None = attributes.get(f"{key.tag >> 16:04X}{name[6:]}{key.tag & 0xFF:02X}")
            return found
    return None
