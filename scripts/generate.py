"""Makes the generated files anew: `python -m scripts.generate`. A test fails when one of them is stale."""

import json
import re
from collections.abc import Callable
from pathlib import Path

from dicomweb_server.app import create_app
from dicomweb_server.bootstrap.statement import statement
from dicomweb_server.settings import Settings
from dicomweb_server.statement import attributes, choices, resources, statuses
from scripts.rest_table import rest_table
from scripts.settings_tables import orthanc_met_table, orthanc_table, settings_tables

ROOT = Path(__file__).resolve().parents[1]
_BLOCK = "<!-- made by scripts.generate: {name} -->\n\n{content}\n<!-- end of {name} -->"

BLOCKS: dict[str, tuple[Path, Callable[[], str]]] = {
    "settings": (Path("docs/settings.md"), settings_tables),
    "resources": (Path("docs/dicomweb.md"), lambda: "\n".join(resources())),
    "attributes": (Path("docs/dicomweb.md"), lambda: "\n".join(attributes())),
    "choices": (Path("docs/dicomweb.md"), lambda: "\n".join(choices())),
    "statuses": (Path("docs/dicomweb.md"), lambda: "\n".join(statuses())),
    "rest routes": (Path("docs/rest.md"), rest_table),
    "orthanc options": (Path("docs/from-orthanc.md"), orthanc_table),
    "orthanc options that are met": (Path("docs/from-orthanc.md"), orthanc_met_table),
}


def openapi() -> str:
    """The description of the whole HTTP interface with the settings' defaults."""
    return json.dumps(create_app().openapi(), indent=2, ensure_ascii=False) + "\n"


FILES: dict[Path, Callable[[], str]] = {
    Path("openapi/openapi.json"): openapi,
    Path("conformance/statement.md"): lambda: statement(Settings()),
}


def with_blocks(path: Path) -> str:
    """A document with its generated blocks as they should be."""
    text = (ROOT / path).read_text(encoding="utf-8")
    for name, (document, make) in BLOCKS.items():
        if document == path:
            wanted = _BLOCK.format(name=name, content=make().strip() + "\n")
            pattern = f"<!-- made by scripts.generate: {name} -->.*?<!-- end of {name} -->"
            text, count = re.subn(pattern, lambda _found, new=wanted: new, text, flags=re.DOTALL)  # type: ignore[misc]
            if count != 1:
                raise ValueError(f"{path} has {count} blocks named {name}; one is expected")
    return text


def everything() -> dict[Path, str]:
    """Each generated file as it should be."""
    documents = {path for path, _ in BLOCKS.values()}
    return {path: with_blocks(path) for path in sorted(documents)} | {path: make() for path, make in FILES.items()}


def main() -> None:
    """Write what differs."""
    for path, wanted in everything().items():
        file = ROOT / path
        if not file.exists() or file.read_text(encoding="utf-8") != wanted:
            file.parent.mkdir(exist_ok=True)
            file.write_text(wanted, encoding="utf-8")
            print(f"made {path}")


if __name__ == "__main__":
    main()
