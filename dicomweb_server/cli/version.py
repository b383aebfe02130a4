"""The command `version`."""

from dicomweb_server import __version__
from dicomweb_server.cli.arguments import Arguments


def version(_arguments: Arguments) -> int:
    """Print the version."""
    print(__version__)
    return 0
