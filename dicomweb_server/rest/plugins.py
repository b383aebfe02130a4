"""/plugins: what Orthanc has as plugins and is built in here."""

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server import __version__
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.responses import Whole
from dicomweb_server.rest.answers import json_answer
from dicomweb_server.rest.context import Context
from dicomweb_server.rest.table import Table, row

_DICOMWEB = "dicom-web"


async def list_plugins(request: Request, context: Context) -> Response:
    """The names by which scripts ask for what is built in."""
    return json_answer([_DICOMWEB])


async def show_plugin(request: Request, context: Context) -> Response:
    """One of them."""
    if request.scope["path_params"]["id"] != _DICOMWEB:
        raise ServerError(Reason.NOT_FOUND, "there is no such plugin; what this server can do is built in")
    return json_answer(
        {
            "Description": "DICOMweb, built in",
            "ExtendsOrthancExplorer": False,
            "ID": _DICOMWEB,
            "RootUri": context.options.dicomweb_root,
            "Version": __version__,
        }
    )


async def explorer_script(request: Request, context: Context) -> Response:
    """Nothing extends Orthanc's explorer here."""
    return Whole(b"", b"application/javascript")


OPERATIONS: Table = (
    row("GET", "/plugins", list_plugins, "What Orthanc has as plugins and is built in here"),
    row("GET", "/plugins/{id}", show_plugin, "One of them"),
    row(
        "GET",
        "/plugins/explorer.js",
        explorer_script,
        "An empty script: nothing extends Orthanc's explorer",
        produces=("application/javascript",),
    ),
)
