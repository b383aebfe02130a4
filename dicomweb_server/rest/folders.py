"""Folders: what has no answer of its own lists what is below it."""

from collections.abc import Iterable

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.rest.answers import json_answer
from dicomweb_server.rest.context import Context
from dicomweb_server.rest.table import Row, row


def folder(path: str, operations: Iterable[Row]) -> Row:
    """The operation that lists the names below a path."""
    depth = len(path.split("/"))
    below = (operation.path for operation in operations if operation.path.startswith(path + "/"))
    names = sorted({name for found in below if not (name := found.split("/")[depth]).startswith("{")})

    async def list_folder(request: Request, context: Context) -> Response:
        """The names."""
        return json_answer(names)

    return row("GET", path, list_folder, "What is below")
