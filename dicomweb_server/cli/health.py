"""The command `health`: asks the server of this configuration, on this machine, whether it is well."""

import http.client
import json
import ssl
import sys

from dicomweb_server.certificates import checking_context
from dicomweb_server.cli.arguments import Arguments, load_settings
from dicomweb_server.settings import Settings

_SECONDS = 4.0
_EVERY_ADDRESS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, not listened on


def health(arguments: Arguments) -> int:
    """0 if it is well, 1 if not or if it does not answer."""
    settings = load_settings(arguments)
    connection = _connection(settings)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        checks = json.loads(answer.read(10_000)).get("checks", {})
    except (OSError, http.client.HTTPException, ValueError) as error:
        print(f"no answer from {connection.host} port {connection.port}: {error}", file=sys.stderr)
        return 1
    finally:
        connection.close()
    for name, said in checks.items():
        print(f"{name}: {said}")
    return 0 if answer.status == 200 else 1


def _connection(settings: Settings) -> http.client.HTTPConnection:
    host = settings.host[0]
    if host in _EVERY_ADDRESS:
        host = "::1" if ":" in host else "127.0.0.1"
    if settings.tls_certificate is None:
        return http.client.HTTPConnection(host, settings.http_port, timeout=_SECONDS)
    context = checking_context(ssl.Purpose.SERVER_AUTH, settings.tls_certificate)
    context.check_hostname = False  # its name is that by which others reach it, not this one
    return http.client.HTTPSConnection(host, settings.http_port, timeout=_SECONDS, context=context)
