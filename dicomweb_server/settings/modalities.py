"""Configured DICOM nodes: their values, and how a configuration writes them."""

from collections.abc import Mapping
from dataclasses import dataclass

from dicomweb_server.services.orthanc_modalities import FORMER_MANUFACTURERS
from dicomweb_server.settings.kinds import Choice, Integer, Seconds, Several, Size, Text, Toggle

OPERATIONS = ("echo", "store", "find", "worklist", "get", "move", "commitment", "mpps", "availability", "ups")
MANUFACTURERS = ("Generic", "GenericNoWildcardInDates", "GenericNoUniversalWildcard", "Vitrea", "GE")
AE_TITLE = Text("an AE title: 1 to 16 printable ASCII characters, no backslash", r"[\x20-\x5b\x5d-\x7e]{1,16}")
_HOST = Text("a host name or address", r"[A-Za-z0-9._:%-]{1,253}")
_PORT = Integer(1, 65535)
_NEEDED = frozenset({"ae_title", "host", "port"})
_KNOWN = _NEEDED | {
    *("allow", "tls", "manufacturer", "timeout", "local_ae_title", "transcoding", "associations", "max_associations"),
    "bandwidth",
}
_OPERATIONS = Several(Choice(OPERATIONS))
_TIMEOUT = Seconds(0, 3600)
_ASSOCIATIONS = Integer(1, 16)
_MAX_ASSOCIATIONS = Integer(0, 1000)
_BANDWIDTH = Size(0, 2**40)


@dataclass(frozen=True, slots=True)
class Modality:
    """A DICOM node that we know: where it listens, and which operations it may ask of us."""

    ae_title: str
    host: str
    port: int
    allow: tuple[str, ...] = OPERATIONS
    tls: bool = False
    manufacturer: str = "Generic"
    timeout: float | None = None
    local_ae_title: str = ""
    transcoding: bool = True
    associations: int = 1
    max_associations: int = 0
    bandwidth: int = 0


@dataclass(frozen=True, slots=True)
class Modalities:
    """A table of configured nodes; as text `NAME=AETITLE@host:port` separated by commas."""

    allowed: str = (
        "a table of name = { ae_title, host, port, allow, tls, manufacturer, timeout, local_ae_title, transcoding, "
        "associations, max_associations, bandwidth } (as text: NAME=AETITLE@host:port, separated by commas)"
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
        manufacturer=_manufacturer(raw.get("manufacturer", "Generic")),
        timeout=_TIMEOUT.read(raw["timeout"]) or None if raw.get("timeout") is not None else None,
        local_ae_title=str(AE_TITLE.read(raw["local_ae_title"])) if raw.get("local_ae_title") else "",
        transcoding=Toggle().read(raw.get("transcoding", True)),
        associations=_ASSOCIATIONS.read(raw.get("associations", 1)),
        max_associations=_MAX_ASSOCIATIONS.read(raw.get("max_associations", 0)),
        bandwidth=_BANDWIDTH.read(raw.get("bandwidth", 0)),
    )


def _manufacturer(raw: object) -> str:
    name = FORMER_MANUFACTURERS.get(str(raw), raw)
    if name not in MANUFACTURERS:
        raise ValueError(raw)
    return str(name)
