"""DICOM JSON to the Native DICOM Model and back (PS3.19 A.1), for dicom+xml.

Reads no DTD, no entity of its own and no external document; depth and number of elements are bounded.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from dicomweb_server.dicom.dictionary import keyword_of, public_entry
from dicomweb_server.dicom.elements import VR_BYTES
from dicomweb_server.dicom.encoding import MAX_DEPTH
from dicomweb_server.errors import Reason, ServerError

NAMESPACE = "http://dicom.nema.org/PS3.19/models/NativeDICOM"
MAX_XML_ELEMENTS = 2_000_000

_MAX_XML_DEPTH = 2 * MAX_DEPTH + 4  # a sequence is two elements deep; a person's name needs four below the root
_PERSON_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_NAME_COMPONENTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
_KINDS_OF_VALUE = {"PN": "PersonName", "SQ": "Item"}
_VRS = {vr: f'"{vr}"' for vr in VR_BYTES}
_INTEGER_VRS = frozenset({"IS", "SL", "SS", "SV", "UL", "US", "UV"})
_FLOAT_VRS = frozenset({"FD", "FL"})
_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity", "infinity": "Infinity", "-infinity": "-Infinity"}
_TAG = re.compile(r"[0-9A-Fa-f]{8}\Z")
_INTEGER = re.compile(r"[+-]?[0-9]{1,20}\Z")
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TO_BE_ESCAPED = re.compile("[^\t\n\x20-\x25\x27-\x3b\x3d\x3f-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CARRIAGE_RETURN = {"\r": "&#13;"}  # a bare one would be read back as a line feed (XML 1.0 section 2.11)

JsonObject = dict[str, Any]


def to_xml(document: Mapping[str, Any]) -> bytes:
    """The Native DICOM Model of one DICOM JSON object, as a UTF-8 document."""
    out = [f'<?xml version="1.0" encoding="UTF-8"?>\n<NativeDicomModel xmlns="{NAMESPACE}" xml:space="preserve">']
    _write_attributes(document, out)
    out.append("</NativeDicomModel>\n")
    return "".join(out).encode("utf-8")


def _write_attributes(document: Mapping[str, Any], out: list[str]) -> None:
    creators = _private_creators(document)
    for tag in sorted(document):
        attribute = document[tag]
        vr = attribute["vr"]
        creator = creators.get(tag[:6]) if tag[4:6] != "00" else None
        out.append(f"<DicomAttribute {_identity(tag, creator)} vr={_VRS.get(vr) or _quoted(vr)}>")
        _write_value(vr, attribute, out)
        out.append("</DicomAttribute>")


def _identity(tag: str, creator: str | None) -> str:
    """The tag and keyword; for a private element its creator, and 00 for the number of its block (PS3.19 A.1.5.2)."""
    if creator is not None:
        return f'tag="{tag[:4]}00{tag[6:]}" privateCreator={creator}'
    keyword = keyword_of(int(tag, 16))
    return f'tag="{tag}" keyword="{keyword}"' if keyword else f'tag="{tag}"'


def _private_creators(document: Mapping[str, Any]) -> dict[str, str]:
    """The creator of each private block, in quotes, by the first six digits of its elements' tags."""
    creators: dict[str, str] = {}
    for tag, attribute in document.items():
        if int(tag[:4], 16) % 2 and tag[4:6] == "00" and tag[6:] >= "10":
            values = attribute.get("Value")
            if values and isinstance(values[0], str) and values[0]:
                creators[tag[:4] + tag[6:]] = _quoted(values[0])
    return creators


def _write_value(vr: str, attribute: Mapping[str, Any], out: list[str]) -> None:
    if "BulkDataURI" in attribute:
        out.append(f"<BulkData uri={_quoted(attribute['BulkDataURI'])}/>")
    elif "InlineBinary" in attribute:
        out.append(f"<InlineBinary>{_text(attribute['InlineBinary'])}</InlineBinary>")
    elif vr == "SQ":
        for number, item in enumerate(attribute.get("Value", ()), 1):
            out.append(f'<Item number="{number}">')
            _write_attributes(item or {}, out)
            out.append("</Item>")
    elif vr == "PN":
        for number, name in enumerate(attribute.get("Value", ()), 1):
            _write_person_name(number, name or {}, out)
    else:
        for number, value in enumerate(attribute.get("Value", ()), 1):
            out.append(f'<Value number="{number}">{"" if value is None else _text(value)}</Value>')


def _write_person_name(number: int, name: Mapping[str, str], out: list[str]) -> None:
    out.append(f'<PersonName number="{number}">')
    for group in _PERSON_GROUPS:
        if group in name:
            components = name[group].split("^", len(_NAME_COMPONENTS) - 1)
            out.append(f"<{group}>")
            out += [f"<{k}>{_text(v)}</{k}>" for k, v in zip(_NAME_COMPONENTS, components, strict=False) if v]
            out.append(f"</{group}>")
    out.append("</PersonName>")


def _text(value: object) -> str:
    """Character data; what XML 1.0 has no notation for (control characters, lone surrogates) becomes U+FFFD."""
    text = value if isinstance(value, str) else repr(value)
    if not _TO_BE_ESCAPED.search(text):
        return text
    return escape(_NOT_IN_XML.sub("\ufffd", text), _CARRIAGE_RETURN)


def _quoted(value: str) -> str:
    return quoteattr(_NOT_IN_XML.sub("\ufffd", value))


@dataclass(slots=True)
class _Open:
    """An element whose end has not been read: its name, and what its children became."""

    name: str
    attributes: dict[str, str]
    children: list[tuple[str, int | None, Any]] = field(default_factory=list)
    text: list[str] = field(default_factory=list)


def from_xml(document: bytes) -> JsonObject:
    """The DICOM JSON object of a Native DICOM Model document; ServerError(BAD_REQUEST) if it is not one."""
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(document, True)  # noqa: FBT003  (expat takes it by position only)
    except expat.ExpatError as error:
        raise _malformed(f"not well-formed XML ({error})") from None
    except (LookupError, ValueError):
        raise _malformed("the encoding that the XML declaration names is not known") from None
    return reader.result


def _refuse_doctype(*_: object) -> None:
    raise _malformed("a document type declaration is not allowed")


def _malformed(detail: str) -> ServerError:
    return ServerError(Reason.BAD_REQUEST, f"Native DICOM Model: {detail}")


class _Reader:
    """Turns each element into its JSON value as it ends, so that no tree of the document is ever held."""

    def __init__(self) -> None:
        self.result: JsonObject = {}
        self._open: list[_Open] = [_Open("", {})]
        self._count = 0

    def start(self, qualified_name: str, attributes: dict[str, str]) -> None:
        namespace, _, name = qualified_name.rpartition(" ")
        parent = self._open[-1].name
        if namespace not in ("", NAMESPACE) or parent not in _PARENTS.get(name, ()):
            raise _malformed(f"<{name[:64]}> is not expected in <{parent or 'the document'}>")
        self._count += 1
        if len(self._open) > _MAX_XML_DEPTH or self._count > MAX_XML_ELEMENTS:
            raise ServerError(Reason.TOO_LARGE, "Native DICOM Model: nested too deeply, or too many elements")
        self._open.append(_Open(name, attributes))

    def characters(self, text: str) -> None:
        if self._open[-1].name in _TEXT_ELEMENTS:
            self._open[-1].text.append(text)
        elif text.strip():
            raise _malformed(f"text is not expected in <{self._open[-1].name}>")

    def end(self, _: str) -> None:
        node = self._open.pop()
        value = _CONVERT[node.name](node)
        if node.name == "NativeDicomModel":
            self.result = value
        self._open[-1].children.append((node.name, _number(node), value))


def _number(node: _Open) -> int | None:
    text = node.attributes.get("number")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise _malformed(f"the number of <{node.name}> is not a positive integer")
    return int(text)


def _read_text(node: _Open) -> str:
    return "".join(node.text)


def _read_name_group(node: _Open) -> str:
    components = {name: value for name, _, value in node.children}
    return "^".join(components.get(name, "") for name in _NAME_COMPONENTS).rstrip("^")


def _read_person_name(node: _Open) -> dict[str, str] | None:
    return {group: text for group, _, text in node.children if text} or None


def _read_bulk_data(node: _Open) -> str:
    uri = node.attributes.get("uri")
    if not uri:
        raise _malformed("<BulkData> needs a uri")
    return uri


def _read_attribute(node: _Open) -> tuple[str, str | None, JsonObject]:
    """(tag, private creator, JSON attribute) of one DicomAttribute."""
    tag = node.attributes.get("tag", "")
    if not _TAG.match(tag):
        raise _malformed("the tag of a DicomAttribute is not eight hexadecimal digits")
    vr = node.attributes.get("vr") or _dictionary_vr(tag)
    attribute: JsonObject = {"vr": vr}
    kinds = {name for name, _, _ in node.children}
    if len(kinds) > 1 or (len(node.children) > 1 and kinds & {"BulkData", "InlineBinary"}):
        raise _malformed(f"attribute {tag} has values of more than one kind")
    if kinds == {"BulkData"}:
        attribute["BulkDataURI"] = node.children[0][2]
    elif kinds == {"InlineBinary"}:
        attribute["InlineBinary"] = node.children[0][2]
    elif kinds:
        expected = _KINDS_OF_VALUE.get(vr, "Value")
        if kinds != {expected}:
            raise _malformed(f"attribute {tag} of VR {vr[:8]} has values that are not of kind <{expected}>")
        attribute["Value"] = [_value(vr, value) for value in _numbered(node, tag)]
    return tag.upper(), node.attributes.get("privateCreator"), attribute


def _dictionary_vr(tag: str) -> str:
    entry = public_entry(int(tag, 16))
    return entry[0][:2] if entry else "UN"  # the first of "US or SS", "OB or OW"


def _numbered(node: _Open, tag: str) -> list[Any]:
    """The values in the order of their numbers; the numbers must count from 1 (PS3.19 table A.1.5-2)."""
    for position, (_, number, _) in enumerate(node.children, 1):
        if number is not None and number != position:
            raise _malformed(f"the values of attribute {tag} are not numbered 1, 2, 3 …")
    return [value for _, _, value in node.children]


def _value(vr: str, value: Any) -> Any:
    """Text as the JSON type of its VR (PS3.18 table F.2.3-1); text that is no such number stays, `compose` names it."""
    if not isinstance(value, str):
        return value
    if not value:
        return None
    if vr in _INTEGER_VRS and _INTEGER.match(value.strip()):
        return int(value)
    return _float(value) if vr in _FLOAT_VRS else value


def _float(text: str) -> float | str:
    """A finite number; infinities and NaN under the names that JSON has for them here (`values`)."""
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else _NOT_FINITE.get(text.strip().lower(), text)


def _read_data_set(node: _Open) -> JsonObject:
    document: JsonObject = {}
    private: list[tuple[str, str, JsonObject]] = []
    for _, _, (tag, creator, attribute) in node.children:
        if creator is not None and int(tag[:4], 16) % 2:
            private.append((tag, creator, attribute))
        elif tag in document:
            raise _malformed(f"attribute {tag} is there twice")
        else:
            document[tag] = attribute
    for tag, creator, attribute in private:
        document[_place_private(document, tag, creator)] = attribute
    return dict(sorted(document.items()))


def _place_private(document: JsonObject, tag: str, creator: str) -> str:
    """The full tag of a private element: in the block that `creator` has in this data set, or in a new one."""
    group, element = tag[:4], tag[6:]
    free = None
    for block in range(0x10, 0x100):
        owner = document.get(f"{group}00{block:02X}")
        full = f"{group}{block:02X}{element}"
        if owner is None:
            free = free or block
        elif owner.get("Value") == [creator] and full not in document:
            return full
    if free is None:
        raise _malformed(f"there are more private blocks in group {group} than fit")
    document[f"{group}00{free:02X}"] = {"vr": "LO", "Value": [creator]}
    return f"{group}{free:02X}{element}"


_CONVERT: dict[str, Callable[[_Open], Any]] = {
    "NativeDicomModel": _read_data_set,
    "Item": _read_data_set,
    "DicomAttribute": _read_attribute,
    "Value": _read_text,
    "InlineBinary": _read_text,
    "BulkData": _read_bulk_data,
    "PersonName": _read_person_name,
    **dict.fromkeys(_PERSON_GROUPS, _read_name_group),
    **dict.fromkeys(_NAME_COMPONENTS, _read_text),
}
_TEXT_ELEMENTS = frozenset({"Value", "InlineBinary", *_NAME_COMPONENTS})
_PARENTS: dict[str, tuple[str, ...]] = {
    "NativeDicomModel": ("",),
    "DicomAttribute": ("NativeDicomModel", "Item"),
    **dict.fromkeys(("Value", "InlineBinary", "BulkData", "PersonName", "Item"), ("DicomAttribute",)),
    **dict.fromkeys(_PERSON_GROUPS, ("PersonName",)),
    **dict.fromkeys(_NAME_COMPONENTS, _PERSON_GROUPS),
}
