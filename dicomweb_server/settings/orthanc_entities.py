"""The section `MultitenantDicom` of an Orthanc configuration, which its plugin reads."""

from collections.abc import Mapping
from typing import Any

from dicomweb_server.settings.failure import SettingsError

SECTION = "MultitenantDicom"
OURS = ("application_entities",)
KNOWN = frozenset({"Servers"})
_SERVERS = f"{SECTION}.Servers"
_NAMES = {"AET": "ae_title", "Port": "port", "Labels": "labels"}
_WORDS = {"LabelsConstraint": "labels_constraint"}
_LEVELS = "LabelsStoreLevels"


def read_entities(configuration: Mapping[str, Any], values: dict[str, tuple[object, str]]) -> None:
    """Each server is an application entity at a port of its own, with TLS if the server's port is with TLS."""
    section = configuration.get(SECTION, {})
    servers = section.get("Servers", []) if isinstance(section, Mapping) else None
    if not isinstance(servers, list):
        raise SettingsError(f"{_SERVERS} is not allowed; allowed is a list of objects")
    if servers:
        is_tls = configuration.get("DicomTlsEnabled") is True
        entities = [_entity(raw) | ({"tls": True} if is_tls else {}) for raw in servers]
        values["application_entities"] = ({str(each["ae_title"]): each for each in entities}, _SERVERS)


def _entity(raw: object) -> dict[str, object]:
    known = {*_NAMES, *_WORDS, _LEVELS}
    if not isinstance(raw, Mapping) or not {"AET", "Port", "Labels"} <= set(raw) <= known:
        raise SettingsError(
            f"{_SERVERS} is not allowed; allowed are objects with AET, Port, Labels, and perhaps "
            f"LabelsConstraint, {_LEVELS}"
        )
    found = {ours: raw[theirs] for theirs, ours in _NAMES.items()}
    found |= {ours: str(raw[theirs]).lower() for theirs, ours in _WORDS.items() if theirs in raw}
    if isinstance(levels := raw.get(_LEVELS), list):
        found["label_levels"] = [str(level).lower() for level in levels]
    return found
