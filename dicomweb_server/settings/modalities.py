"""Configured DICOM nodes: their values, and how a configuration writes them."""

from collections.abc import Mapping
from dataclasses import dataclass

from dicomweb_server.settings.kinds import Choice, Integer, Several, Text, Toggle

OPERATIONS = ("echo", "store", "find", "get", "move")

AE_TITLE = Text("an AE title: 1 to 16 printable ASCII characters, no backslash", r"[\x20-\x5b\x5d-\x7e]{1,16}")
_HOST = Text("a host name or address", r"[A-Za-z0-9._:%-]{1,253}")
_PORT = Integer(1, 65535)
_NEEDED = frozenset({"ae_title", "host", "port"})
_KNOWN = _NEEDED | {"allow", "tls"}
_OPERATIONS = Several(Choice(OPERATIONS))


@dataclass(frozen=True, slots=True)
class Modality:
    """A DICOM node that we know: where it listens, and which operations it may ask of us."""

    ae_title: str
    host: str
    port: int
    allow: tuple[str, ...] = OPERATIONS
    tls: bool = False


@dataclass(frozen=True, slots=True)
class Modalities:
    """A table of configured nodes; as text `NAME=AETITLE@host:port` separated by commas."""

    allowed: str = (
        "a table of name = { ae_title, host, port, allow, tls } (as text: NAME=AETITLE@host:port, separated by commas)"
    )

    def read(self, raw: object) -> dict[str, Modality]:
        """A mapping of name to node."""
        if isinstance(raw, str):
            raw = dict(_from_text(part.strip()) for part in raw.split(",") if part.strip())
        if not isinstance(raw, Mapping):
            raise ValueError(raw)
        return {str(name): _modality(str(name), value) for name, value in raw.items()}


def _from_text(text: str) -> tuple[str, dict[str, object]]:
    name, equals, address = text.partition("=")
    ae_title, at, place = address.partition("@")
    host, colon, port = place.rpartition(":")
    if not (name and equals and at and colon):
        raise ValueError(text)
    return name, {"ae_title": ae_title, "host": host, "port": port}


def _modality(name: str, raw: object) -> Modality:
    if not isinstance(raw, Mapping) or not _NEEDED <= set(raw) <= _KNOWN:
        raise ValueError(f"modality {name}")
    allow = _OPERATIONS.read(raw["allow"]) if "allow" in raw else OPERATIONS
    return Modality(
        ae_title=str(AE_TITLE.read(raw["ae_title"])),
        host=str(_HOST.read(raw["host"])),
        port=_PORT.read(raw["port"]),
        allow=tuple(str(operation) for operation in allow),
        tls=Toggle().read(raw.get("tls", False)),
    )
