"""Options about other servers; a part of the table of options."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dicomweb_server.ports.remotes import DicomWebServer, OrthancPeer
from dicomweb_server.settings.kinds import Choice, FilePath, Integer, Seconds, Size, Text, Toggle
from dicomweb_server.settings.option import option
from dicomweb_server.settings.rest_options import RestSettings
from dicomweb_server.settings.web_remotes import PEERS, SERVERS

_GROUP = "Other servers"
_PROXY = Text("empty, or the URL of a proxy", r"(https?|socks5)://[^\s]+", optional=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteSettings(RestSettings):
    """How we talk to other servers; the DICOM nodes themselves are in the group DIMSE."""

    peers: Mapping[str, OrthancPeer] = option(
        _GROUP, PEERS, "Servers with Orthanc's REST API that instances can be sent to.", default={}, secret=True
    )
    dicomweb_servers: Mapping[str, DicomWebServer] = option(
        _GROUP, SERVERS, "DICOMweb servers that can be asked and sent to.", default={}, secret=True
    )
    modalities_in_database: bool = option(
        _GROUP,
        Toggle(),
        "Know only those DICOM nodes that were told at run time, not those of the configuration.",
        default=False,
    )
    peers_in_database: bool = option(
        _GROUP,
        Toggle(),
        "Know only those peers that were told at run time, not those of the configuration.",
        default=False,
    )
    web_client_timeout: float = option(
        _GROUP, Seconds(1, 86_400), "How long to wait for another web server to go on.", default=60.0
    )
    web_client_verify: bool = option(
        _GROUP, Toggle(), "Refuse other web servers whose certificate cannot be trusted.", default=True
    )
    web_client_ca: Path | None = option(
        _GROUP,
        FilePath(optional=True),
        "File with certificates of those who may have signed other web servers' certificates; empty: the system's.",
        default=None,
    )
    web_client_proxy: str | None = option(
        _GROUP, _PROXY, "Proxy by which other web servers are reached.", default=None, secret=True
    )
    stow_instances: int = option(
        _GROUP, Integer(1, 10_000), "Most instances in one store request to another DICOMweb server.", default=100
    )
    stow_size: int = option(
        _GROUP,
        Size(1, 2**40),
        "Most bytes in one store request to another DICOMweb server, unless one instance alone is larger.",
        default=64 * 2**20,
    )
    retry_for: float = option(
        _GROUP,
        Seconds(0, 30 * 86_400),
        "How long a job goes on trying a destination that is away.",
        default=86_400.0,
    )
    retrieve_method: str = option(
        _GROUP,
        Choice(("move", "get")),
        "How the answers of a query are fetched, unless a request says it.",
        default="move",
    )
    echo_checks_find: bool = option(
        _GROUP, Toggle(), "A C-ECHO test also tests whether the node answers C-FIND.", default=False
    )
    log_exports: bool = option(
        _GROUP, Toggle(), "Keep a log of what was sent to other servers, shown at /exports.", default=False
    )
    kept_queries: int = option(
        _GROUP, Integer(1, 100_000), "How many queries are kept with their answers.", default=100
    )
