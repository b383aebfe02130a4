"""Settings → what DIMSE may store at the start."""

from dicomweb_server.dicom.uid_patterns import UidPatterns
from dicomweb_server.dicom.uids import TRANSFER_SYNTAXES
from dicomweb_server.services.acceptance import Acceptance
from dicomweb_server.settings import Settings


def acceptance(settings: Settings) -> Acceptance:
    """Patterns that name nothing that can be stored are no restriction."""
    patterns = UidPatterns(settings.accepted_transfer_syntaxes)
    return Acceptance(settings.unknown_sop_classes, frozenset(uid for uid in TRANSFER_SYNTAXES if uid in patterns))
