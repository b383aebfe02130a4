"""Report: a structured report as a page or as plain text (PS3.3 §C.17.3, PS3.16). All text of the report is escaped."""

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from itertools import islice

from dicomweb_server.dicom.data_set import DataSet

_CONTENT, _NAME, _VALUE_TYPE, _RELATIONSHIP = 0x0040A730, 0x0040A043, 0x0040A040, 0x0040A010
_TEXT, _PERSON, _DATE, _TIME, _DATE_TIME, _UID = 0x0040A160, 0x0040A123, 0x0040A121, 0x0040A122, 0x0040A120, 0x0040A124
_CODE, _MEASURED, _NUMERIC, _UNITS = 0x0040A168, 0x0040A300, 0x0040A30A, 0x004008EA
_MEANING, _LONG_CODE, _CODE_VALUE = 0x00080104, 0x00080119, 0x00080100
_REFERENCED, _REFERENCED_INSTANCE, _REFERENCED_FRAME = 0x00081199, 0x00081155, 0x00081160
_PATIENT_NAME, _PATIENT_ID, _BIRTH_DATE, _SEX = 0x00100010, 0x00100020, 0x00100030, 0x00100040
_CONTENT_DATE, _COMPLETION, _VERIFICATION = 0x00080023, 0x0040A491, 0x0040A493
_GRAPHIC_TYPE = 0x00700023
_SIMPLE = {"TEXT": _TEXT, "PNAME": _PERSON, "DATE": _DATE, "TIME": _TIME, "DATETIME": _DATE_TIME, "UIDREF": _UID}
_MOST_ITEMS, _MOST_DEPTH = 20_000, 40

_STYLE = (
    "body{font:15px/1.5 sans-serif;max-width:52em;margin:2em auto;padding:0 1em;color:#1b1f23}"
    "h1{font-size:1.5em}table{border-collapse:collapse;margin:0 0 1.5em}"
    "td,th{padding:.15em 1em .15em 0;text-align:left}th{font-weight:normal;color:#667}"
    "ul{list-style:none;padding-left:1.2em;border-left:2px solid #e3e6ea}"
    "b{font-weight:600}p{margin:.2em 0;white-space:pre-wrap}"
)


@dataclass(frozen=True, slots=True)
class Line:
    """One content item: how deep it lies, what it is called and what it says."""

    depth: int
    name: str
    value: str


def is_report(data_set: DataSet) -> bool:
    """Whether an instance is a content tree, such as a structured report or a key object selection."""
    return data_set.text(_VALUE_TYPE) == "CONTAINER"


def report_title(data_set: DataSet) -> str:
    """What the root of the tree is called."""
    return _coded(data_set.item(_NAME)) or "Structured report"


def report_lines(data_set: DataSet) -> list[Line]:
    """The content items in their order, as many as a page can hold."""
    return list(islice(_lines(data_set, 0), _MOST_ITEMS))


def report_facts(data_set: DataSet) -> list[tuple[str, str]]:
    """Whose report it is, and whether it is complete."""
    facts = (
        ("Patient", data_set.text(_PATIENT_NAME).split("=")[0].replace("^", " ").strip()),
        ("Patient ID", data_set.text(_PATIENT_ID)),
        ("Birth date", data_set.text(_BIRTH_DATE)),
        ("Sex", data_set.text(_SEX)),
        ("Date", data_set.text(_CONTENT_DATE)),
        ("Status", ", ".join(filter(None, (data_set.text(_COMPLETION), data_set.text(_VERIFICATION))))),
    )
    return [(name, value) for name, value in facts if value]


def report_html(data_set: DataSet) -> str:
    """The report as a page without scripts."""
    title = escape(report_title(data_set))
    facts = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in report_facts(data_set)
    )
    parts = [
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head>\n<body><h1>{title}</h1>\n<table>{facts}</table>\n"
    ]
    depth = 0
    for line in report_lines(data_set):
        parts.append("<ul>" * (line.depth - depth) + "</ul>" * (depth - line.depth))
        depth = line.depth
        name = f"<b>{escape(line.name)}</b> " if line.name else ""
        parts.append(f"<li><p>{name}{escape(line.value)}</p></li>\n")
    parts.append("</ul>" * depth + "</body></html>\n")
    return "".join(parts)


def report_text(data_set: DataSet) -> str:
    """The same as text."""
    lines = [report_title(data_set), ""]
    lines += [f"{name}: {value}" for name, value in report_facts(data_set)] + [""]
    for line in report_lines(data_set):
        said = ": ".join(filter(None, (line.name, line.value)))
        lines.append("  " * (line.depth - 1) + said)
    return "\n".join(lines) + "\n"


def _lines(container: DataSet, depth: int) -> Iterator[Line]:
    if depth >= _MOST_DEPTH:
        return
    for item in container.items(_CONTENT):
        yield Line(depth + 1, _coded(item.item(_NAME)), _value(item))
        yield from _lines(item, depth + 1)


def _value(item: DataSet) -> str:
    kind = item.text(_VALUE_TYPE)
    if kind in _SIMPLE:
        return item.text(_SIMPLE[kind]).replace("^", " " if kind == "PNAME" else "^").replace("\r\n", "\n")
    if kind == "CODE":
        return _coded(item.item(_CODE))
    if kind == "NUM":
        return _measured(item)
    if kind in ("IMAGE", "COMPOSITE", "WAVEFORM"):
        return _reference(item, kind)
    if kind in ("SCOORD", "SCOORD3D"):
        return item.text(_GRAPHIC_TYPE).lower()
    return ""


def _measured(item: DataSet) -> str:
    measured = item.item(_MEASURED)
    if measured is None:
        return ""
    units = _coded(measured.item(_UNITS))
    unit = "" if units in ("no units", "unity") else units
    return " ".join(filter(None, (measured.text(_NUMERIC), unit)))


def _reference(item: DataSet, kind: str) -> str:
    referenced = item.item(_REFERENCED)
    if referenced is None:
        return kind.lower()
    frames = ", ".join(map(str, referenced.integers(_REFERENCED_FRAME)))
    return f"{kind.lower()} {referenced.text(_REFERENCED_INSTANCE)}" + (f", frame {frames}" if frames else "")


def _coded(code: DataSet | None) -> str:
    if code is None:
        return ""
    return code.text(_MEANING) or code.text(_CODE_VALUE) or code.text(_LONG_CODE)
