"""Pseudonyms: new UIDs, patient identifiers and shifts of dates, derived from a secret and what they stand for.

The same secret gives the same answers, so that a job that is run again repeats itself exactly, and studies of one
patient stay together. Without the secret nothing leads back.
"""

from collections.abc import Mapping
from hashlib import blake2b, sha256
from uuid import UUID

_REMEMBERED = 1 << 16
_WELL_KNOWN = "1.2.840.10008."  # registered by DICOM: SOP classes, transfer syntaxes, well-known instances
_SHORTEST_SHIFT, _SHIFTS = 30, 3650  # days into the past


class Pseudonyms:
    """What the secret of one job makes of the identifiers it meets."""

    def __init__(self, secret: bytes, given: Mapping[str, str] | None = None) -> None:
        """`given`: UIDs whose successors are chosen already."""
        self._secret = sha256(secret).digest()
        self._given = dict(given or {})
        self._uids: dict[str, str] = {}
        self._uuids: dict[tuple[str, str], UUID] = {}

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
        return str(self._held("patient", old))

    def patient_name(self, old: str) -> str:
        """What the patient is called from now on; other patients get other names."""
        return f"Anonymized^{self._held('name', old).hex[:10].upper()}"

    def days(self, patient_id: str) -> int:
        """By how many days the dates of a patient are shifted: some weeks to ten years back, always the same."""
        return -(_SHORTEST_SHIFT + self._held("days", patient_id).int % _SHIFTS)

    def _held(self, purpose: str, text: str) -> UUID:
        """Of a patient: asked for with every instance."""
        found = self._uuids.get((purpose, text))
        if found is None:
            found = self._uuid(purpose, text)
            if len(self._uuids) < _REMEMBERED:
                self._uuids[purpose, text] = found
        return found

    def _uuid(self, purpose: str, text: str) -> UUID:
        # PS3.5 §B.2 wants a UUID; version 8 of RFC 9562 is the one for bits of our own making.
        message = f"{purpose}\0{text}".encode("utf-8", "surrogatepass")
        digest = bytearray(blake2b(message, digest_size=16, key=self._secret).digest())
        digest[6] = digest[6] & 0x0F | 0x80
        digest[8] = digest[8] & 0x3F | 0x80
        return UUID(bytes=bytes(digest))
