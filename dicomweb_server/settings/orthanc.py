"""Translates the options of an Orthanc configuration to ours."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dicomweb_server.settings import orthanc_entities, orthanc_worklists
from dicomweb_server.settings.failure import SettingsError
from dicomweb_server.settings.orthanc_file import read_configuration
from dicomweb_server.settings.orthanc_flag import flag
from dicomweb_server.settings.orthanc_modalities import modalities
from dicomweb_server.settings.orthanc_names import MET, MET_WHEN
from dicomweb_server.settings.orthanc_remotes import DICOMWEB_KNOWN, DICOMWEB_OURS, dicomweb_remotes
from dicomweb_server.settings.orthanc_remotes import DIRECT as REMOTES
from dicomweb_server.settings.passwords import hash_password

_UNLIMITED_SEARCH = 1_000_000
_ALL_ADDRESSES = ["0.0.0.0"]  # noqa: S104 - what the configuration asks for

Configuration = Mapping[str, Any]


@dataclass(slots=True)
class Translated:
    """Raw values by the name of our option, each with the Orthanc option that it came from."""

    values: dict[str, tuple[object, str]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def translate(path: Path, environment: Mapping[str, str]) -> Translated:
    """Read and translate a file, or the `*.json` files of a folder; options without equivalent become one warning."""
    configuration = read_configuration(path, environment)
    translated = Translated()
    for name, (ours, convert) in _DIRECT.items():
        if name in configuration:
            translated.values[ours] = (convert(name, configuration[name]), name)
    handled = set(_DIRECT)
    for names, _, apply in _COMBINED:
        handled.update(names)
        apply(configuration, translated.values)
    _warn(configuration, handled, translated.warnings)
    return translated


def _same(_name: str, raw: object) -> object:
    return raw


def _none_is(value: object) -> Callable[[str, object], object]:
    return lambda _name, raw: value if raw == 0 else raw


def _overwrite(name: str, raw: object) -> str:
    return "replace" if flag(name, raw) else "keep"


def _sync(name: str, raw: object) -> str:
    return "full" if flag(name, raw) else "off"


def _megabytes(_name: str, raw: object) -> object:
    return 2**42 if raw == 0 else f"{raw} MiB"


def _processors(_name: str, raw: object) -> object:
    """0 stands for one job per processor."""
    return (os.cpu_count() or 1) if raw == 0 else raw


def _extra_attributes(name: str, raw: object) -> list[str]:
    if not isinstance(raw, Mapping) or not all(isinstance(row, list) for row in raw.values()):
        raise SettingsError(f"{name} is not allowed; allowed is an object of level: list of attributes")
    return [f"{level.lower()}:{str(tag).replace(',', '')}" for level, tags in raw.items() for tag in tags]


_DIRECT: dict[str, tuple[str, Callable[[str, object], object]]] = {
    "StorageDirectory": ("data", _same),
    "IndexDirectory": ("index", _same),
    "Name": ("name", _same),
    "OverwriteInstances": ("on_duplicate", _overwrite),
    "SyncStorageArea": ("sync", _sync),
    "ExtraMainDicomTags": ("extra_attributes", _extra_attributes),
    "AcceptedSopClasses": ("accepted_sop_classes", _same),
    "RejectedSopClasses": ("rejected_sop_classes", _same),
    "UnknownSopClassAccepted": ("unknown_sop_classes", _same),
    "IngestTranscoding": ("ingest_transcoding", _same),
    "DicomLossyTranscodingQuality": ("lossy_quality", _same),
    "HttpServerEnabled": ("http", _same),
    "HttpPort": ("http_port", _same),
    "HttpCompressionEnabled": ("compression", _same),
    "LimitFindResults": ("search_limit", _none_is(_UNLIMITED_SEARCH)),
    "MaximumRequestBodySizeMB": ("max_request_size", _megabytes),
    "HttpRequestTimeout": ("body_timeout", _none_is(3600)),
    "MetricsEnabled": ("metrics", _same),
    "OrthancExplorerEnabled": ("ui", _same),
    "DicomServerEnabled": ("dimse", _same),
    "DicomPort": ("dimse_port", _same),
    "DicomAet": ("ae_title", _same),
    "AcceptedTransferSyntaxes": ("accepted_transfer_syntaxes", _same),
    "DicomCheckCalledAet": ("check_called_ae_title", _same),
    "DicomCheckModalityHost": ("check_modality_host", _same),
    "DicomModalities": ("modalities", modalities),
    "DicomScpTimeout": ("dimse_timeout", _none_is(3600)),
    "DicomScuTimeout": ("scu_timeout", _none_is(3600)),
    "StorageCommitmentReportsSize": ("commitment_reports", _same),
    "DicomAssociationCloseDelay": ("association_close_delay", _same),
    "MaximumPduLength": ("max_pdu_length", _same),
    "SynchronousCMove": ("synchronous_move", _same),
    "CheckRevisions": ("check_revisions", _same),
    "StableAge": ("stable_age", _same),
    "UserContentType": ("user_attachments", _same),
    "UserMetadata": ("user_metadata", _same),
    "ConcurrentJobs": ("concurrent_jobs", _processors),
    "JobsHistorySize": ("jobs_history_size", _same),
    "SaveJobs": ("save_jobs", _same),
} | REMOTES

Values = dict[str, tuple[object, str]]


def _addresses(configuration: Configuration, values: Values) -> None:
    remote = flag("RemoteAccessAllowed", configuration.get("RemoteAccessAllowed", False))
    bound = configuration.get("HttpBindAddresses") or _ALL_ADDRESSES
    if remote:
        values["host"] = (bound, "RemoteAccessAllowed and HttpBindAddresses")
    # Orthanc's DICOM port is open to the network whatever its web server does.
    values["dimse_host"] = (_ALL_ADDRESSES, "DicomServerEnabled")
    values.setdefault("ae_title", ("ORTHANC", "DicomAet"))
    values.setdefault("data", ("OrthancStorage", "StorageDirectory"))


def _ae_titles(configuration: Configuration, values: Values) -> None:
    values["ae_title_case"] = (configuration.get("StrictAetComparison", False), "StrictAetComparison")


def _users(configuration: Configuration, values: Values) -> None:
    remote = configuration.get("RemoteAccessAllowed", False)
    enabled = flag("AuthenticationEnabled", configuration.get("AuthenticationEnabled", remote))
    registered = configuration.get("RegisteredUsers", {})
    if not isinstance(registered, Mapping) or not all(isinstance(word, str) for word in registered.values()):
        raise SettingsError("RegisteredUsers is not allowed; allowed is an object of user name: password")
    if enabled and registered:
        hashed = {name: hash_password(password) for name, password in registered.items()}
        values["users"] = (hashed, "RegisteredUsers")
    elif enabled:
        raise SettingsError(
            "AuthenticationEnabled is true (it is, unless set, where RemoteAccessAllowed is true) but RegisteredUsers "
            "is empty; allowed is at least one user, or AuthenticationEnabled false if everyone may do everything"
        )
    else:
        values["insecure_anonymous"] = (True, "AuthenticationEnabled")


def _tls(configuration: Configuration, values: Values) -> None:
    if flag("SslEnabled", configuration.get("SslEnabled", False)):
        values["tls_certificate"] = (configuration.get("SslCertificate", "certificate.pem"), "SslCertificate")
        if flag("SslVerifyPeers", configuration.get("SslVerifyPeers", False)):
            trusted = configuration.get("SslTrustedClientCertificates", "trustedClientCertificates.pem")
            values["tls_client_ca"] = (trusted, "SslTrustedClientCertificates")


def _dimse_tls(configuration: Configuration, values: Values) -> None:
    """Orthanc has one DICOM port, which is with or without TLS."""
    if not flag("DicomTlsEnabled", configuration.get("DicomTlsEnabled", False)):
        return
    values["dimse_tls_port"] = (configuration.get("DicomPort", 4242), "DicomTlsEnabled")
    values["dimse_port"] = (None, "DicomTlsEnabled")
    values["dimse_tls_certificate"] = (configuration.get("DicomTlsCertificate", ""), "DicomTlsCertificate")
    values["dimse_tls_key"] = (configuration.get("DicomTlsPrivateKey", ""), "DicomTlsPrivateKey")
    trusted = configuration.get("DicomTlsTrustedCertificates", "")
    values["dimse_tls_client_ca"] = (trusted, "DicomTlsTrustedCertificates")
    required = "DicomTlsRemoteCertificateRequired"
    shown = "required" if flag(required, configuration.get(required, True)) else "optional"
    values["dimse_tls_client_certificate"] = (shown, required)


_UNKNOWN_FLAGS = {
    "Echo": ("echo", True),
    "Store": ("store", True),
    "Find": ("find", False),
    "FindWorklist": ("worklist", False),
    "Get": ("get", False),
    "Move": ("move", False),
}


def _unknown_nodes(configuration: Configuration, values: Values) -> None:
    allow = [
        operation
        for name, (operation, default) in _UNKNOWN_FLAGS.items()
        if flag(f"DicomAlwaysAllow{name}", configuration.get(f"DicomAlwaysAllow{name}", default))
    ]
    values["unknown_allow"] = (allow, "DicomAlwaysAllow…")


def _keep_alive(configuration: Configuration, values: Values) -> None:
    if not flag("KeepAlive", configuration.get("KeepAlive", True)):
        values["keep_alive_timeout"] = (0, "KeepAlive")
    elif "KeepAliveTimeout" in configuration:
        values["keep_alive_timeout"] = (configuration["KeepAliveTimeout"], "KeepAliveTimeout")


def _ingest_transcoding(configuration: Configuration, values: Values) -> None:
    of = [
        kind.lower()
        for kind in ("Compressed", "Uncompressed")
        if flag(f"IngestTranscodingOf{kind}", configuration.get(f"IngestTranscodingOf{kind}", True))
    ]
    values["ingest_transcoding_of"] = (of, "IngestTranscodingOf…")


def _search_limit(configuration: Configuration, values: Values) -> None:
    if "LimitFindResults" not in configuration and "LimitFindInstances" in configuration:
        limit = configuration["LimitFindInstances"] or _UNLIMITED_SEARCH
        values["search_limit"] = (limit, "LimitFindInstances")


def _dicomweb(configuration: Configuration, values: Values) -> None:
    section = configuration.get("DicomWeb", {})
    if not isinstance(section, Mapping):
        raise SettingsError("DicomWeb is not allowed; allowed is an object")
    root = "/" + str(section.get("Root", "/dicom-web/")).strip("/")
    values["dicomweb_root"] = (root, "DicomWeb.Root")
    if not flag("DicomWeb.EnableWado", section.get("EnableWado", True)):
        values["wado_uri_root"] = ("", "DicomWeb.EnableWado")
    elif "WadoRoot" in section:
        values["wado_uri_root"] = ("/" + str(section["WadoRoot"]).strip("/"), "DicomWeb.WadoRoot")
    host = str(section.get("Host", ""))
    if host:
        scheme = "https" if flag("DicomWeb.Ssl", section.get("Ssl", False)) else "http"
        public = str(section.get("PublicRoot", root)).strip("/")
        values["public_url"] = (f"{scheme}://{host}/{public}", "DicomWeb.Host")
    dicomweb_remotes(section, values)


# Orthanc's options that are read together, ours that they decide, and how.
_COMBINED: tuple[tuple[tuple[str, ...], tuple[str, ...], Callable[[Configuration, Values], None]], ...] = (
    (("RemoteAccessAllowed", "HttpBindAddresses"), ("host",), _addresses),
    (("StrictAetComparison",), ("ae_title_case",), _ae_titles),
    (("AuthenticationEnabled", "RegisteredUsers"), ("users", "insecure_anonymous"), _users),
    (
        ("SslEnabled", "SslCertificate", "SslVerifyPeers", "SslTrustedClientCertificates"),
        ("tls_certificate", "tls_client_ca"),
        _tls,
    ),
    (
        tuple(f"DicomAlwaysAllow{word}" for word in _UNKNOWN_FLAGS),
        ("unknown_allow",),
        _unknown_nodes,
    ),
    (
        (
            "DicomTlsEnabled",
            "DicomTlsCertificate",
            "DicomTlsPrivateKey",
            "DicomTlsTrustedCertificates",
            "DicomTlsRemoteCertificateRequired",
        ),
        (
            "dimse_tls_port",
            "dimse_tls_certificate",
            "dimse_tls_key",
            "dimse_tls_client_ca",
            "dimse_tls_client_certificate",
        ),
        _dimse_tls,
    ),
    (("KeepAlive", "KeepAliveTimeout"), ("keep_alive_timeout",), _keep_alive),
    (
        ("IngestTranscodingOfCompressed", "IngestTranscodingOfUncompressed"),
        ("ingest_transcoding_of",),
        _ingest_transcoding,
    ),
    (("LimitFindInstances",), ("search_limit",), _search_limit),
    (("DicomWeb",), ("dicomweb_root", "wado_uri_root", "public_url", *DICOMWEB_OURS), _dicomweb),
    ((orthanc_worklists.SECTION,), orthanc_worklists.OURS, orthanc_worklists.read_worklists),
    ((orthanc_entities.SECTION,), orthanc_entities.OURS, orthanc_entities.read_entities),
)
EQUIVALENTS: tuple[tuple[str, tuple[str, ...]], ...] = tuple(
    sorted(
        [(theirs, (ours,)) for theirs, (ours, _) in _DIRECT.items()]
        + [(theirs, ours) for names, ours, _ in _COMBINED for theirs in names]
    )
)
_DICOMWEB_KNOWN = frozenset({"Enable", "Root", "Host", "Ssl", "PublicRoot"}) | DICOMWEB_KNOWN


def _warn(configuration: Configuration, handled: set[str], warnings: list[str]) -> None:
    names = [
        name
        for name, value in configuration.items()
        if name not in handled and name not in MET and not (name in MET_WHEN and MET_WHEN[name] == value)
    ]
    section = configuration.get("DicomWeb", {})
    names += [f"DicomWeb.{name}" for name in section if name not in _DICOMWEB_KNOWN]
    if section.get("Enable") is False:
        names.append("DicomWeb.Enable")
    for part in (orthanc_worklists, orthanc_entities):
        names += [f"{part.SECTION}.{name}" for name in configuration.get(part.SECTION, {}) if name not in part.KNOWN]
    if names:
        warnings.append(
            f"{len(names)} options of the Orthanc configuration have no equivalent here and are not obeyed: "
            + ", ".join(sorted(names))
        )
