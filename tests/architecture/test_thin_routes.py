"""Routes translate a request, ask the services, translate back: nothing else."""

import ast
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT, body_of, functions, parsed, python_files

MOST_STATEMENTS = 24
ADAPTERS = [path for path in python_files("dicomweb_server") if path.parts[1] in {"dicomweb", "rest", "ui"}]
FORBIDDEN = {"pydicom", "sqlite3", "sqlalchemy", "os", "shutil", "tempfile", "threading"}


def endpoints(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Functions of a request and the context."""
    return [
        function
        for function in functions(path)
        if isinstance(function, ast.AsyncFunctionDef)
        and [argument.arg for argument in function.args.args] == ["request", "context"]
    ]


@pytest.mark.parametrize("path", ADAPTERS, ids=str)
def test_adapter_does_no_io_of_its_own(path: Path) -> None:
    imported = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            imported |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported.add(node.module.partition(".")[0])
    assert not imported & FORBIDDEN


@pytest.mark.parametrize("path", [path for path in ADAPTERS if endpoints(path)], ids=str)
def test_endpoint_is_thin(path: Path) -> None:
    for endpoint in endpoints(path):
        statements = [node for part in body_of(endpoint) for node in ast.walk(part) if isinstance(node, ast.stmt)]
        assert len(statements) <= MOST_STATEMENTS, f"{path}:{endpoint.name} has {len(statements)} statements"
        handlers = [
            node for part in body_of(endpoint) for node in ast.walk(part) if isinstance(node, ast.ExceptHandler)
        ]
        assert not handlers, f"{path}:{endpoint.name} handles errors, which is the matter of http/errors.py"
        # Not a method of what a service answered, but a verb of a service itself.
        calls = [
            node
            for part in body_of(endpoint)
            for node in ast.walk(part)
            if isinstance(node, ast.Call) and "context.services." in ast.unparse(node.func)
        ]
        assert len(calls) <= 3, f"{path}:{endpoint.name} asks the services {len(calls)} times"


def test_there_are_endpoints() -> None:
    assert sum(len(endpoints(path)) for path in ADAPTERS) >= 10
    assert (ROOT / "dicomweb_server/dicomweb").is_dir()
