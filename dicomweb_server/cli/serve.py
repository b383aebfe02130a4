"""The command `serve`: runs the server until it is told to stop."""

import logging
import os
import socket
import sys
from collections.abc import Iterator, Sequence

from dicomweb_server import __version__
from dicomweb_server.app import create_app
from dicomweb_server.bootstrap.process import process_options
from dicomweb_server.cli.arguments import Arguments, load_settings
from dicomweb_server.errors import StartError
from dicomweb_server.server import logs, process
from dicomweb_server.settings import Settings

_logger = logging.getLogger("dicomweb_server.server")


def serve(arguments: Arguments) -> int:
    """Serve until SIGTERM or SIGINT."""
    settings = load_settings(arguments, serving=True)
    writer = logs.configure(settings.log_format, settings.log_level)
    app = create_app(settings, writer)
    options = process_options(settings)
    app.metrics.add_gauges(options.gate.gauges)

    def announce(sockets: Sequence[socket.socket]) -> None:
        for line in _addresses(settings, sockets):
            _logger.info("listening", extra=line)
        data = "a temporary folder" if settings.ephemeral else str(settings.data)
        _logger.info("ready", extra={"version": __version__, "data": data})

    if not process.run(app, options, announce):
        raise app.failure or StartError("the server could not start; the lines above say why")
    writer.flush()
    if app.is_to_restart:
        os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - the same program again
    return 0


def _addresses(settings: Settings, sockets: Sequence[socket.socket]) -> Iterator[dict[str, str]]:
    scheme = "https" if settings.tls_certificate else "http"
    for listener in sockets:
        host, port = listener.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        yield {"url": f"{scheme}://{shown}:{port}{settings.dicomweb_root}"}
