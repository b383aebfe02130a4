"""What a DICOMDIR says of each patient, study, series and instance: types of records and their keys (PS3.3 annex F)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Document = Mapping[str, Any]
"""DICOM JSON: attributes by tag."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The attributes of a type of record. `required`: with what stands where the instance has no value."""

    required: Mapping[str, str]
    empty: tuple[str, ...] = ()  # there, perhaps without a value (type 2)
    present: tuple[str, ...] = ()  # there if the instance has them (type 1C and 3)
    extended: tuple[str, ...] = ()  # likewise, in an extended directory only


_DATE, _TIME = "19000101", "000000"
_CONTENT = {"00080023": _DATE, "00080033": _TIME}
_NUMBER = {"00200013": "1"}
_LABEL = {"00700080": "UNKNOWN"}
_NAMED = ("00700081", "00700084")  # Content Description, Content Creator's Name
_CONCEPT, _CONTENT_SEQUENCE = "0040A043", "0040A730"
_IDENTIFIED = Keys({**_CONTENT, **_NUMBER, **_LABEL}, _NAMED)

PATIENT = Keys({"00100020": "UNKNOWN"}, ("00100010",), extended=("00100030", "00100040"))
STUDY = Keys(
    {"00080020": _DATE, "00080030": _TIME, "0020000D": "", "00200010": "1"},
    ("00080050", "00081030"),
    extended=("00080090", "00080080", "00101010"),
)
SERIES = Keys(
    {"00080060": "OT", "0020000E": "", "00200011": "1"},
    extended=(
        *("00080021", "00080031", "00080070", "00081010", "0008103E", "00081050", "00081070", "00180015", "00181030"),
        *("00200060", "00400244", "00400245", "00400254"),
    ),
)
_IMAGE = Keys(
    _NUMBER,
    extended=(
        *("00080008", "00080023", "00080033", "00180050", "00180088", "00200032", "00200037", "00200052", "00201041"),
        *("00204000", "00280008", "00280010", "00280011", "00280030", "00281050", "00281051"),
    ),
)
_BY_TYPE: Mapping[str, Keys] = {
    "IMAGE": _IMAGE,
    "RT DOSE": Keys({**_NUMBER, "3004000A": "PLAN"}, present=("30040006",)),
    "RT STRUCTURE SET": Keys({**_NUMBER, "30060002": "UNKNOWN"}, ("30060008", "30060009")),
    "RT PLAN": Keys({**_NUMBER, "300A0002": "UNKNOWN"}, ("300A0006", "300A0007")),
    "RT TREAT RECORD": Keys(_NUMBER, ("30080250", "30080251")),
    "PRESENTATION": Keys(
        {**_NUMBER, **_LABEL, "00700082": _DATE, "00700083": _TIME}, _NAMED, present=("00081115", "00700402")
    ),
    "WAVEFORM": Keys({**_NUMBER, **_CONTENT}),
    "SR DOCUMENT": Keys(
        {**_NUMBER, **_CONTENT, "0040A491": "PARTIAL", "0040A493": "UNVERIFIED"},
        present=("0040A030", _CONCEPT, _CONTENT_SEQUENCE),
    ),
    "KEY OBJECT DOC": Keys({**_NUMBER, **_CONTENT}, present=(_CONCEPT, _CONTENT_SEQUENCE)),
    "SPECTROSCOPY": Keys(
        {**_NUMBER, **_CONTENT, "00280008": "1", "00280010": "1", "00280011": "1", "00289001": "1", "00289002": "1"},
        present=("00080008", "00089092"),
    ),
    "RAW DATA": Keys({**_NUMBER, **_CONTENT}),
    "REGISTRATION": _IDENTIFIED,
    "FIDUCIAL": _IDENTIFIED,
    "ENCAP DOC": Keys({**_NUMBER, "00420012": "application/pdf"}, ("00080023", "00080033", "00420010", _CONCEPT)),
    "VALUE MAP": _IDENTIFIED,
    "STEREOMETRIC": _IDENTIFIED,
    "PLAN": Keys({}),
    "MEASUREMENT": _IDENTIFIED,
    "SURFACE": _IDENTIFIED,
    "SURFACE SCAN": Keys({**_NUMBER, **_CONTENT}),
    "TRACT": _IDENTIFIED,
    "ASSESSMENT": Keys({**_NUMBER, "00080012": _DATE}, ("00080013",)),
    "RADIOTHERAPY": Keys(_NUMBER, _NAMED, present=("30100033", "30100034")),
    "ANNOTATION": _IDENTIFIED,
}

_ROOT = "1.2.840.10008.5.1.4."
# The types of instances that are no images, by SOP class below the root of storage classes, or by how that begins.
_TYPE_OF_CLASS: Mapping[str, str] = {
    "1.1.481.1": "IMAGE",
    "1.1.481.2": "RT DOSE",
    "1.1.481.3": "RT STRUCTURE SET",
    "1.1.481.5": "RT PLAN",
    "1.1.481.8": "RT PLAN",
    "34.7": "RT PLAN",
    "1.1.481.4": "RT TREAT RECORD",
    "1.1.481.6": "RT TREAT RECORD",
    "1.1.481.7": "RT TREAT RECORD",
    "1.1.481.9": "RT TREAT RECORD",
    "34.10": "RT TREAT RECORD",
    "1.1.88.59": "KEY OBJECT DOC",
    "1.1.4.2": "SPECTROSCOPY",
    "1.1.66": "RAW DATA",
    "1.1.66.1": "REGISTRATION",
    "1.1.66.3": "REGISTRATION",
    "1.1.66.2": "FIDUCIAL",
    "1.1.66.5": "SURFACE",
    "1.1.66.6": "TRACT",
    "1.1.67": "VALUE MAP",
    "1.1.68.1": "SURFACE SCAN",
    "1.1.68.2": "SURFACE SCAN",
    "1.1.77.1.5.3": "STEREOMETRIC",
    "1.1.78.6": "SR DOCUMENT",
    "1.1.80.1": "MEASUREMENT",
    "1.1.131": "PRESENTATION",
    "1.1.90.1": "ASSESSMENT",
    "1.1.91.1": "ANNOTATION",
    "34.1": "PLAN",
}
_TYPE_OF_FAMILY: Mapping[str, str] = {
    "1.1.11.": "PRESENTATION",
    "1.1.9.100.": "PRESENTATION",
    "1.1.9.": "WAVEFORM",
    "1.1.88.": "SR DOCUMENT",
    "1.1.104.": "ENCAP DOC",
    "1.1.78.": "MEASUREMENT",
    "1.1.79.": "SR DOCUMENT",
    "1.1.481.1": "RADIOTHERAPY",  # .10 and following: second generation
}


def record_type(sop_class_uid: str) -> str:
    """The type of the record of an instance; IMAGE for what is not known."""
    if not sop_class_uid.startswith(_ROOT):
        return "IMAGE"
    short = sop_class_uid.removeprefix(_ROOT)
    if short in _TYPE_OF_CLASS:
        return _TYPE_OF_CLASS[short]
    return next((type_ for begin, type_ in _TYPE_OF_FAMILY.items() if short.startswith(begin)), "IMAGE")


def keys_of(type_: str) -> Keys:
    """The keys of records of instances."""
    return _BY_TYPE[type_]
