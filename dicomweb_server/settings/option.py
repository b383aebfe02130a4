"""One option: how the tables of options declare it, and what is known of it."""

from dataclasses import dataclass, field
from typing import Any

from dicomweb_server.settings.kinds import Kind


@dataclass(frozen=True, slots=True)
class Option:
    """What the documentation, the command line and the readers know of one option."""

    name: str
    group: str
    kind: Kind
    default: object
    doc: str
    secret: bool = False

    @property
    def flag(self) -> str:
        """Its name on the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return "DICOMWEB_SERVER_" + self.name.upper()


def option(group: str, kind: Kind, doc: str, *, default: object, secret: bool = False) -> Any:
    """The field of an option in a table of them."""
    metadata = {"group": group, "kind": kind, "doc": doc, "secret": secret}
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=metadata | {"default": default})
    return field(default=default, metadata=metadata | {"default": default})
