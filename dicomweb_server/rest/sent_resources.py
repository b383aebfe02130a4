"""What a request wants to have sent: resources by Orthanc's identifiers, in one of the forms that scripts write."""

from typing import Any

import orjson
from starlette.requests import Request

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.rest.body import Members, whole_body
from dicomweb_server.rest.context import Context
from dicomweb_server.services.sending import chosen


async def sent_resources(request: Request, context: Context) -> Members:
    """The body: an object with Resources, a list of identifiers, or one identifier as it is."""
    return _members((await whole_body(request, context.options.max_json_size)).strip())


def _members(text: bytes) -> Members:
    if not text.startswith((b"{", b"[", b'"')):
        return Members({"Resources": [_text(text)] if text else None})
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ServerError(Reason.BAD_REQUEST, f"the body is not valid JSON: {error.msg[:100]}") from None
    if isinstance(value, dict):
        return Members(value)
    return Members({"Resources": value if isinstance(value, list) else [value]})


async def chosen_resources(members: Members, context: Context) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parameters that a sending job needs, and what it shows from the start; ServerError(NOT_FOUND)."""
    public_ids = members.texts("Resources")
    if not public_ids:
        raise ServerError(Reason.BAD_REQUEST, "Resources is missing: a list of identifiers is expected")
    parameters = await chosen(context.services.resources, public_ids)
    instances = parameters["InstancesCount"]
    content = {"FailedInstancesCount": 0, "InstancesCount": instances, "ParentResources": list(public_ids)}
    return parameters, content


def _text(body: bytes) -> str:
    try:
        return body.decode("ascii")
    except UnicodeDecodeError:
        raise ServerError(Reason.BAD_REQUEST, "the body is neither JSON nor an identifier") from None
