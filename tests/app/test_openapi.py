"""The OpenAPI description: valid, complete, and the same as what the application says of itself."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from dicomweb_server.app import create_app
from dicomweb_server.dicomweb.resources import OPERATIONS

DOCUMENT = Path(__file__).resolve().parents[2] / "openapi" / "openapi.json"
METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch"})
FILE_FREE = frozenset({"204", "304"})
BARE = {
    (one.method.lower(), f"/dicom-web{one.path}", str(status)) for one in OPERATIONS for status in one.description.bare
}


def document() -> dict[str, Any]:
    return dict(json.loads(DOCUMENT.read_text(encoding="utf-8")))


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    ]


def named(item: tuple[str, str, dict[str, Any]]) -> str:
    return str(item[2]["operationId"])


def test_it_is_valid() -> None:
    validate(document())


def test_it_is_not_stale() -> None:
    assert document() == json.loads(json.dumps(create_app().openapi())), "run: python -m scripts.generate"


def test_names_are_different_and_in_snake_case() -> None:
    names = [named(operation) for operation in operations()]
    assert len(set(names)) == len(names)
    assert not [name for name in names if not re.fullmatch(r"[a-z]+(_[a-z0-9]+)*", name)]


@pytest.mark.parametrize(
    "name",
    ["search_for_studies", "search_for_series", "search_for_instances", "retrieve_study", "retrieve_series",
     "retrieve_instance", "retrieve_instance_metadata", "retrieve_frames", "store_instances", "delete_study",
     "retrieve_capabilities"],
)  # fmt: skip
def test_names_are_those_of_the_standard(name: str) -> None:
    assert name in {named(operation) for operation in operations()}


def test_every_tag_is_explained() -> None:
    explained = {tag["name"] for tag in document()["tags"] if tag["description"]}
    assert {tag for _, _, operation in operations() for tag in operation["tags"]} <= explained


@pytest.mark.parametrize("operation", operations(), ids=named)
def test_an_operation_is_complete(operation: tuple[str, str, dict[str, Any]]) -> None:
    method, path, said = operation
    assert said["summary"]
    parameters = said.get("parameters", [])
    assert {one["name"] for one in parameters if one["in"] == "path"} == set(re.findall(r"\{(\w+)\}", path))
    assert not [one["name"] for one in parameters if not (one.get("description") or one["schema"].get("description"))]
    for status, response in said["responses"].items():
        assert response["description"]
        is_bare = status in FILE_FREE or (method, path, status) in BARE
        assert bool(response.get("content")) is not is_bare
        for media_type, content in response.get("content", {}).items():
            assert content["schema"], media_type


@pytest.mark.parametrize(
    "operation",
    [one for one in operations() if one[1].startswith("/dicom-web") and "/servers" not in one[1]],
    ids=named,
)
def test_failures_are_problems(operation: tuple[str, str, dict[str, Any]]) -> None:
    responses = operation[2]["responses"]
    failures = {status: answer for status, answer in responses.items() if int(status) >= 400}
    assert {"400", "401", "406", "429"} & set(failures) >= {"400", "401", "429"}
    assert not [status for status, answer in failures.items() if "application/problem+json" not in answer["content"]]


@pytest.mark.parametrize("operation", [one for one in operations() if one[1] == "/system"], ids=named)
def test_failures_of_rest_are_orthancs(operation: tuple[str, str, dict[str, Any]]) -> None:
    failure = operation[2]["responses"]["400"]["content"]["application/json"]["schema"]
    assert failure == {"$ref": "#/components/schemas/OrthancFailure"}


def test_what_can_be_asked_conditionally_has_entity_tags() -> None:
    responses = document()["paths"]["/dicom-web/studies/{study}/metadata"]["get"]["responses"]
    assert {"ETag", "Vary"} <= set(responses["200"]["headers"])


def test_a_search_tells_of_its_warnings_and_counts() -> None:
    responses = document()["paths"]["/dicom-web/studies"]["get"]["responses"]
    assert {"Warning", "X-Total-Count"} <= set(responses["200"]["headers"])


def test_every_reference_leads_somewhere() -> None:
    said = document()
    for kind, name in re.findall(r"#/components/(\w+)/([\w-]+)", json.dumps(said)):
        assert name in said["components"][kind]
