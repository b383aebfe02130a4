"""Tables of the documentation that are made from the tables of the code."""

from collections.abc import Iterable

from dicomweb_server.cli.arguments import shown_default
from dicomweb_server.settings import OPTIONS, Option
from dicomweb_server.settings.kinds import Size
from dicomweb_server.settings.orthanc import EQUIVALENTS
from dicomweb_server.settings.orthanc_names import MET, MET_WHEN


def settings_tables() -> str:
    """One table per group of options."""
    groups: dict[str, list[Option]] = {}
    for option in OPTIONS.values():
        groups.setdefault(option.group, []).append(option)
    return "\n".join(_group(name, options) for name, options in groups.items())


def _group(name: str, options: Iterable[Option]) -> str:
    rows = [f"### {name}\n", "| option | default | allowed | what it does |", "| --- | --- | --- | --- |"]
    rows += [
        f"| `{option.name}` | {_default(option)} | {_cell(option.kind.allowed)} | {_cell(option.doc)} |"
        for option in options
    ]
    return "\n".join(rows) + "\n"


def _default(option: Option) -> str:
    if isinstance(option.kind, Size) and isinstance(option.default, int):
        for factor, unit in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
            if option.default % factor == 0:
                return f"`{option.default // factor} {unit}`"
    shown = shown_default(option)
    return shown if shown == "none" else f"`{shown}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def orthanc_table() -> str:
    """Each of Orthanc's options that is obeyed, and by what."""
    rows = ["| Orthanc | here |", "| --- | --- |"]
    rows += [f"| `{theirs}` | {', '.join(f'`{name}`' for name in ours)} |" for theirs, ours in EQUIVALENTS]
    return "\n".join(rows) + "\n"


def orthanc_met_table() -> str:
    """Options that need no equivalent."""
    rows = ["| Orthanc | why nothing needs to be set |", "| --- | --- |"]
    rows += [f"| `{name}` | {_cell(why)} |" for name, why in MET.items()]
    rows += [
        f"| `{name}` = `{_json(value)}` | what is asked for is not there anyway |" for name, value in MET_WHEN.items()
    ]
    return "\n".join(rows) + "\n"


def _json(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else '""' if value == "" else str(value)
