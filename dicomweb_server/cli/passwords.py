"""The command `hash-password`: a password in, its hash out; the password itself goes nowhere."""

import getpass
import sys

from dicomweb_server.cli.arguments import Arguments
from dicomweb_server.settings import SettingsError
from dicomweb_server.settings.passwords import hash_password


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
