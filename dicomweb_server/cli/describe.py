"""Commands that only print: the API's description, the conformance statement, a password's hash, the version."""

import getpass
import json
import sys

from dicomweb_server import __version__
from dicomweb_server.app import create_app
from dicomweb_server.bootstrap import conformance_statement
from dicomweb_server.cli.arguments import Arguments, load_settings
from dicomweb_server.settings import SettingsError
from dicomweb_server.settings.passwords import hash_password


def openapi(arguments: Arguments) -> int:
    """Print the OpenAPI description."""
    description = create_app(load_settings(arguments)).openapi()
    print(json.dumps(description, indent=2, ensure_ascii=False))
    return 0


def conformance(arguments: Arguments) -> int:
    """Print the DICOM conformance statement of this configuration (PS3.2)."""
    print(conformance_statement(load_settings(arguments)), end="")
    return 0


def hash_a_password(_arguments: Arguments) -> int:
    """Read a password, twice from a terminal or once from a pipe, and print its hash."""
    if sys.stdin.isatty():
        password = getpass.getpass("Password: ")
        if getpass.getpass("Again: ") != password:
            raise SettingsError("the two passwords differ")
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise SettingsError("the password is empty; allowed is any other text")
    print(hash_password(password))
    return 0


def version(_arguments: Arguments) -> int:
    """Print the version."""
    print(__version__)
    return 0
