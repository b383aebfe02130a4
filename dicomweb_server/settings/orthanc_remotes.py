"""Orthanc's options about other servers, and what they are here; a part of the table of its options."""

from collections.abc import Callable, Mapping
from typing import Any

from dicomweb_server.settings.failure import SettingsError

_LONGEST = 86_400


def _same(_name: str, raw: object) -> object:
    return raw


def _timeout(_name: str, raw: object) -> object:
    return _LONGEST if raw == 0 else raw


def _method(name: str, raw: object) -> str:
    words = {"C-MOVE": "move", "C-GET": "get"}
    if raw not in words:
        raise SettingsError(f"{name} = {raw!r} is not allowed; allowed is C-MOVE or C-GET")
    return words[str(raw)]


def _proxy(_name: str, raw: object) -> object:
    return f"http://{raw}" if isinstance(raw, str) and raw and "://" not in raw else raw


def _at_least_one(_name: str, raw: object) -> object:
    return max(raw, 1) if isinstance(raw, int) else raw


DIRECT: dict[str, tuple[str, Callable[[str, object], object]]] = {
    "DicomDefaultRetrieveMethod": ("retrieve_method", _method),
    "DicomEchoChecksFind": ("echo_checks_find", _same),
    "DicomModalitiesInDatabase": ("modalities_in_database", _same),
    "HttpProxy": ("web_client_proxy", _proxy),
    "HttpTimeout": ("web_client_timeout", _timeout),
    "HttpsCACertificates": ("web_client_ca", _same),
    "HttpsVerifyPeers": ("web_client_verify", _same),
    "LogExportedResources": ("log_exports", _same),
    "OrthancPeers": ("peers", _same),
    "OrthancPeersInDatabase": ("peers_in_database", _same),
    "QueryRetrieveSize": ("kept_queries", _at_least_one),
}
# Of the section DicomWeb.
DICOMWEB_KNOWN = frozenset({"Servers", "StowMaxInstances", "StowMaxSize"})
DICOMWEB_OURS = ("dicomweb_servers", "stow_instances", "stow_size")


def dicomweb_remotes(section: Mapping[str, Any], values: dict[str, tuple[object, str]]) -> None:
    """The servers that the DICOMweb plugin knows, and how much it sends them at one time (0: without a limit)."""
    if "Servers" in section:
        values["dicomweb_servers"] = (section["Servers"], "DicomWeb.Servers")
    if "StowMaxInstances" in section:
        values["stow_instances"] = (section["StowMaxInstances"] or 10_000, "DicomWeb.StowMaxInstances")
    if "StowMaxSize" in section:
        size = section["StowMaxSize"]
        values["stow_size"] = (f"{size} MiB" if size else 2**40, "DicomWeb.StowMaxSize")
