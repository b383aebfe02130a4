"""The composition root: the one place where ports meet implementations, and where settings become options."""

from dicomweb_server.bootstrap.dicomweb import dicomweb_options, dicomweb_service
from dicomweb_server.bootstrap.dimse import dimse_options, start_dimse
from dicomweb_server.bootstrap.store import Holder, OpenStore, open_store

__all__ = ["Holder", "OpenStore", "dicomweb_options", "dicomweb_service", "dimse_options", "open_store", "start_dimse"]
