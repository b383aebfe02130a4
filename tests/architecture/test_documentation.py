"""What exists is documented, and what is generated is fresh."""

import re
from pathlib import Path

import pytest

from dicomweb_server import __version__
from dicomweb_server.app import create_app
from dicomweb_server.cli.arguments import COMMANDS, parser
from dicomweb_server.errors import Reason
from dicomweb_server.settings import OPTIONS, Settings
from scripts.generate import everything
from tests.architecture.tree import ROOT

DOCS = ROOT / "docs"


def text_of(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("option", OPTIONS)
def test_option_is_documented_in_one_sentence(option: str) -> None:
    assert f"| `{option}` |" in text_of("settings.md")
    doc = OPTIONS[option].doc
    assert doc[0].isupper() or doc.startswith(("full:", "keep:"))
    assert doc.endswith(".")


@pytest.mark.parametrize("command", COMMANDS)
def test_command_is_documented(command: str) -> None:
    assert re.search(rf"^## {re.escape(command)}\b", text_of("commands.md"), re.MULTILINE)
    assert f"`{command}`" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_commands_named_in_the_documentation_exist() -> None:
    documents = [*DOCS.rglob("*.md"), ROOT / "README.md"]
    for document in documents:
        for command in re.findall(r"^\$ dicomweb-server ([a-z-]+)", document.read_text(encoding="utf-8"), re.MULTILINE):
            assert command in COMMANDS, f"{document} names {command}"


def test_options_named_on_the_command_line_of_the_documentation_exist() -> None:
    known = {action for command in parser()._actions[-1].choices.values() for action in command._option_string_actions}  # type: ignore[union-attr]
    for document in [*DOCS.rglob("*.md"), ROOT / "README.md"]:
        for line in re.findall(r"^\$ (dicomweb-server .*)", document.read_text(encoding="utf-8"), re.MULTILINE):
            assert set(re.findall(r" (--[a-z-]+)", line)) <= known, f"{document}: {line}"


def test_every_route_is_documented() -> None:
    description = create_app(Settings()).openapi()
    documented = "\n".join(path.read_text(encoding="utf-8") for path in DOCS.glob("*.md"))
    for path in description["paths"]:
        short = re.sub(r"\{\w+(:path)?\}", "{}", path.removeprefix("/dicom-web"))
        assert short in re.sub(r"\{\w+\}", "{}", documented), f"{path} is not in the documentation"


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_documented_with_its_status(reason: Reason) -> None:
    assert f"| `{reason.name}` |" in text_of("dicomweb.md")


def test_changelog_has_this_version() -> None:
    assert f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_decision_is_in_the_list_and_the_menu() -> None:
    listed, menu = text_of("decisions/index.md"), (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in DOCS.glob("decisions/*.md"):
        if page.name != "index.md":
            assert f"({page.name})" in listed
            assert f"decisions/{page.name}" in menu
            for heading in ("**About.**", "**Decision.**", "**What follows.**", "**Also looked at.**"):
                assert heading in page.read_text(encoding="utf-8"), f"{page.name} lacks {heading}"


@pytest.mark.parametrize(("path", "wanted"), everything().items(), ids=lambda value: str(value)[:40])
def test_generated_file_is_fresh(path: Path, wanted: str) -> None:
    file = ROOT / path
    assert file.exists(), f"{path} is missing: make generated"
    assert file.read_text(encoding="utf-8") == wanted, f"{path} is stale: make generated"
