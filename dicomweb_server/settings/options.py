"""THE table of options: every one once, with its name, type, default and one documented line."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dicomweb_server.settings.access_options import AccessSettings
from dicomweb_server.settings.ingest_rules import IngestRule, IngestRules
from dicomweb_server.settings.kinds import (
    Choice,
    FilePath,
    Integer,
    Port,
    Seconds,
    Several,
    Size,
    Text,
    Toggle,
    Users,
)
from dicomweb_server.settings.modalities import AE_TITLE, OPERATIONS, Modalities, Modality
from dicomweb_server.settings.option import Option
from dicomweb_server.settings.option import option as _option
from dicomweb_server.settings.viewer_links import ViewerLinks

_HOST = Text("a host name or an IP address", r"[A-Za-z0-9._:%-]{1,253}")
_ORIGIN = Text('an origin such as "https://viewer.example", or "*"', r"\*|https?://[^/\s,]+")
_NETWORK = Text(
    'an IP address, a network such as "10.0.0.0/8", or "*" for everyone', r"\*|[0-9A-Fa-f.:]+(/[0-9]{1,3})?"
)
_UID = Text("a UID, or a pattern of UIDs with * and ?", r"[0-9.*?]{1,64}")
_ROOT = Text('a path that starts with "/" and does not end with it', r"(/[A-Za-z0-9._~-]+)+")
_SEGMENT = Text('empty, or a path of one segment such as "/wado"', r"/[A-Za-z0-9._~-]+", optional=True)
_URL = Text("empty, or a URL that starts with http:// or https://", r"https?://[^/\s?#]+(/[^\s?#]*)?", optional=True)
_PORT = Integer(0, 65535)
_EXTRA = Text(
    "level:attribute, the level one of patient, study, series, instance, the attribute a keyword or eight hex digits",
    r"(patient|study|series|instance):([A-Za-z][A-Za-z0-9]{0,63}|[0-9A-Fa-f]{8})",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(AccessSettings):
    """The whole configuration of one server."""

    # Storage
    data: Path = _option(
        "Storage", FilePath(), "Folder that holds everything that is stored.", default=Path("dicomweb-data")
    )
    index: Path | None = _option(
        "Storage", FilePath(optional=True), "Folder of the index, if not the data folder.", default=None
    )
    ephemeral: bool = _option(
        "Storage", Toggle(), "Store in a temporary folder that is removed when the server stops.", default=False
    )
    on_duplicate: str = _option(
        "Storage",
        Choice(("keep", "replace", "reject")),
        "Other bytes arrive under a SOP Instance UID that is stored: keep the first, replace it, or reject the new.",
        default="keep",
    )
    sync: str = _option(
        "Storage",
        Choice(("full", "off")),
        "full: what was answered survives a power cut; off: it survives a crash of the server only, but is faster.",
        default="full",
    )
    extra_attributes: tuple[str, ...] = _option(
        "Storage",
        Several(_EXTRA),
        "Attributes to index beside the usual ones, such as study:StudyComments.",
        default=(),
    )
    rejected_sop_classes: tuple[str, ...] = _option(
        "Storage", Several(_UID), "SOP classes that are refused, from whatever door.", default=()
    )
    accepted_sop_classes: tuple[str, ...] = _option(
        "Storage", Several(_UID), "If given, the only SOP classes that are accepted.", default=()
    )
    preamble: str = _option(
        "Storage",
        Choice(("cleared", "kept")),
        "What becomes of the 128 bytes before a file's DICM, in which a program can hide; those of a TIFF are kept.",
        default="cleared",
    )
    max_instance_size: int = _option(
        "Storage", Size(2**20, 2**42), "Largest instance that is accepted, in bytes.", default=2**34
    )

    # Pixels
    pixel_processes: int = _option(
        "Pixels",
        Integer(0, 1024),
        "Processes that decode, encode and render images; 0: as many as there are processors.",
        default=0,
    )
    pixel_memory: int = _option(
        "Pixels", Size(2**28, 2**40), "Address space that each of them may take, in bytes.", default=2**32
    )
    pixel_time: float = _option(
        "Pixels", Seconds(1, 3600), "Longest time for one piece of their work, mostly one frame.", default=60.0
    )
    pixel_cache: int = _option(
        "Pixels", Size(0, 2**40), "Memory for frames that were decoded, encoded or rendered, in bytes.", default=2**28
    )

    transcoding_cache: int = _option(
        "Pixels",
        Size(0, 2**40),
        "Room on the disk for what was transcoded when it was asked for, in bytes; 0 keeps none.",
        default=2**30,
    )
    thumbnail_cache: int = _option(
        "Pixels",
        Size(0, 2**40),
        "Room on the disk for thumbnails that were made, in bytes; 0 keeps none.",
        default=2**30,
    )
    ingest_transcoding: str | None = _option(
        "Pixels",
        Text("empty, or the UID of a transfer syntax", r"[0-9.]{1,64}", optional=True),
        "Transfer syntax into which everything that arrives is brought; one with losses makes other instances of it.",
        default=None,
    )
    ingest_transcoding_of: tuple[str, ...] = _option(
        "Pixels",
        Several(Choice(("compressed", "uncompressed"))),
        "Which instances that arrive are brought into it, by how their pixels are stored.",
        default=("compressed", "uncompressed"),
    )
    ingest_transcoding_rules: Mapping[str, IngestRule] = _option(
        "Pixels",
        IngestRules(),
        "What is brought into another transfer syntax than that, or into none: the first rule that applies decides.",
        default={},
    )
    lossy_quality: int = _option(
        "Pixels",
        Integer(1, 100),
        "Quality of what is compressed with losses; such transfer syntaxes are used only where a client names them.",
        default=90,
    )

    # Web
    http: bool = _option("Web", Toggle(), "Serve HTTP at all.", default=True)
    host: tuple[str, ...] = _option(
        "Web", Several(_HOST), "Addresses to listen on; 0.0.0.0 and :: are all of them.", default=("127.0.0.1",)
    )
    http_port: int = _option("Web", _PORT, "Port of HTTP; 0 takes any free one.", default=8042)
    dicomweb_root: str = _option("Web", _ROOT, "Path below which the DICOMweb services are.", default="/dicom-web")
    wado_uri_root: str | None = _option(
        "Web", _SEGMENT, "Path of WADO-URI at the root of the server; empty to have none.", default="/wado"
    )
    rest: bool = _option(
        "Web", Toggle(), "Serve the REST interface in Orthanc's style at the root of the server.", default=True
    )
    public_url: str | None = _option(
        "Web",
        _URL,
        "URL of the DICOMweb root as clients see it, written into answers; without it, taken from each request.",
        default=None,
    )
    trusted_proxies: tuple[str, ...] = _option(
        "Web",
        Several(_NETWORK),
        "Proxies whose Forwarded and X-Forwarded-* headers are believed when URLs are written into answers.",
        default=("127.0.0.0/8", "::1/128"),
    )
    cors_origins: tuple[str, ...] = _option(
        "Web", Several(_ORIGIN), "Origins whose pages may call this server (CORS).", default=()
    )
    compression: bool = _option("Web", Toggle(), "Compress JSON and XML for clients that ask for it.", default=True)
    search_limit: int = _option(
        "Web", Integer(1, 1_000_000), "Most matches in one answer to a search; a client can page beyond.", default=1000
    )
    refuse_unfiltered: bool = _option(
        "Web", Toggle(), "Refuse searches without any key, which would page through everything.", default=False
    )
    commitment_wait: float = _option(
        "Web",
        Seconds(0, 600),
        "How long a request for storage commitment by HTTP waits for its answer before it is answered 202.",
        default=5.0,
    )
    max_request_size: int = _option(
        "Web", Size(2**20, 2**42), "Largest body of a request, in bytes; larger ones are answered 413.", default=2**36
    )
    tls_certificate: Path | None = _option(
        "Web", FilePath(optional=True), "PEM file of the certificate chain; turns HTTPS on.", default=None
    )
    tls_key: Path | None = _option(
        "Web", FilePath(optional=True), "PEM file of the private key, if not in the certificate's file.", default=None
    )
    tls_client_ca: Path | None = _option(
        "Web",
        FilePath(optional=True),
        "PEM file of authorities; clients must then show a certificate of them.",
        default=None,
    )

    # Access
    users: Mapping[str, str] = _option(
        "Access",
        Users(),
        "Users of HTTP Basic authentication, with hashes of their passwords.",
        default={},
        secret=True,
    )
    insecure_anonymous: bool = _option(
        "Access",
        Toggle(),
        "Serve beyond this machine although there are no users: everyone may do everything.",
        default=False,
    )

    # Limits
    header_timeout: float = _option(
        "Limits", Seconds(0.1, 3600), "Time for a request's header to arrive whole.", default=10.0
    )
    keep_alive_timeout: float = _option(
        "Limits",
        Seconds(0, 3600),
        "How long an idle HTTP connection stays open; 0 closes it after each answer.",
        default=75.0,
    )
    body_timeout: float = _option(
        "Limits", Seconds(0.1, 3600), "A request's body must bring min_body_rate within each such span.", default=30.0
    )
    min_body_rate: int = _option(
        "Limits",
        Integer(0, 10**9),
        "Slowest body that is accepted, in bytes per second; slower is cut with 408.",
        default=1024,
    )
    write_timeout: float = _option(
        "Limits",
        Seconds(0.1, 3600),
        "A client that takes nothing of an answer for this long is disconnected.",
        default=60.0,
    )
    max_header_size: int = _option("Limits", Size(1024, 2**24), "Largest header of a request, in bytes.", default=2**16)
    max_header_count: int = _option("Limits", Integer(8, 10_000), "Most header fields of a request.", default=128)
    max_connections: int = _option("Limits", Integer(1, 100_000), "Most HTTP connections at one time.", default=2000)
    max_connections_per_address: int = _option(
        "Limits", Integer(0, 100_000), "Most HTTP connections from one address; 0 is no such limit.", default=0
    )
    stop_timeout: float = _option(
        "Limits",
        Seconds(0, 3600),
        "How long a stopping server waits for requests and associations to end.",
        default=30.0,
    )

    # DIMSE
    dimse: bool = _option("DIMSE", Toggle(), "Serve DIMSE (C-STORE and the others) at all.", default=True)
    dimse_host: tuple[str, ...] = _option(
        "DIMSE", Several(_HOST), "Addresses to listen on for DIMSE, if not those of `host`.", default=()
    )
    dimse_port: int | None = _option("DIMSE", Port(), "Port of DIMSE without TLS; 0 takes any free one.", default=4242)
    dimse_tls_port: int | None = _option("DIMSE", Port(), "Port of DIMSE over TLS (PS3.15 B.12).", default=None)
    dimse_tls_certificate: Path | None = _option(
        "DIMSE", FilePath(optional=True), "PEM file of the certificate chain for DIMSE over TLS.", default=None
    )
    dimse_tls_key: Path | None = _option(
        "DIMSE",
        FilePath(optional=True),
        "PEM file of its private key, if not in the certificate's file.",
        default=None,
    )
    dimse_tls_client_ca: Path | None = _option(
        "DIMSE",
        FilePath(optional=True),
        "PEM file of authorities of other nodes' certificates; whoever calls over TLS must then show one of them.",
        default=None,
    )
    ae_title: str = _option("DIMSE", AE_TITLE, "AE title of this server.", default="DICOMWEB")
    check_called_ae_title: bool = _option(
        "DIMSE", Toggle(), "Refuse associations that call another AE title than ours.", default=False
    )
    check_modality_host: bool = _option(
        "DIMSE", Toggle(), "Accept a configured modality from its configured host only.", default=False
    )
    unknown_allow: tuple[str, ...] = _option(
        "DIMSE", Several(Choice(OPERATIONS)), "What nodes that are not configured may do.", default=("echo", "store")
    )
    modalities: Mapping[str, Modality] = _option(
        "DIMSE", Modalities(), "DICOM nodes that we know: what they may do, and where C-MOVE sends.", default={}
    )
    unknown_sop_classes: bool = _option(
        "DIMSE",
        Toggle(),
        "Accept SOP classes that the standard does not list, not only those called special cases of listed ones.",
        default=True,
    )
    on_mismatch: str = _option(
        "DIMSE",
        Choice(("refuse", "warn")),
        "A data set with other UIDs than its C-STORE command: refuse it, or store it under its own with a warning.",
        default="refuse",
    )
    max_associations: int = _option("DIMSE", Integer(1, 10_000), "Most associations at one time.", default=100)
    max_pdu_length: int = _option(
        "DIMSE", Integer(4096, 2**20), "Longest PDU that we announce, in bytes.", default=131072
    )
    dimse_timeout: float = _option(
        "DIMSE", Seconds(1, 3600), "How long an association may be silent before it is aborted.", default=30.0
    )
    scu_timeout: float = _option(
        "DIMSE", Seconds(1, 3600), "How long to wait for each answer of a node that we ask.", default=60.0
    )
    association_close_delay: float = _option(
        "DIMSE",
        Seconds(0, 3600),
        "How long an association on which we sent stays open for what is sent next; 0 releases it at once.",
        default=5.0,
    )

    # Operation
    name: str = _option(
        "Operation", Text("a text"), "Name of this server, shown on its first page.", default="dicomweb-server"
    )
    log_format: str = _option(
        "Operation",
        Choice(("text", "json")),
        "Form of log lines: key=value text, or one JSON object each.",
        default="text",
    )
    log_level: str = _option(
        "Operation", Choice(("debug", "info", "warning", "error")), "Least severity that is logged.", default="info"
    )
    metrics: bool = _option("Operation", Toggle(), "Serve Prometheus metrics at /metrics.", default=True)
    ui: bool = _option(
        "Operation", Toggle(), "Serve the explorer, a small page to look at what is stored.", default=True
    )
    ohif: Path | None = _option(
        "Operation",
        FilePath(optional=True),
        "Folder with a build of the viewer OHIF, served at /viewer and linked from the explorer.",
        default=None,
    )
    viewer_links: Mapping[str, str] = _option(
        "Operation", ViewerLinks(), "Other viewers that the explorer links to, such as Weasis.", default={}
    )
    docs: bool = _option("Operation", Toggle(), "Serve a browsable description of the API at /docs.", default=True)


def _options() -> dict[str, Option]:
    rows = {}
    inherited = {item.name for item in dataclasses.fields(AccessSettings)}
    for item in sorted(dataclasses.fields(Settings), key=lambda item: item.name in inherited):
        known = item.metadata
        rows[item.name] = Option(
            item.name, known["group"], known["kind"], known["default"], known["doc"], known["secret"]
        )
    return rows


OPTIONS: Mapping[str, Option] = _options()
