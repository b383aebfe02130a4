"""An Orthanc configuration as it is: comments, folders, and what each option becomes."""

import json
from pathlib import Path
from typing import Any

import pytest

from dicomweb_server.ports.remotes import WebAddress
from dicomweb_server.settings import Settings, SettingsError, load
from dicomweb_server.settings.modalities import OPERATIONS
from dicomweb_server.settings.orthanc_file import strip_comments
from dicomweb_server.settings.passwords import verify_password

COMMENTED = r"""
/**
 * A block of words
 **/
{
  // The name, with "quotes" and // in the value
  "Name" : "Archive // of \"A\" /* no comment */",
  "HttpPort" : 8043, /* inline */ "DicomPort" : 4243,
  "StorageDirectory" : "store",
  "DicomAet" : "ARCHIVE",   // trailing comma next
}
"""


def settings_of(tmp_path: Path, **options: Any) -> Settings:
    return loaded(tmp_path, **options)[0]


def loaded(tmp_path: Path, **options: Any) -> tuple[Settings, tuple[str, ...]]:
    path = tmp_path / "orthanc.json"
    path.write_text(json.dumps(options))
    found = load(config=path)
    return found.settings, found.warnings


def test_comments_and_trailing_commas_are_allowed(tmp_path: Path) -> None:
    path = tmp_path / "orthanc.json"
    path.write_text(COMMENTED)
    settings = load(config=path).settings
    assert settings.name == 'Archive // of "A" /* no comment */'
    assert (settings.http_port, settings.dimse_port, settings.ae_title) == (8043, 4243, "ARCHIVE")
    assert settings.data == tmp_path / "store"


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ('"a//b"', '"a//b"'),
        ('1 // x\n, 2', "1  \n, 2"),
        ("1 /* a\nb */ 2", "1   2"),
        ('"\\"//" // x', '"\\"//"  '),
        ('[1, 2, ]', "[1, 2 ]"),
        ('",]"', '",]"'),
    ],
)  # fmt: skip
def test_strip_comments(text: str, bare: str) -> None:
    assert strip_comments(text) == bare


def test_folder_is_merged(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"HttpPort": 1}')
    (tmp_path / "b.json").write_text('{"DicomPort": 2}')
    (tmp_path / "notes.txt").write_text("ignored")
    settings = load(config=tmp_path).settings
    assert (settings.http_port, settings.dimse_port) == (1, 2)
    (tmp_path / "c.json").write_text('{"HttpPort": 3}')
    with pytest.raises(SettingsError, match="HttpPort is given twice"):
        load(config=tmp_path)


def test_empty_folder_and_broken_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no configuration file"):
        load(config=tmp_path)
    (tmp_path / "a.json").write_text('{"HttpPort": }')
    with pytest.raises(SettingsError, match=r"a\.json cannot be read"):
        load(config=tmp_path)
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(SettingsError, match="not a JSON object"):
        load(config=tmp_path)


def test_variables_are_filled_in(tmp_path: Path) -> None:
    path = tmp_path / "orthanc.json"
    path.write_text('{"Name": "${SITE}-${ROOM:-1}"}')
    assert load(environment={"SITE": 'a"b'}, config=path).settings.name == 'a"b-1'
    with pytest.raises(SettingsError, match="SITE, which is not set"):
        load(config=path)


@pytest.mark.parametrize(
    ("options", "name", "value"),
    [
        ({"IndexDirectory": "/index"}, "index", Path("/index")),
        ({"OverwriteInstances": True}, "on_duplicate", "replace"),
        ({"OverwriteInstances": False}, "on_duplicate", "keep"),
        ({"SyncStorageArea": False}, "sync", "off"),
        ({"HttpServerEnabled": False}, "http", False),
        ({"DicomServerEnabled": False}, "dimse", False),
        ({"HttpCompressionEnabled": False}, "compression", False),
        ({"LimitFindResults": 50}, "search_limit", 50),
        ({"LimitFindResults": 0}, "search_limit", 1_000_000),
        ({"LimitFindInstances": 70}, "search_limit", 70),
        ({"MaximumRequestBodySizeMB": 100}, "max_request_size", 100 * 2**20),
        ({"MaximumRequestBodySizeMB": 0}, "max_request_size", 2**42),
        ({"KeepAlive": False}, "keep_alive_timeout", 0.0),
        ({"KeepAlive": True, "KeepAliveTimeout": 5}, "keep_alive_timeout", 5.0),
        ({"HttpRequestTimeout": 12}, "body_timeout", 12.0),
        ({"DicomScuTimeout": 5}, "scu_timeout", 5.0),
        ({"DicomAssociationCloseDelay": 0}, "association_close_delay", 0.0),
        ({"DicomAlwaysAllowFindWorklist": True}, "unknown_allow", ("echo", "store", "worklist")),
        ({"DicomScpTimeout": 0}, "dimse_timeout", 3600.0),
        ({"MaximumPduLength": 16384}, "max_pdu_length", 16384),
        ({"DicomCheckCalledAet": True}, "check_called_ae_title", True),
        ({"DicomCheckModalityHost": True}, "check_modality_host", True),
        ({"SynchronousCMove": False}, "synchronous_move", False),
        ({"UnknownSopClassAccepted": False}, "unknown_sop_classes", False),
        ({}, "ae_title_case", False),
        ({"StrictAetComparison": True}, "ae_title_case", True),
        ({"AcceptedTransferSyntaxes": ["1.2.840.10008.1.*"]}, "accepted_transfer_syntaxes", ("1.2.840.10008.1.*",)),
        ({"AcceptedSopClasses": ["1.2.3"]}, "accepted_sop_classes", ("1.2.3",)),
        ({"RejectedSopClasses": ["1.2.3"]}, "rejected_sop_classes", ("1.2.3",)),
        ({"MetricsEnabled": False}, "metrics", False),
        ({"OrthancExplorerEnabled": False}, "ui", False),
        ({}, "ae_title", "ORTHANC"),
        ({}, "unknown_allow", ("echo", "store")),
        ({"DicomAlwaysAllowFind": True, "DicomAlwaysAllowEcho": False}, "unknown_allow", ("store", "find")),
        ({}, "host", ("127.0.0.1",)),
        ({}, "dimse_host", ("0.0.0.0",)),
        ({"RemoteAccessAllowed": True, "AuthenticationEnabled": False}, "host", ("0.0.0.0",)),
        (
            {"RemoteAccessAllowed": True, "AuthenticationEnabled": False, "HttpBindAddresses": ["10.0.0.1"]},
            "host",
            ("10.0.0.1",),
        ),
        ({"SslEnabled": True, "SslCertificate": "/c.pem"}, "tls_certificate", Path("/c.pem")),
        ({"SslEnabled": False, "SslCertificate": "/c.pem"}, "tls_certificate", None),
        ({"DicomWeb": {"Root": "/web/"}}, "dicomweb_root", "/web"),
        ({"DicomWeb": {"Host": "a.example", "Ssl": True}}, "public_url", "https://a.example/dicom-web"),
        (
            {"DicomWeb": {"Host": "a.example", "PublicRoot": "/pub/"}},
            "public_url",
            "http://a.example/pub",
        ),
        (
            {"ExtraMainDicomTags": {"Series": ["ProtocolName", "0018,1030"]}},
            "extra_attributes",
            ("series:ProtocolName", "series:00181030"),
        ),
        ({"IngestTranscoding": "1.2.840.10008.1.2.4.80"}, "ingest_transcoding", "1.2.840.10008.1.2.4.80"),
        ({"IngestTranscoding": ""}, "ingest_transcoding", None),
        ({"IngestTranscodingOfCompressed": False}, "ingest_transcoding_of", ("uncompressed",)),
        ({"DicomLossyTranscodingQuality": 75}, "lossy_quality", 75),
    ],
)
def test_option_is_obeyed(tmp_path: Path, options: dict[str, Any], name: str, value: object) -> None:
    assert getattr(settings_of(tmp_path, **options), name) == value


def test_modalities_as_list_and_object(tmp_path: Path) -> None:
    modalities = settings_of(
        tmp_path,
        DicomModalities={
            "a": ["AAA", "10.0.0.1", 104],
            "b": ["BBB", "10.0.0.2", 104, "AgfaImpax"],
            "d": {
                "AET": "DDD",
                "Host": "d.example",
                "Port": 104,
                "Manufacturer": "GE",
                "UseDicomTls": True,
                "Timeout": 7,
                "LocalAet": "US",
                "AllowTranscoding": False,
                "AllowStorageCommitment": False,
                "AllowFindWorklist": False,
            },
            "c": {"AET": "CCC", "Host": "c.example", "Port": 11112, "AllowFind": False, "AllowMove": False},
        },
    ).modalities
    assert (modalities["a"].ae_title, modalities["a"].host, modalities["a"].port) == ("AAA", "10.0.0.1", 104)
    assert modalities["b"].allow == OPERATIONS
    assert modalities["c"].allow == ("echo", "store", "get", "worklist", "commitment", "mpps", "availability")
    assert modalities["b"].manufacturer == "GenericNoWildcardInDates"
    d = modalities["d"]
    assert d.allow == ("echo", "store", "find", "get", "move", "availability")
    assert (d.manufacturer, d.tls, d.timeout, d.local_ae_title, d.transcoding) == ("GE", True, 7, "US", False)
    with pytest.raises(SettingsError, match="modalities"):
        settings_of(tmp_path, DicomModalities={"a": ["AAA", "10.0.0.1", 104, "Nobody"]})


def test_other_servers(tmp_path: Path) -> None:
    settings = settings_of(
        tmp_path,
        OrthancPeers={"one": ["http://one/", "user", "secret"], "two": {"Url": "http://two/", "Timeout": 5}},
        DicomWeb={
            "Servers": {"web": {"Url": "http://web/", "HasDelete": "1"}},
            "StowMaxInstances": 0,
            "StowMaxSize": 3,
        },
        HttpProxy="user:secret@proxy:3128",
        HttpTimeout=0,
        HttpsVerifyPeers=False,
        HttpsCACertificates="ca.pem",
        QueryRetrieveSize=7,
        DicomDefaultRetrieveMethod="C-GET",
        DicomEchoChecksFind=True,
        DicomModalitiesInDatabase=True,
        OrthancPeersInDatabase=True,
    )
    assert settings.peers["one"].address == WebAddress("http://one/", "user", "secret")
    assert settings.peers["two"].address.timeout == 5
    assert settings.dicomweb_servers["web"].deletes
    assert (settings.stow_instances, settings.stow_size) == (10_000, 3 * 2**20)
    assert (settings.web_client_proxy, settings.web_client_timeout) == ("http://user:secret@proxy:3128", 86_400)
    assert (settings.web_client_verify, settings.web_client_ca) == (False, tmp_path / "ca.pem")
    assert (settings.kept_queries, settings.retrieve_method) == (7, "get")
    assert settings.echo_checks_find
    assert settings.modalities_in_database
    assert settings.peers_in_database


def test_secrets_of_peers_are_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="Timeout") as error:
        settings_of(tmp_path, OrthancPeers={"one": {"Url": "http://one/", "Password": "hush", "Timeout": "x"}})
    assert "hush" not in str(error.value)


def test_users_are_hashed(tmp_path: Path) -> None:
    settings = settings_of(
        tmp_path, RemoteAccessAllowed=True, AuthenticationEnabled=True, RegisteredUsers={"alice": "secret"}
    )
    assert "secret" not in str(settings)
    assert verify_password("secret", settings.users["alice"])


def test_remote_access_without_users_is_refused_unless_authentication_is_switched_off(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="RegisteredUsers is empty"):
        settings_of(tmp_path, RemoteAccessAllowed=True)
    assert settings_of(tmp_path, RemoteAccessAllowed=True, AuthenticationEnabled=False).insecure_anonymous


def test_what_is_not_obeyed_is_named_once_in_one_warning(tmp_path: Path) -> None:
    _, warnings = loaded(
        tmp_path,
        HttpPort=8042,
        WebDavDeleteAllowed=True,
        StorageCompression=True,
        StoreDicom=True,  # always so
        LuaScripts=[],  # nothing is asked for
        Worklists={"Enable": True, "Unknown": 1},
        DicomWeb={"Enable": True, "Root": "/dicom-web/", "StudiesMetadata": "Full"},
    )
    assert len(warnings) == 1
    assert warnings[0].endswith("DicomWeb.StudiesMetadata, StorageCompression, WebDavDeleteAllowed, Worklists.Unknown")
    assert warnings[0].startswith("4 options")


def test_worklists_in_a_folder_and_in_the_database(tmp_path: Path) -> None:
    folder = settings_of(
        tmp_path, Worklists={"Enable": True, "Database": "/lists", "FilterIssuerAet": True, "LimitAnswers": 7}
    )
    assert (folder.worklist_folder, folder.worklist_own_station, folder.worklist_limit) == (Path("/lists"), True, 7)
    assert folder.worklist_keep == 0
    database = settings_of(
        tmp_path,
        Worklists={"Directory": "/lists", "SaveInOrthancDatabase": True, "DeleteWorklistsOnStableStudy": False},
    )
    assert (database.worklist_folder, database.worklist_keep) == (None, 86400)
    assert not database.worklist_remove_stored
    assert settings_of(tmp_path, Worklists={"Enable": False, "Directory": "/lists"}).worklist_folder is None
    for wrong in (True, {"SaveInOrthancDatabase": True, "DeleteWorklistsDelay": "a day"}):
        with pytest.raises(SettingsError, match="Worklists"):
            settings_of(tmp_path, Worklists=wrong)


def test_nothing_to_warn_of(tmp_path: Path) -> None:
    assert loaded(tmp_path, HttpPort=8042)[1] == ()


@pytest.mark.parametrize(
    "options",
    [
        {"HttpPort": "eighty"},
        {"HttpPort": 70000},
        {"RemoteAccessAllowed": "yes"},
        {"OverwriteInstances": "sometimes"},
        {"DicomModalities": {"a": ["AAA", "host"]}},
        {"DicomModalities": ["AAA"]},
        {"OrthancPeers": ["http://one/"]},
        {"OrthancPeers": {"a/b": ["http://one/"]}},
        {"DicomWeb": {"Servers": {"a": ["one"]}}},
        {"DicomDefaultRetrieveMethod": "C-STORE"},
        {"DicomModalities": {"a": {"AET": "A", "Host": "h", "Port": 104, "AllowFind": 1}}},
        {"RegisteredUsers": ["alice"]},
        {"ExtraMainDicomTags": ["StudyComments"]},
        {"DicomWeb": True},
        {"DicomAet": "FAR TOO LONG AN AE TITLE"},
    ],
)
def test_wrong_value_is_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="allowed is"):
        settings_of(tmp_path, **options)
