"""Peers and DICOMweb servers as Orthanc writes them: read, kept, and shown without secrets."""

import json
from typing import Any

import pytest

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.remotes import DicomWebServer, OrthancPeer, WebAddress
from dicomweb_server.services.orthanc_remotes import (
    read_peer,
    read_server,
    shown_peer,
    shown_server,
    written_peer,
    written_server,
)

FULL = {
    "Url": "https://peer.example:8443/orthanc/",
    "Username": "user",
    "Password": "secret1",
    "HttpHeaders": {"Token": "secret2"},
    "CertificateFile": "cert.pem",
    "CertificateKeyFile": "key.pem",
    "CertificateKeyPassword": "secret3",
    "Timeout": 42,
    "Color": "blue",
    "Level": 3,
    "Hidden": True,
}


def test_a_list_is_an_address_with_or_without_a_user() -> None:
    assert read_peer(["http://one"]) == OrthancPeer(WebAddress("http://one/"))
    assert read_peer(["http://one/", "u", "p"]) == OrthancPeer(WebAddress("http://one/", "u", "p"))
    assert read_server(["http://one/", "u", "p"]) == DicomWebServer(WebAddress("http://one/", "u", "p"))


def test_an_object_says_all() -> None:
    peer = read_peer(FULL)
    assert peer.address == WebAddress(
        "https://peer.example:8443/orthanc/",
        "user",
        "secret1",
        {"Token": "secret2"},
        "cert.pem",
        "key.pem",
        "secret3",
        42,
    )
    assert peer.properties == {"Color": "blue", "Level": "3", "Hidden": "true"}
    assert read_peer({"URL": "http://one/"}).address.url == "http://one/"
    server = read_server(FULL | {"HasDelete": "1", "ChunkedTransfers": False, "HasWadoRsUniversalTransferSyntax": 0})
    assert (server.deletes, server.chunked, server.any_syntax) == (True, False, False)
    assert server.properties == peer.properties


def test_what_is_kept_comes_back_and_what_is_shown_has_no_secret() -> None:
    peer, server = read_peer(FULL), read_server(FULL | {"HasDelete": True})
    assert read_peer(json.loads(json.dumps(written_peer(peer)))) == peer
    assert read_server(json.loads(json.dumps(written_server(server)))) == server
    shown = shown_peer(peer)
    assert "secret" not in json.dumps([shown, shown_server(server)]) + repr([peer, server])
    assert shown["HttpHeaders"] == ["Token"]
    assert shown["Password"] is None
    assert (shown["Url"], shown["Username"], shown["Timeout"]) == (FULL["Url"], "user", 42)
    assert shown_peer(read_peer(["http://one/"])) == {
        "Url": "http://one/", "HttpHeaders": [], "Pkcs11": False, "Timeout": 0,
    }  # fmt: skip


def test_a_password_in_the_url_is_taken_out_of_it() -> None:
    address = read_peer(["http://user:p%40ss@[::1]:80/x?y#z"]).address
    assert (address.url, address.username, address.password) == ("http://[::1]:80/x", "user", "p@ss")


@pytest.mark.parametrize(
    "raw",
    [
        None, 5, "http://one/", [], ["http://one/", "user"], [5], {}, {"Url": 5}, {"Url": "one"}, {"Url": "ftp://one/"},
        {"Url": "http://"}, {"Url": "http://one:port/"}, {"Url": "http://o ne/"}, {"Url": "http://one/\r\nX: y"},
        {"Url": "http://one/", "HttpHeaders": []}, {"Url": "http://one/", "HttpHeaders": {"a": 1}},
        {"Url": "http://one/", "Timeout": "x"}, {"Url": "http://one/", "Timeout": -1},
        {"Url": "http://one/", "Timeout": True}, {"Url": "http://one/", "Pkcs11": True},
        {"Url": "http://one/", "HasDelete": "maybe"}, {"Url": "http://one/", "Username": 5},
        {"Url": "http://one/", "Other": {}}, {"Url": "http://" + "x" * 5000}, {"Url": "http://[::1/"},
    ],
)  # fmt: skip
def test_what_is_none_is_refused_in_words(raw: Any) -> None:
    with pytest.raises(ServerError, match="expected is ") as error:
        read_server(raw)
    assert error.value.reason is Reason.BAD_REQUEST
