"""The composition root: the one place where ports meet implementations, and where settings become options."""

from dicomweb_server.bootstrap.dicomweb import dicomweb_options, dicomweb_service, wado_uri_service
from dicomweb_server.bootstrap.dimse import dimse_options, start_dimse
from dicomweb_server.bootstrap.process import process_options, statement
from dicomweb_server.bootstrap.rest import rest_services, running
from dicomweb_server.bootstrap.store import Holder, OpenStore, open_store

__all__ = [
    "Holder",
    "OpenStore",
    "dicomweb_options",
    "dicomweb_service",
    "dimse_options",
    "open_store",
    "process_options",
    "rest_services",
    "running",
    "start_dimse",
    "statement",
    "wado_uri_service",
]
