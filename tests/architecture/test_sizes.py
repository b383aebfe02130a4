"""Files and function bodies stay small enough to be held in the head."""

import pytest

from tests.architecture.tree import ROOT, body_of, functions, python_files

MOST_LINES = 400
MOST_BODY_LINES = 50
# Tables and generated files, by name; each with its reason.
EXEMPT_FILES: dict[str, str] = {}
EXEMPT_BODIES: dict[str, str] = {}


@pytest.mark.parametrize("path", python_files("dicomweb_server", "tests", "conformance", "scripts"), ids=str)
def test_file_and_bodies_are_small(path: object) -> None:
    name = str(path)
    lines = len((ROOT / name).read_text(encoding="utf-8").splitlines())
    assert lines <= MOST_LINES or name in EXEMPT_FILES, f"{name} has {lines} lines: split it by noun"
    for function in functions(path):  # type: ignore[arg-type]
        body = body_of(function)
        if body:
            length = (body[-1].end_lineno or 0) - body[0].lineno + 1
            where = f"{name}:{function.name}"
            assert length <= MOST_BODY_LINES or where in EXEMPT_BODIES, f"{where} has a body of {length} lines"


def test_exemptions_are_needed() -> None:
    known = {str(path) for path in python_files("dicomweb_server", "tests", "conformance", "scripts")}
    assert set(EXEMPT_FILES) <= known
    assert {where.rpartition(":")[0] for where in EXEMPT_BODIES} <= known
