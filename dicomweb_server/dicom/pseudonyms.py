"""Pseudonyms: new UIDs, patient identifiers and shifts of dates, derived from a secret and what they stand for.

The same secret gives the same answers, so that a job that is run again repeats itself exactly, and studies of one
patient stay together. Without the secret nothing leads back.
"""

import hmac
from collections.abc import Mapping
from uuid import UUID

_REMEMBERED = 1 << 16
_WELL_KNOWN = "1.2.840.10008."  # registered by DICOM: SOP classes, transfer syntaxes, well-known instances
_SHORTEST_SHIFT, _SHIFTS = 30, 3650  # days into the past


class Pseudonyms:
    """What the secret of one job makes of the identifiers it meets."""

    def __init__(self, secret: bytes, given: Mapping[str, str] | None = None) -> None:
        """`given`: UIDs whose successors are chosen already."""
        self._secret = secret
        self._given = dict(given or {})
        self._uids: dict[str, str] = {}

    def uid(self, old: str) -> str:
        """The UID that takes the place of another one; well-known ones stay."""
        new = self._given.get(old) or self._uids.get(old)
        if new is None:
            new = old if not old or old.startswith(_WELL_KNOWN) else f"2.25.{self._uuid('uid', old).int}"
            if len(self._uids) < _REMEMBERED:
                self._uids[old] = new
        return new

    def patient_id(self, old: str) -> str:
        """The identifier of a patient from now on."""
        return str(self._uuid("patient", old))

    def patient_name(self, old: str) -> str:
        """What the patient is called from now on; other patients get other names."""
        return f"Anonymized^{self._uuid('name', old).hex[:10].upper()}"

    def days(self, patient_id: str) -> int:
        """By how many days the dates of a patient are shifted: some weeks to ten years back, always the same."""
        return -(_SHORTEST_SHIFT + self._uuid("days", patient_id).int % _SHIFTS)

    def _uuid(self, purpose: str, text: str) -> UUID:
        # PS3.5 §B.2 wants a UUID; version 8 of RFC 9562 is the one for bits of our own making.
        digest = bytearray(hmac.digest(self._secret, f"{purpose}\0{text}".encode(), "sha256")[:16])
        digest[6] = digest[6] & 0x0F | 0x80
        digest[8] = digest[8] & 0x3F | 0x80
        return UUID(bytes=bytes(digest))
