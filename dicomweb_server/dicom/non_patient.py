"""PURE: instances that belong to no patient (PS3.4 annex GG): their categories, and what one says of itself."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from dicomweb_server.dicom.attribute_json import PLACE_OF_URL
from dicomweb_server.dicom.dicom_json import read_json
from dicomweb_server.dicom.header import open_part10
from dicomweb_server.dicom.instance import PLACE_OF_ROOT
from dicomweb_server.dicom.query import Include
from dicomweb_server.dicom.selection import selected
from dicomweb_server.dicom.uids import require_uid

# The resources of PS3.18 table 12.1.1-1, and their storage SOP classes (PS3.4 table GG.3-1).
CATEGORIES: Mapping[str, frozenset[str]] = {
    "color-palettes": frozenset({"1.2.840.10008.5.1.4.39.1"}),
    "defined-procedure-protocols": frozenset({"1.2.840.10008.5.1.4.1.1.200.1", "1.2.840.10008.5.1.4.1.1.200.7"}),
    "hanging-protocols": frozenset({"1.2.840.10008.5.1.4.38.1"}),
    "implant-templates": frozenset(f"1.2.840.10008.5.1.4.{number}.1" for number in (43, 44, 45)),
    "inventories": frozenset({"1.2.840.10008.5.1.4.1.1.201.1"}),
}

CATEGORY_OF: Mapping[str, str] = {
    **{uid: category for category, uids in CATEGORIES.items() for uid in uids},
    "1.2.840.10008.5.1.4.1.1.200.3": "protocol-approvals",  # which have no resource there
}
"""By storage SOP class."""

# Sequences of the information models that are answered without being asked for (PS3.4 annexes U, X, BB, HH): who and
# what it is for, what it replaces. Other attributes are if they have no items and are no bulk data.
_SEQUENCES = frozenset(
    {
        "00081115", "0018990C", "00189906", "00680000", "00686222", "00686224", "00686225", "00700087", "0072000C",
        "0072000E", "00720102", "00760008", "0076000C", "00760020", "00780026", "00780028",
    }
)  # fmt: skip
_BINARY = ("BulkDataURI", "InlineBinary")


class NonPatientRecord(NamedTuple):
    """`metadata`: as of any instance (`record.ParsedInstance`)."""

    instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    metadata: bytes


def parse_non_patient(data: bytes, category: str) -> NonPatientRecord:
    """What a Part 10 file says of itself; ServerError if it cannot be stored."""
    header = open_part10(data)
    metadata, reading = read_json(header)
    instance_uid = require_uid(reading.values.get("instance_uid", ""), "SOPInstanceUID (0008,0018)")
    sop_class_uid = require_uid(reading.values.get("sop_class_uid", ""), "SOPClassUID (0008,0016)")
    url = f"{PLACE_OF_ROOT}/{category}/{instance_uid}/bulkdata/".encode("ascii")
    return NonPatientRecord(
        instance_uid, sop_class_uid, header.transfer_syntax_uid, metadata.replace(PLACE_OF_URL, url)
    )


def described(document: Mapping[str, Any], wanted: list[Include]) -> dict[str, Any]:
    """What a search answers of an instance: what tells it from others, and what was asked for."""
    found = {tag: attribute for tag, attribute in document.items() if _is_described(tag, attribute)}
    return dict(sorted((found | selected(document, wanted)).items()))


def _is_described(tag: str, attribute: Mapping[str, Any]) -> bool:
    return tag in _SEQUENCES if attribute["vr"] == "SQ" else not any(name in attribute for name in _BINARY)
