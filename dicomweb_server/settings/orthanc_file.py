"""Reads an Orthanc configuration as it is: comments, variables of the environment, one file or a folder of them."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dicomweb_server.settings.failure import SettingsError

_MAX_FILE = 16 * 2**20
_COMMENT = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_TRAILING_COMMA = re.compile(r'("(?:\\.|[^"\\])*")|,(?=\s*[}\]])')
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def strip_comments(text: str) -> str:
    """JSON without `//` and `/* */` comments and without trailing commas; strings are left alone."""
    bare = _COMMENT.sub(lambda found: found[1] or " ", text)
    return _TRAILING_COMMA.sub(lambda found: found[1] or "", bare)


def read_configuration(path: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """The options of a file, or of the `*.json` files of a folder."""
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files:
        raise SettingsError(f"The folder {path} has no configuration file (*.json)")
    merged: dict[str, Any] = {}
    origin: dict[str, Path] = {}
    for file in files:
        for name, value in _read_file(file, environment).items():
            if name in merged:
                raise SettingsError(f"{name} is given twice: in {origin[name]} and in {file}")
            merged[name], origin[name] = value, file
    return merged


def _read_file(path: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_FILE).decode("utf-8-sig")
        bare = strip_comments(text)
        parsed = json.loads(_VARIABLE.sub(lambda found: _variable(found, environment), bare))
    except (OSError, ValueError, RecursionError) as error:
        raise SettingsError(f"The configuration {path} cannot be read: {error}") from None
    if not isinstance(parsed, dict):
        raise SettingsError(f"The configuration {path} is not a JSON object")
    return parsed


def _variable(found: re.Match[str], environment: Mapping[str, str]) -> str:
    value = environment.get(found[1], found[2])
    if value is None:
        raise SettingsError(f"The configuration names the variable {found[1]}, which is not set")
    return json.dumps(value)[1:-1]
