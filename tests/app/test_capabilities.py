"""The service describes itself: capabilities, OpenAPI, and the table of resources behind both."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from dicomweb_server.dicomweb.openapi import describe
from dicomweb_server.dicomweb.resources import OPERATIONS
from tests.app.dicomweb_harness import ROOT, Archive, open_archive

WADL = "application/vnd.sun.wadl+xml"
NAMESPACE = "{http://wadl.dev.java.net/2009/02}"


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Archive]:
    async with open_archive(tmp_path) as opened:
        yield opened


def in_wadl(element: ElementTree.Element, prefix: str = "") -> set[tuple[str, str]]:
    """The (method, path) pairs of a WADL tree."""
    found = {(method.get("name", ""), prefix) for method in element.findall(NAMESPACE + "method")}
    for child in element.findall(NAMESPACE + "resource"):
        found |= in_wadl(child, f"{prefix}/{child.get('path')}")
    return found


def in_json(node: dict[str, Any], prefix: str = "") -> set[tuple[str, str]]:
    found = {(method["name"], prefix) for method in node.get("method", [])}
    for child in node["resource"]:
        found |= in_json(child, f"{prefix}/{child['path']}")
    return found


EXPECTED = {(one.method, one.path.replace(":path", "")) for one in OPERATIONS if one.method != "OPTIONS"}


@pytest.mark.parametrize("path", ["/", ""])
async def test_wadl(archive: Archive, path: str) -> None:
    response = await archive.send("OPTIONS", path)
    assert (response.status_code, response.headers["content-type"]) == (200, WADL)
    tree = ElementTree.fromstring(response.content)
    (resources,) = tree.findall(NAMESPACE + "resources")
    assert resources.get("base") == ROOT + "/"
    assert in_wadl(resources) == EXPECTED
    method = next(one for one in resources.iter(NAMESPACE + "method") if one.get("id") == "retrieveSeries")
    options = [option.get("value") for option in method.iter(NAMESPACE + "option")]
    assert options == ['multipart/related; type="application/dicom"', "application/zip"]


async def test_json(archive: Archive) -> None:
    response = await archive.send("OPTIONS", "/", "application/json")
    assert response.headers["content-type"] == "application/json"
    resources = response.json()["application"]["resources"]
    assert (resources["base"], in_json(resources)) == (ROOT + "/", EXPECTED)


async def test_other_types(archive: Archive) -> None:
    assert (await archive.send("OPTIONS", "/", "image/png")).status_code == 406
    assert (await archive.send("GET", "/")).status_code == 405


async def test_each_resource_says_what_it_allows(archive: Archive) -> None:
    response = await archive.send("OPTIONS", "/studies/1.2")
    assert (response.status_code, response.headers["allow"]) == (204, "DELETE, GET, HEAD, OPTIONS, POST")
    refused = await archive.send("PUT", "/studies")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS, POST")


async def test_paths_that_mean_nothing(archive: Archive) -> None:
    for path in ("/no-such-service", "/studies/1.2/nothing", "/studies/1.2/series/1.3/x", "/no-palettes", "//"):
        response = await archive.get(path)
        assert response.status_code in (404, 405)
        assert response.headers["content-type"] == "application/problem+json"


def test_openapi_has_every_operation_once() -> None:
    document = describe("/dicom-web")
    found = {
        (method.upper(), path.removeprefix("/dicom-web"))
        for path, operations in document["paths"].items()
        for method in operations
    }
    assert found == {(one.method, one.path.replace(":path", "")) for one in OPERATIONS}
    names = [one["operationId"] for operations in document["paths"].values() for one in operations.values()]
    assert len(set(names)) == len(names)


def test_openapi_is_complete() -> None:
    document = describe("/dicom-web")
    for path, operations in document["paths"].items():
        for operation in operations.values():
            named = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
            assert named == set(re.findall(r"\{(\w+)\}", path))
            assert operation["summary"]
            assert operation["tags"]
            for status, answer in operation["responses"].items():
                assert answer["description"]
                if int(status) >= 400:
                    assert "application/problem+json" in answer["content"]
    references = set(re.findall(r"#/components/schemas/(\w+)", str(document)))
    assert references <= set(document["components"]["schemas"])
