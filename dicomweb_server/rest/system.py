"""/system: who this is, and which release of Orthanc its REST interface is like."""

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server import __version__
from dicomweb_server.rest.answers import json_answer
from dicomweb_server.rest.context import Context
from dicomweb_server.rest.table import Table, row

# The release of Orthanc whose REST interface this one is like, and the number of that interface.
ORTHANC_VERSION = "1.12.11"
API_VERSION = 30
_DATABASE_VERSION = 6


async def show_system(request: Request, context: Context) -> Response:
    """What clients look at first."""
    options = context.options
    return json_answer(
        {
            "ApiVersion": API_VERSION,
            "Capabilities": {"HasExtendedChanges": True, "HasExtendedFind": True},
            "CheckRevisions": options.check_revisions,
            "DatabaseBackendPlugin": None,
            "DatabaseServerIdentifier": "",
            "DatabaseVersion": _DATABASE_VERSION,
            "DicomAet": options.ae_title,
            "DicomPort": options.dimse_port,
            "HasLabels": True,
            "HttpPort": options.http_port,
            "IngestTranscoding": "",
            "IsHttpServerSecure": options.is_https,
            "MainDicomTags": {},
            "MaximumPatientCount": 0,
            "MaximumStorageMode": "",
            "MaximumStorageSize": 0,
            "Name": options.name,
            "OverwriteInstances": options.overwrites,
            "PatientLevelEnabled": True,
            "PluginsEnabled": True,
            "ReadOnly": False,
            "Server": "dicomweb-server",
            "ServerVersion": __version__,
            "StorageAreaPlugin": None,
            "StorageCompression": False,
            "UserMetadata": options.metadata.users,
            "Version": ORTHANC_VERSION,
        }
    )


OPERATIONS: Table = (row("GET", "/system", show_system, "Name, versions and capabilities of this server"),)
