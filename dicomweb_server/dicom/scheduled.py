"""PURE: what is said where in the DICOM JSON of a worklist item (PS3.4 table K.6-1) and of a performed step."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dicomweb_server.dicom.comparable import comparable

Document = Mapping[str, Any]
# What a worklist is often asked for by one value: the name of a column → where the attribute is, and its VR.
KEYS: Mapping[str, tuple[tuple[int, ...], str]] = {
    "patient_id": ((0x00100020,), "LO"),
    "accession_number": ((0x00080050,), "SH"),
    "modality": ((0x00400100, 0x00080060), "CS"),
    "station": ((0x00400100, 0x00400001), "AE"),
}

SCHEDULED_STEP_SEQUENCE = "00400100"
SCHEDULED_STEP_ID = "00400009"
SCHEDULED_STEP_STATUS = "00400020"
STATION_AE_TITLE = "00400001"
STUDY_INSTANCE_UID = "0020000D"
SCHEDULED_STEP_ATTRIBUTES = "00400270"  # of a performed step: which scheduled ones it belongs to
PERFORMED_STEP_STATUS = "00400252"
_START_DATE, _START_TIME = "00400002", "00400003"


def text_of(document: Document, tag: str) -> str:
    """The first value of an attribute as text, "" if it has none."""
    values = document.get(tag, {}).get("Value")
    return str(values[0]).strip() if values and values[0] is not None else ""


def items_of(document: Document, tag: str) -> Sequence[Document]:
    """The items of a sequence; none if the attribute is encoded as something else."""
    return [item for item in document.get(tag, {}).get("Value") or () if isinstance(item, dict)]


def step_of(document: Document) -> Document:
    """The item of the Scheduled Procedure Step Sequence: there is one in each worklist item."""
    return next(iter(items_of(document, SCHEDULED_STEP_SEQUENCE)), {})


def start_of(document: Document) -> tuple[str, str]:
    """Start date and time of the scheduled step, in forms that compare as text."""
    step = step_of(document)
    return comparable("DA", text_of(step, _START_DATE)), comparable("TM", text_of(step, _START_TIME))


def key_values(document: Document) -> dict[str, str | None]:
    """The values of `KEYS` in the form in which they are compared; None where there is not exactly one."""
    found: dict[str, str | None] = {}
    for name, (path, vr) in KEYS.items():
        *above, tag = path
        inner = step_of(document) if above else document
        values = inner.get(f"{tag:08X}", {}).get("Value") or ()
        found[name] = comparable(vr, text) if len(values) == 1 and (text := text_of(inner, f"{tag:08X}")) else None
    return found


def study_uid_of(document: Document) -> str:
    """The Study Instance UID that was foreseen for the images."""
    return text_of(document, STUDY_INSTANCE_UID)


def with_status(document: Document, status: str) -> dict[str, Any]:
    """The same worklist item, its step in a status."""
    steps = [
        {**step, SCHEDULED_STEP_STATUS: {"vr": "CS", "Value": [status]}}
        for step in items_of(document, SCHEDULED_STEP_SEQUENCE)
    ]
    return {**document, SCHEDULED_STEP_SEQUENCE: {"vr": "SQ", "Value": steps}}


def scheduled_references(document: Document) -> Iterator[tuple[str, str]]:
    """Study Instance UID and scheduled step ID of the steps that a performed one belongs to; some may be empty."""
    for item in items_of(document, SCHEDULED_STEP_ATTRIBUTES):
        yield text_of(item, STUDY_INSTANCE_UID), text_of(item, SCHEDULED_STEP_ID)
