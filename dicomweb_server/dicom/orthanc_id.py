"""Orthanc's identifiers: SHA-1 of the DICOM identifiers down to a resource, joined by "|", in five groups of digits."""

import re
from hashlib import sha1

_NAMELESS = "\x1f"
_FORM = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{8}){4}")
_SIZE = 8


def digest_of(identity: str, *uids: str) -> bytes:
    """The digest of a patient (without UIDs), study, series or instance.

    `identity`: the Patient ID, or for want of one U+001F and the patient's name: to studies of such patients and what
    is below them the Patient ID is empty, as it is to Orthanc; the patients themselves must differ.
    """
    patient_id = "" if uids and identity.startswith(_NAMELESS) else identity
    return sha1("|".join((patient_id, *uids)).encode("utf-8", "replace"), usedforsecurity=False).digest()


def orthanc_id(identity: str, *uids: str) -> str:
    """The identifier itself."""
    return text_of(digest_of(identity, *uids))


def text_of(digest: bytes) -> str:
    """A digest as it is written."""
    return digest.hex("-", -4)


def parse(text: str) -> bytes | None:
    """The digest of an identifier; None if it is none."""
    return bytes.fromhex(text.replace("-", "")) if _FORM.fullmatch(text) else None


def prefix(digest: bytes) -> int:
    """The first 64 bits as a signed number, as an index can keep them."""
    return int.from_bytes(digest[:_SIZE], "big", signed=True)


def prefix_of(identity: str, *uids: str) -> int:
    """The prefix of a resource."""
    return prefix(digest_of(identity, *uids))
