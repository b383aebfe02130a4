"""PURE: DICOM nodes in the JSON of Orthanc's configuration and REST API, as values and back."""

import re
from collections.abc import Mapping
from typing import Any

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.peers import Manufacturer, Modality, Service
from dicomweb_server.ports.remotes import RemoteKind
from dicomweb_server.services.remotes import Codec

# Names of earlier releases of Orthanc for nodes that have the habits of another one.
FORMER_MANUFACTURERS: Mapping[str, str] = {
    "ClearCanvas": "Generic",
    "Dcm4Chee": "Generic",
    "EFilm2": "Generic",
    "MedInria": "Generic",
    "StoreScp": "Generic",
    "SyngoVia": "GenericNoWildcardInDates",
    "AgfaImpax": "GenericNoWildcardInDates",
    # A newer name; what is special about it is not known here.
    "SiemensSyngoCT": "Generic",
}
_AE_TITLE = re.compile(r"[\x20-\x5b\x5d-\x7e]{1,16}")
_HOST = re.compile(r"[A-Za-z0-9._:%-]{1,253}")
_PERMISSIONS: Mapping[str, tuple[Service, ...]] = {
    "AllowEcho": (Service.ECHO,),
    "AllowStore": (Service.STORE, Service.AVAILABILITY),
    "AllowFind": (Service.FIND,),
    "AllowFindWorklist": (Service.WORKLIST, Service.MPPS),
    "AllowGet": (Service.GET,),
    "AllowMove": (Service.MOVE,),
    "AllowStorageCommitment": (Service.COMMITMENT,),
    "AllowNAction": (Service.COMMITMENT,),
    "AllowEventReport": (),
}
_ALLOW_WORKITEMS = "AllowUps"  # a word of ours; without it, they are for nodes that may do everything
_LIST = ("AET", "Host", "Port", "Manufacturer")
_MOST_SECONDS = 3600
_MOST_ASSOCIATIONS = 16
_MOST_ASSOCIATIONS_IN_ALL = 1000
_MOST_BANDWIDTH = 2**40


def read_modality(raw: Any) -> Modality:
    """A node, from an object or a list; ServerError(BAD_REQUEST)."""
    if isinstance(raw, list) and len(raw) in (3, 4):
        raw = dict(zip(_LIST, raw, strict=False))
    if not isinstance(raw, dict):
        raise _wrong('a JSON object with AET, Host and Port, or a list ["AET", "host", port]')
    local = _text(raw, "LocalAet")
    return Modality(
        ae_title=_matching(_text(raw, "AET"), _AE_TITLE, "AET: 1 to 16 printable ASCII characters, no backslash"),
        host=_matching(_text(raw, "Host"), _HOST, "Host: a host name or address"),
        port=_number(raw, "Port", None, 1, 65_535),
        allow=_allowed(raw),
        tls=_flag(raw, "UseDicomTls", default=False),
        associations=_number(raw, "Associations", 1, 1, _MOST_ASSOCIATIONS),
        manufacturer=_manufacturer(_text(raw, "Manufacturer") or "Generic"),
        timeout=_number(raw, "Timeout", 0, 0, _MOST_SECONDS) or None,
        local_ae_title=_matching(local, _AE_TITLE, "LocalAet: an AE title") if local else "",
        transcoding=_flag(raw, "AllowTranscoding", default=True),
        max_associations=_number(raw, "MaxAssociations", 0, 0, _MOST_ASSOCIATIONS_IN_ALL),
        bandwidth=_number(raw, "Bandwidth", 0, 0, _MOST_BANDWIDTH),
    )


def written_modality(modality: Modality) -> dict[str, Any]:
    """A node with all its members."""
    permissions = {
        name: all(service in modality.allow for service in services) for name, services in _PERMISSIONS.items()
    }
    return {
        "AET": modality.ae_title,
        "Host": modality.host,
        "Port": modality.port,
        "Manufacturer": modality.manufacturer.value,
        "UseDicomTls": modality.tls,
        "LocalAet": modality.local_ae_title,
        "Timeout": round(modality.timeout or 0),
        "AllowTranscoding": modality.transcoding,
        "Associations": modality.associations,
        "MaxAssociations": modality.max_associations,
        "Bandwidth": modality.bandwidth,
        **permissions,
        _ALLOW_WORKITEMS: Service.UPS in modality.allow,
    }


MODALITIES = Codec(RemoteKind.MODALITY, read_modality, written_modality)


def _allowed(raw: Mapping[str, Any]) -> frozenset[Service]:
    allowed = set(Service)
    for name, services in _PERMISSIONS.items():
        if not _flag(raw, name, default=True):
            allowed -= set(services)
    if not _flag(raw, _ALLOW_WORKITEMS, default=allowed == set(Service)):
        allowed.discard(Service.UPS)
    return frozenset(allowed)


def _manufacturer(name: str) -> Manufacturer:
    try:
        return Manufacturer(FORMER_MANUFACTURERS.get(name, name))
    except ValueError:
        known = ", ".join(each.value for each in Manufacturer)
        raise _wrong(f"Manufacturer: one of {known}") from None


def _text(raw: Mapping[str, Any], name: str) -> str:
    value = raw.get(name, "")
    if not isinstance(value, str):
        raise _wrong(f"{name}: a text")
    return value.strip()


def _matching(text: str, pattern: re.Pattern[str], expected: str) -> str:
    if not pattern.fullmatch(text):
        raise _wrong(expected)
    return text


def _number(raw: Mapping[str, Any], name: str, default: int | None, least: int, most: int) -> int:
    """A whole number; configurations have ports as texts too."""
    value = raw.get(name, default)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 8:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise _wrong(f"{name}: a whole number from {least} to {most}")
    return value


def _flag(raw: Mapping[str, Any], name: str, *, default: bool) -> bool:
    value = raw.get(name, default)
    if not isinstance(value, bool):
        raise _wrong(f"{name}: true or false")
    return value


def _wrong(expected: str) -> ServerError:
    return ServerError(Reason.BAD_REQUEST, f"expected is {expected}")
