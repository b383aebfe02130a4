"""The command line's grammar; the options of `serve` come from the table of options."""

import argparse
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from dicomweb_server import __version__
from dicomweb_server.settings import OPTIONS, Option, Settings, load
from dicomweb_server.settings.kinds import Toggle

Arguments = argparse.Namespace

_ALIASES = {"ae_title": ("--aet",)}
_STORAGE = ("Storage",)
_LOGGING = ("log_format", "log_level")

COMMANDS: dict[str, str] = {
    "serve": "Start the server.",
    "import": "Store files: folders, DICOM files and ZIP archives.",
    "check": "Compare the index with the stored files; with --repair, mend what differs.",
    "reindex": "Make the index anew from the stored files alone.",
    "openapi": "Print the OpenAPI description of the HTTP interface.",
    "conformance": "Print the DICOM conformance statement of this configuration.",
    "health": "Ask the running server of this configuration whether it is well.",
    "hash-password": "Read a password and print its hash for the users table.",
    "version": "Print the version.",
}


def parser() -> argparse.ArgumentParser:
    """The whole grammar."""
    top = argparse.ArgumentParser(
        prog="dicomweb-server", description="A server for medical images: DICOMweb and DIMSE on an embedded index."
    )
    top.add_argument("--version", action="version", version=f"dicomweb-server {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    made = {name: commands.add_parser(name, help=doc, description=doc) for name, doc in COMMANDS.items()}
    everything = list(OPTIONS.values())
    storage = [option for option in everything if option.group in _STORAGE or option.name in _LOGGING]
    for name in ("serve", "openapi", "conformance", "health"):
        _add_options(made[name], everything)
    for name in ("import", "check", "reindex"):
        _add_options(made[name], [option for option in storage if option.name != "ephemeral"])
    made["import"].add_argument("paths", nargs="+", type=Path, metavar="PATH", help="folder, DICOM file or ZIP archive")
    for name in ("import", "check", "reindex"):
        made[name].add_argument("--quiet", action="store_true", help="no progress bar")
    made["check"].add_argument("--repair", action="store_true", help="mend what differs")
    made["check"].add_argument("--digests", action="store_true", help="read every stored file and compare its digest")
    return top


def load_settings(arguments: Arguments, *, serving: bool = False) -> Settings:
    """The settings from flags, environment and file; warnings go to standard error."""
    given = vars(arguments)
    flags = {name: given[name] for name in OPTIONS if given.get(name) is not None}
    loaded = load(flags, os.environ, arguments.config, serving=serving)
    for warning in loaded.warnings:
        print(f"dicomweb-server: warning: {warning}", file=sys.stderr)
    return loaded.settings


def _add_options(command: argparse.ArgumentParser, options: Iterable[Option]) -> None:
    command.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="configuration: TOML, or an Orthanc configuration (one .json file, or a folder of them)",
    )
    groups: dict[str, argparse._ArgumentGroup] = {}
    for option in options:
        if option.secret:
            continue  # whoever lists processes would read it
        group = groups.get(option.group)
        if group is None:
            group = groups[option.group] = command.add_argument_group(option.group)
        names = [option.flag, *_ALIASES.get(option.name, ())]
        text = f"{option.doc} Default: {shown_default(option)}.".replace("%", "%%")
        if isinstance(option.kind, Toggle):
            group.add_argument(*names, dest=option.name, nargs="?", const="true", metavar="true|false", help=text)
        else:
            group.add_argument(*names, dest=option.name, metavar="VALUE", help=text)


def shown_default(option: Option) -> str:
    """The default as a person would write it."""
    default = option.default
    if isinstance(default, bool):
        return str(default).lower()
    if default is None or default in ((), {}):
        return "none"
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    return f"{default:g}" if isinstance(default, float) else str(default)
