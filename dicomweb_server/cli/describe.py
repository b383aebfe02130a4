"""The commands `openapi` and `conformance`: what this configuration of the server offers."""

import json

from dicomweb_server.app import create_app
from dicomweb_server.bootstrap.statement import statement
from dicomweb_server.cli.arguments import Arguments, load_settings


def openapi(arguments: Arguments) -> int:
    """Print the OpenAPI description."""
    description = create_app(load_settings(arguments)).openapi()
    print(json.dumps(description, indent=2, ensure_ascii=False))
    return 0


def conformance(arguments: Arguments) -> int:
    """Print the DICOM conformance statement of this configuration (PS3.2)."""
    print(statement(load_settings(arguments)), end="")
    return 0
