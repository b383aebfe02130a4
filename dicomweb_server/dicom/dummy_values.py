"""Dummy values: what stands where a value must not stay but an attribute must, valid for each VR (PS3.15 §E.1)."""

from dicomweb_server.dicom.edit_rules import Site
from dicomweb_server.dicom.value_field import padded

_TEXT = b"ANONYMIZED"
# The same for everybody, so that they tell nothing.
_DUMMIES = {
    "AE": b"ANON",
    "AS": b"000Y",
    "CS": b"ANONYMIZED",
    "DA": b"19000101",
    "DS": b"0",
    "DT": b"19000101000000",
    "IS": b"0",
    "LO": _TEXT,
    "LT": _TEXT,
    "PN": b"Anonymized",
    "SH": _TEXT,
    "ST": _TEXT,
    "TM": b"000000",
    "UC": _TEXT,
    "UI": b"2.25.0",
    "UR": b"urn:anonymized",
    "UT": _TEXT,
}
_SIZES = {"AT": 4, "FD": 8, "FL": 4, "SL": 4, "SS": 2, "SV": 8, "UL": 4, "US": 2, "UV": 8, "OF": 4, "OD": 8, "OL": 4}
# Enumerated values are to be such of the standard (PS3.3 §C.12.1).
_SPECIAL = {0x04000565: b"COERCE"}
_DOCUMENT = 0x00420011
_PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>endobj\nxref\n0 4\n0000000000 65535 f \n"
    b"0000000009 00000 n \n0000000052 00000 n \n0000000101 00000 n \ntrailer<</Size 4/Root 1 0 R>>\n"
    b"startxref\n164\n%%EOF"
)


def dummy(tag: int, vr: str) -> bytes:
    """A value of a VR that says nothing."""
    raw = _SPECIAL.get(tag) or _DUMMIES.get(vr)
    if raw is None:
        raw = bytes(_SIZES.get(vr, 2))
    return padded(raw, vr)


def dummy_change(raw: bytes, tag: int, vr: str, site: Site) -> bytes:
    """The change of a value to a dummy; an empty document stays the kind of document it was."""
    if tag == _DOCUMENT:
        return padded(_PDF if raw.startswith(b"%PDF") else b"\0\0", "OB")
    return dummy(tag, site.known_vr(tag, vr))
