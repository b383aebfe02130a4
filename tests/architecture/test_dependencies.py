"""What the package imports is what it declares to need, no more and no less."""

import ast
import re
import sys
import tomllib

from tests.architecture.tree import ROOT, parsed, python_files

# Names to import that differ from the names to install.
INSTALLED_AS = {
    "PIL": "pillow",
    "dicomweb_client": "dicomweb-client",
    "jpeg_ls": "pyjpegls",
    "jwt": "pyjwt",
    "openapi_spec_validator": "openapi-spec-validator",
    "prometheus_client": "prometheus-client",
    "pytest_asyncio": "pytest-asyncio",
}
OWN = {"dicomweb_server", "tests", "conformance", "scripts"}
# Used by name only: uvicorn imports two when told to; the tables of another are read (dicom/standard_tables.py).
NEEDED_WITHOUT_IMPORT = {"httptools", "pydicom", "websockets"}


def imported(*folders: str) -> set[str]:
    names: set[str] = set()
    for path in python_files(*folders):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Import):
                names |= {name.name.partition(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.partition(".")[0])
    return {INSTALLED_AS.get(name, name) for name in names - set(sys.stdlib_module_names) - OWN}


def declared(extra: str | None = None) -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = project["optional-dependencies"][extra] if extra else project["dependencies"]
    return {re.split(r"[<>=;\[ ]", line)[0].lower() for line in lines}


def test_imports_are_declared_and_declared_ones_imported() -> None:
    assert imported("dicomweb_server") | NEEDED_WITHOUT_IMPORT == declared() | declared("video")


def test_what_tests_import_is_declared() -> None:
    assert imported("tests", "conformance", "scripts") <= declared() | declared("video") | declared("dev")


def test_lock_files_have_what_is_declared() -> None:
    for name, wanted in (
        ("requirements-server.lock", declared()),
        ("requirements.lock", declared() | declared("video") | declared("dev") | declared("docs")),
    ):
        locked = {
            line.partition("==")[0].partition("[")[0].lower()
            for line in (ROOT / name).read_text(encoding="utf-8").splitlines()
            if "==" in line
        }
        assert wanted <= locked, f"{name} lacks {wanted - locked}: make lock"
