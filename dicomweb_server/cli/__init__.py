"""The command `dicomweb-server`: reads its words, runs one command, and says what went wrong in words."""

import importlib
import sys
from collections.abc import Sequence

from dicomweb_server.cli.arguments import parser
from dicomweb_server.errors import ServerError, StartError
from dicomweb_server.settings import SettingsError

__all__ = ["main"]

# Exit codes beside 0. A command line that cannot be understood ends with 2 as well (argparse).
PROBLEMS = 1
WRONG_SETTINGS = 2
CANNOT_START = 3
INTERRUPTED = 130

# The module and function of each command; imported when needed, since some commands need little and run often.
RUN: dict[str, tuple[str, str]] = {
    "serve": ("serve", "serve"),
    "import": ("importing", "import_paths"),
    "check": ("upkeep", "check"),
    "reindex": ("upkeep", "reindex"),
    "openapi": ("describe", "openapi"),
    "conformance": ("describe", "conformance"),
    "health": ("health", "health"),
    "hash-password": ("passwords", "hash_a_password"),
    "version": ("version", "version"),
}


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    arguments = parser().parse_args(words)
    try:
        module, function = RUN[arguments.command]
        command = getattr(importlib.import_module(f"dicomweb_server.cli.{module}"), function)
        return int(command(arguments))
    except SettingsError as error:
        return _fail(str(error), WRONG_SETTINGS)
    except (StartError, ServerError) as error:
        return _fail(str(error), CANNOT_START)
    except KeyboardInterrupt:
        return _fail("interrupted", INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has left: nothing to say to anyone
        return PROBLEMS


def _fail(message: str, code: int) -> int:
    print(f"dicomweb-server: {message}", file=sys.stderr)
    return code
