"""How the modules of this package declare their operations: a row each, of which routing and documents are made."""

from collections.abc import Mapping, Sequence

from dicomweb_server.http.description import Description, Parameter
from dicomweb_server.http.routing import Endpoint, Operation
from dicomweb_server.rest.context import Context

JSON = "application/json"
TEXT = "text/plain"
DICOM = "application/dicom"
OCTETS = "application/octet-stream"
ZIP = "application/zip"

Table = Sequence[Operation[Context]]
Row = Operation[Context]

_DONE: Mapping[int, str] = {200: "What was asked for, or that it is done"}

_FLAG = {"type": "string", "enum": ["", "true", "false", "1", "0"]}


def flag(name: str, text: str) -> Parameter:
    """A query parameter that says yes by being there."""
    return Parameter(name, text, _FLAG)


def number(name: str, text: str) -> Parameter:
    """A query parameter that is a whole number."""
    return Parameter(name, text, {"type": "integer", "minimum": 0})


def word(name: str, text: str) -> Parameter:
    """A query parameter that is a text."""
    return Parameter(name, text, {"type": "string"})


def row(
    method: str,
    path: str,
    endpoint: Endpoint[Context],
    summary: str,
    *parameters: Parameter,
    tag: str = "",
    produces: Sequence[str] = (JSON,),
    consumes: Sequence[str] = (),
    may_be_empty: bool = False,
    success: Mapping[int, str] = _DONE,
    errors: Sequence[int] = (),
) -> Row:
    """One operation. Its errors are 400, and 404 if its path names something, unless more are told.

    `tag`: under which the documentation lists it; without one, the first segment of the path.
    """
    usual = {400, *([404] if "{" in path else []), *([413] if consumes else [])}
    said = Description(
        name=_name(method, path),
        summary=summary,
        tag=tag or path.split("/")[1],
        success=success,
        produces=produces,
        consumes=consumes,
        may_be_empty=may_be_empty or tuple(consumes) == (TEXT,),
        parameters=parameters,
        errors=sorted({*usual, *errors}),
    )
    return Operation(method, path, endpoint, said)


def _name(method: str, path: str) -> str:
    words = path.strip("/").replace(":path", "").replace("{", "by-").replace("}", "").replace("/", "-")
    return f"{method.lower()}_{words}".replace("-", "_").replace(".", "_").lower()
