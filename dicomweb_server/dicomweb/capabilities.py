"""Retrieve Capabilities (PS3.18 §8.9, Annex H): the table of resources as WADL, or as the same tree in JSON."""

from collections.abc import Iterable, Iterator
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

import orjson
from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicomweb.context import Context
from dicomweb_server.http.description import Described
from dicomweb_server.http.headers import accepted
from dicomweb_server.http.responses import Whole
from dicomweb_server.http.routing import Endpoint
from dicomweb_server.wire.media_types import JSON, Offer, choose

WADL = "application/vnd.sun.wadl+xml"
_NAMESPACE = "http://wadl.dev.java.net/2009/02"
_OFFERS = (Offer(WADL), Offer(JSON))

Node = dict[str, Any]


def capabilities(operations: Iterable[Described]) -> Endpoint[Context]:
    """The endpoint that describes these operations."""
    described = tuple(operations)

    async def retrieve_capabilities(request: Request, context: Context) -> Response:
        offer = choose(accepted(request.scope), _OFFERS)
        tree = _tree(described, context.options.service_url.root(request.scope))
        body = orjson.dumps(tree) if offer.media_type == JSON else _wadl(tree)
        return Whole(body, offer.media_type.encode("ascii"), headers=[(b"vary", b"Accept")])

    return retrieve_capabilities


def _tree(operations: Iterable[Described], root: str) -> Node:
    """The description as JSON; the names are those of WADL's elements and attributes."""
    top: Node = {"base": root + "/", "resource": []}
    for operation in operations:
        node = top
        for segment in operation.path.strip("/").split("/"):
            node = _child(node, segment.replace(":path", ""))
        node["method"].append(_method(operation))
    return {"application": {"resources": top}}


def _child(node: Node, segment: str) -> Node:
    for child in node["resource"]:
        if child["path"] == segment:
            found: Node = child
            return found
    made: Node = {"path": segment, "param": [], "method": [], "resource": []}
    if segment.startswith("{"):
        made["param"].append({"name": segment.strip("{}"), "style": "template", "required": "true"})
    node["resource"].append(made)
    return made


def _method(operation: Described) -> Node:
    said = operation.description
    parameters = [{"name": one.name, "style": "query"} for one in said.parameters]
    if said.produces:
        options = [{"value": media_type} for media_type in said.produces]
        accept = {"name": "Accept", "style": "header", "default": said.produces[0], "option": options}
        parameters.insert(0, accept)  # type: ignore[arg-type]
    request = {"param": parameters, "representation": [{"mediaType": one} for one in said.consumes]}
    answers = [
        {
            "status": str(status),
            "representation": [
                {"mediaType": one} for one in said.produces if status in (200, 202, 206) and status not in said.bare
            ],
        }
        for status in said.success
    ]
    problems = [
        {"status": str(status), "representation": [{"mediaType": "application/problem+json"}]} for status in said.errors
    ]
    return {"name": operation.method, "id": said.name, "request": request, "response": [*answers, *problems]}


def _wadl(tree: Node) -> bytes:
    application = Element("application", xmlns=_NAMESPACE)
    _fill(SubElement(application, "resources"), tree["application"]["resources"])
    document: bytes = tostring(application, encoding="utf-8", xml_declaration=False)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + document


def _fill(element: Element, node: Node) -> None:
    for name, value in node.items():
        if isinstance(value, str):
            element.set(name, value)
    for name, child in _children(node):
        _fill(SubElement(element, name), child)


def _children(node: Node) -> Iterator[tuple[str, Node]]:
    for name, value in node.items():
        if isinstance(value, dict):
            yield name, value
        elif isinstance(value, list):
            yield from ((name, one) for one in value)
