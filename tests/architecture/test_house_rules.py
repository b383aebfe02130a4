"""Rules of the house that no linter knows."""

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT, functions, parsed, python_files, tracked

BANNED_NAMES = ("utils", "util", "helpers", "helper", "common", "manager", "base", "misc")
CODE = python_files("dicomweb_server", "tests", "conformance", "scripts")
# Put together here so that this file does not name what it forbids. A package's address on a registry is nobody's
# business but the package manager's; paths of a workplace mean nothing elsewhere.
FORBIDDEN_TEXT = [
    "py" + "pi.org", "python" + "hosted.org", "registry.npm" + "js.org", "deb.deb" + "ian.org", "cdn.js" + "delivr",
    "un" + "pkg.com", "/wo" + "rk/", "../sha" + "red", "/sha" + "red/", "/tm" + "p/w/", "extra-index" + "-url",
]  # fmt: skip
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX|HA" + r"CK)\b")
# Where everything that goes wrong ends, so that it is logged once and answered in words.
EDGES = {
    "dicomweb_server/http/routing.py": "a request",
    "dicomweb_server/dimse/session.py": "an association",
}


@pytest.mark.parametrize("path", python_files("dicomweb_server"), ids=str)
def test_module_is_named_after_a_noun(path: Path) -> None:
    assert path.stem not in BANNED_NAMES
    assert path.parent.name not in BANNED_NAMES


@pytest.mark.parametrize("path", [p for p in tracked() if p.suffix not in {".png", ".ico", ".lock"}], ids=str)
def test_nothing_of_the_workplace_is_named(path: Path) -> None:
    text = (ROOT / path).read_text(encoding="utf-8", errors="replace")
    for forbidden in FORBIDDEN_TEXT:
        assert forbidden not in text, f"{path} names {forbidden}"
    if path.suffix == ".py":
        assert not UNFINISHED.search(text), f"{path} is unfinished"


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-server.lock"])
def test_lock_file_names_no_place(name: str) -> None:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    assert not [line for line in lines if "://" in line or line.startswith("--")]


@pytest.mark.parametrize("path", python_files("dicomweb_server", "scripts"), ids=str)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    docstring = ast.get_docstring(parsed(path)) or ""
    assert 1 <= len(docstring.splitlines()) <= 8, f"{path}: one to three lines are expected"


def test_unit_tests_have_names_of_their_own() -> None:
    names = [path.name for path in python_files("tests") if path.name.startswith("test_")]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("path", python_files("dicomweb_server"), ids=str)
def test_everything_is_caught_at_the_edges_only(path: Path) -> None:
    broad = [
        node.lineno
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"}))
        and not any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
        and "an edge" not in _lines_before(path, node.lineno).lower()
    ]
    assert not broad or str(path) in EDGES, f"{path} catches everything in lines {broad}"


def _lines_before(path: Path, line: int) -> str:
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    return "\n".join(lines[max(0, line - 7) : line + 2])


@pytest.mark.parametrize("path", python_files("dicomweb_server"), ids=str)
def test_nothing_that_runs_what_it_was_sent(path: Path) -> None:
    forbidden = {"eval", "exec", "pickle", "marshal", "shelve"}
    names = {node.id for node in ast.walk(parsed(path)) if isinstance(node, ast.Name)}
    imports = {
        name.name.partition(".")[0]
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Import)
        for name in node.names
    }
    assert not forbidden & (names | imports)


@pytest.mark.parametrize("path", python_files("dicomweb_server"), ids=str)
def test_settings_stay_at_the_top(path: Path) -> None:
    """Only the composition reads the configuration or the environment."""
    if path.parts[1] in {"cli", "app.py", "bootstrap", "settings", "__main__.py"}:
        return
    assert "os.environ" not in (ROOT / path).read_text(encoding="utf-8")


def test_there_is_something_to_check() -> None:
    assert sum(len(list(functions(path))) for path in CODE) > 300
