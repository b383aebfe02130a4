"""The OpenAPI description of the REST interface, made of the table of its operations."""

from typing import Any

from dicomweb_server.http.description import FailureForm, openapi
from dicomweb_server.rest.errors import FAILURE_SCHEMA
from dicomweb_server.rest.operations import BELOW_DICOMWEB, OPERATIONS

_ID = {
    "type": "string",
    "description": "An identifier as Orthanc makes it: SHA-1 of the DICOM identifiers in five groups of digits",
    "examples": ["dc65762c-f476e8b9-898834f4-2f8a5014-2599bc94"],
}
_NAME = {"type": "string", "description": "A name, or a number of which the parent is a list"}
_VARIABLES: dict[str, dict[str, Any]] = {"id": _ID}
_BODIES = {"application/json": {"description": "JSON as Orthanc has it"}, "text/plain": {"type": "string"}}
_FORM = FailureForm("application/json", "OrthancFailure", FAILURE_SCHEMA)


def _tags() -> list[dict[str, str]]:
    names = dict.fromkeys(one.description.tag for one in (*OPERATIONS, *BELOW_DICOMWEB))
    return [{"name": name, "description": f"Orthanc-style REST: /{name}"} for name in names]


TAGS = tuple(_tags())


def describe(dicomweb_root: str) -> list[dict[str, Any]]:
    """`paths` and `components`, of what is at the root of the server and of what is below DICOMweb's."""
    return [
        openapi(root, operations, _Names(), _BODIES, _FORM)
        for root, operations in (("", OPERATIONS), (dicomweb_root, BELOW_DICOMWEB))
    ]


class _Names(dict[str, dict[str, Any]]):
    """The schema of every variable of a path."""

    def __missing__(self, name: str) -> dict[str, Any]:
        return _VARIABLES.get(name, _NAME)
