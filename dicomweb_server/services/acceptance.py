"""Acceptance: what DIMSE may store. Made of the settings; may be changed until the server stops."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dicomweb_server.dicom.uid_patterns import UidPatterns
from dicomweb_server.dicom.uids import TRANSFER_SYNTAXES
from dicomweb_server.errors import Reason, ServerError


@dataclass(slots=True)
class Acceptance:
    """Asked at each association. `syntaxes`: of instances, as UIDs; empty: all that can be stored."""

    unknown_sop_classes: bool = True
    syntaxes: frozenset[str] = frozenset()

    def transfer_syntaxes(self) -> Sequence[str]:
        """All of them, sorted."""
        return sorted(self.syntaxes or TRANSFER_SYNTAXES)

    def accept_only(self, patterns: Iterable[str]) -> None:
        """Those from now on; ServerError(BAD_REQUEST) for a UID, or pattern of UIDs, of none that can be stored."""
        chosen: set[str] = set()
        for pattern in patterns:
            found = {uid for uid in TRANSFER_SYNTAXES if uid in UidPatterns([pattern])}
            if not found:
                raise ServerError(Reason.BAD_REQUEST, f"{pattern[:64]!r} is no transfer syntax that can be stored")
            chosen |= found
        if not chosen:
            raise ServerError(Reason.BAD_REQUEST, "expected is at least one transfer syntax")
        self.syntaxes = frozenset(chosen)
