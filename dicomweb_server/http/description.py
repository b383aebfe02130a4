"""What is said of an operation, and OpenAPI made of it, since a `Service` has no routes that FastAPI could describe."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Protocol

from dicomweb_server.http.described_headers import HEADERS, request_headers, response_headers
from dicomweb_server.http.errors import PROBLEM_SCHEMA, status_name

PROBLEM = "application/problem+json"
_VARIABLE = re.compile(r"\{(\w+)(?::path)?\}")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")

# What the layers around every operation may answer: to unknown users and too many wrong passwords; to a page of another
# site that wants to change something; to a body that does not come.
_ALWAYS = (401, 429)
_CHANGING = (403,)
_WITH_BODY = (408,)

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter. `named_by_attributes`: it stands for all the parameters whose names are attributes."""

    name: str
    text: str
    schema: Schema
    named_by_attributes: bool = False
    required: bool = False


@dataclass(frozen=True, slots=True)
class Description:
    """An operation in words and types.

    `produces`, `consumes`: media types, the default first, as Accept and Content-Type name them. `success`: statuses in
    words. `errors`: statuses that come with a problem, or, if also in `told`, with what success comes with. `bodies`:
    the schema of a media type where it is not what other operations answer with. `may_be_empty`: a request without
    a body means something, too. `bare`: successful statuses that come without a body.
    """

    name: str
    summary: str
    tag: str
    success: Mapping[int, str]
    produces: Sequence[str] = ()
    consumes: Sequence[str] = ()
    parameters: Sequence[Parameter] = ()
    errors: Sequence[int] = (400, 404, 406)
    told: Sequence[int] = ()
    bodies: Mapping[str, Schema] = field(default_factory=dict)
    may_be_empty: bool = False
    bare: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class FailureForm:
    """How a service tells that a request cannot be served: media type, name and schema of the body."""

    media_type: str = PROBLEM
    name: str = "Problem"
    schema: Schema = field(default_factory=lambda: PROBLEM_SCHEMA)


_PROBLEM_FORM = FailureForm()


class Described(Protocol):
    """An operation as its table has it."""

    @property
    def method(self) -> str:
        """GET and the like."""

    @property
    def path(self) -> str:
        """The template below the root."""

    @property
    def description(self) -> Description:
        """What it does."""


def openapi(
    root: str,
    operations: Iterable[Described],
    variables: Mapping[str, Schema],
    bodies: Mapping[str, Schema],
    form: FailureForm = _PROBLEM_FORM,
) -> dict[str, Any]:
    """`paths` and `components` of an OpenAPI document.

    `variables`: the schema of each path parameter. `bodies`: of each media type, without parameters, that is no
    opaque string of bytes.
    """
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        path = root + _VARIABLE.sub(r"{\1}", operation.path)
        paths.setdefault(path, {})[operation.method.lower()] = _operation(operation, variables, bodies, form)
    schemas = {"Problem": dict(PROBLEM_SCHEMA), form.name: dict(form.schema)}
    components = {"schemas": schemas, "headers": HEADERS, "securitySchemes": _SECURITY}
    return {"paths": paths, "components": components}


_SECURITY = {
    "basic": {"type": "http", "scheme": "basic", "description": "If the server has users"},
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "If it knows an issuer"},
}


def _operation(
    operation: Described, variables: Mapping[str, Schema], bodies: Mapping[str, Schema], form: FailureForm
) -> dict[str, Any]:
    said = operation.description
    own = {**bodies, **said.bodies}
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": variables[name]}
        for name in _VARIABLE.findall(operation.path)
    ]
    described: dict[str, Any] = {
        "operationId": _HUMP.sub("_", said.name).lower(),
        "summary": said.summary,
        "tags": [said.tag],
        "security": [{}, {"basic": []}, {"bearer": []}],
        "parameters": in_path + [_parameter(one) for one in said.parameters] + request_headers(said.success),
        "responses": {str(status): _response(status, said, own, form) for status in _statuses(operation)},
    }
    if said.consumes:
        described["requestBody"] = {"required": not said.may_be_empty, "content": _content(said.consumes, bodies)}
    return described


def _statuses(operation: Described) -> list[int]:
    """All statuses, in order."""
    said = operation.description
    found = {*said.success, *said.errors, *_ALWAYS}
    if operation.method not in ("GET", "OPTIONS"):
        found.update(_CHANGING)
    if said.consumes:
        found.update(_WITH_BODY)
    return sorted(found)


def _response(status: int, said: Description, bodies: Mapping[str, Schema], form: FailureForm) -> dict[str, Any]:
    headers = response_headers(status, said.success, [one.name for one in said.parameters])
    if status in said.success:
        produces = () if status in said.bare else said.produces
        return _answer(said.success[status], status, produces, bodies) | headers
    return _failure(status, said, bodies, form) | headers


def _parameter(parameter: Parameter) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": parameter.name,
        "in": "query",
        "description": parameter.text,
        "schema": parameter.schema,
    }
    if parameter.required:
        described["required"] = True
    if parameter.named_by_attributes:
        return described | {"style": "form", "explode": True}
    if parameter.schema.get("type") == "array":
        return described | {"style": "form", "explode": False}
    return described


def _answer(text: str, status: int, produces: Sequence[str], bodies: Mapping[str, Schema]) -> dict[str, Any]:
    has_body = status not in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED) and bool(produces)
    return {"description": text} | ({"content": _content(produces, bodies)} if has_body else {})


def _failure(status: int, said: Description, bodies: Mapping[str, Schema], form: FailureForm) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if status in said.errors or status in _WITH_BODY:
        content[form.media_type] = {"schema": {"$ref": f"#/components/schemas/{form.name}"}}
    if status in _ALWAYS or status in _CHANGING:
        content[PROBLEM] = {"schema": {"$ref": "#/components/schemas/Problem"}}
    if status in said.told:
        content |= _content(said.produces, bodies)
    return {"description": status_name(status), "content": content}


def _content(media_types: Sequence[str], bodies: Mapping[str, Schema]) -> dict[str, Any]:
    """One entry for each media type, which OpenAPI knows without parameters; those of multipart are named in words."""
    content: dict[str, dict[str, Any]] = {}
    for media_type in media_types:
        name, _, parameters = media_type.partition(";")
        schema = bodies.get(name, {"type": "string", "format": "binary"})
        if parameters and name not in bodies:
            known = content.get(name, {}).get("schema", {}).get("description")
            schema = {**schema, "description": f"{known}, or {media_type}" if known else media_type}
        content[name] = {"schema": schema}
    return content
