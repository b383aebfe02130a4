"""The command `dicomweb-server`: reads its words, runs one command, and says what went wrong in words."""

import sys
from collections.abc import Callable, Sequence

from dicomweb_server.cli import describe, importing, serve, upkeep
from dicomweb_server.cli.arguments import Arguments, parser
from dicomweb_server.errors import ServerError
from dicomweb_server.server.process import StartError
from dicomweb_server.settings import SettingsError

__all__ = ["main"]

# Exit codes beside 0. A command line that cannot be understood ends with 2 as well (argparse).
PROBLEMS = 1
WRONG_SETTINGS = 2
CANNOT_START = 3
INTERRUPTED = 130

RUN: dict[str, Callable[[Arguments], int]] = {
    "serve": serve.serve,
    "import": importing.import_paths,
    "check": upkeep.check,
    "reindex": upkeep.reindex,
    "openapi": describe.openapi,
    "conformance": describe.conformance,
    "hash-password": describe.hash_a_password,
    "version": describe.version,
}


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    arguments = parser().parse_args(words)
    try:
        return RUN[arguments.command](arguments)
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
