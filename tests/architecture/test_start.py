"""What is loaded eagerly: starting takes as long as that, and each process holds it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "dicomweb_server"
# By programs that need them and perhaps never come: loaded when they are first used.
LATER = {"numpy", "PIL", "imagecodecs", "jpeg_ls", "pydicom", "httpx", "fastapi", "pydantic", "websockets"}
OTHER_SERVICES = {"dicomweb_server.rest.operations", "dicomweb_server.bootstrap.framework", "dicomweb_server.statement"}
SERVER = {"asyncio", "sqlite3", "sqlalchemy", "starlette", "uvicorn", "orjson", "zstandard", "prometheus_client"}


def loaded_by(program: str) -> set[str]:
    """The modules that a program has loaded when it ends, and the packages that they are in."""
    listing = f"import sys\n{program}\nprint(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", listing], check=True, capture_output=True, text=True, timeout=200)
    names = set(found.stdout.split())
    return names | {name.split(".")[0] for name in names}


def test_server_starts_without_what_few_requests_need() -> None:
    loaded = loaded_by("import dicomweb_server.cli.serve")
    assert "dicomweb_server.dicomweb.qido" in loaded
    assert not loaded & (LATER | OTHER_SERVICES)


def test_process_that_reads_starts_without_the_server() -> None:
    loaded = loaded_by("import dicomweb_server.server.reader_process")
    assert not loaded & (LATER | (SERVER - {"asyncio", "orjson"}))


@pytest.mark.parametrize("words", [["version"], ["hash-password", "--help"], ["health", "--help"]])
def test_small_commands_load_little(words: list[str]) -> None:
    program = f"from dicomweb_server.cli import main\ntry:\n    main({words})\nexcept SystemExit:\n    pass"
    assert not loaded_by(program) & (LATER | SERVER | {"ssl", "dicomweb_server.services.ingest"})


def test_heavy_libraries_come_through_the_module_that_defers_them() -> None:
    eager = re.compile(r"^(?:import|from) (?:numpy|PIL|imagecodecs|jpeg_ls|pydicom|httpx)\b", re.M)
    found = [str(path) for path in PACKAGE.rglob("*.py") if eager.search(path.read_text("utf-8"))]
    assert not found, "import them from dicom/arrays.py, or with later.Later as http/client.py does"
