"""Settings → the conformance statement."""

from dicomweb_server.bootstrap.dicomweb import dicomweb_options
from dicomweb_server.bootstrap.dimse import dimse_options
from dicomweb_server.settings import Settings
from dicomweb_server.statement import conformance_statement


def statement(settings: Settings) -> str:
    """The DICOM conformance statement (PS3.2) of a configuration."""
    return conformance_statement(dicomweb_options(settings), dimse_options(settings) if settings.dimse else None)
