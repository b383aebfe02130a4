"""What every implementation of `ports.remotes.RemoteTable` must do, and what `RemoteSet` makes of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.remotes import DicomWebServer, OrthancPeer, RemoteKind, WebAddress
from dicomweb_server.services.orthanc_remotes import PEERS, SERVERS
from dicomweb_server.services.remotes import RemoteSet
from dicomweb_server.storage.memory import EphemeralStore
from dicomweb_server.storage.store import Store

ONE = OrthancPeer(WebAddress("http://one/", "user", "secret", {"Token": "abc"}, timeout=3.0), {"Color": "blue"})
TWO = OrthancPeer(WebAddress("https://two:8/", certificate="c.pem", key="k.pem", key_password="x"))
WEB = DicomWebServer(WebAddress("http://web/dicom-web/"), chunked=False, deletes=True, any_syntax=False)


@pytest.fixture(params=["files", "ephemeral"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    opened = EphemeralStore() if request.param == "ephemeral" else Store(tmp_path)
    yield opened
    await opened.close()


async def test_each_kind_has_names_of_its_own(store: Store) -> None:
    table = store.remotes
    await table.put_remote(RemoteKind.PEER, "a", {"Url": "1"})
    await table.put_remote(RemoteKind.DICOMWEB, "a", {"Url": "2"})
    await table.put_remote(RemoteKind.PEER, "a", {"Url": "3"})
    await table.put_remote(RemoteKind.PEER, "b", {"Url": "Ä"})
    assert await table.remotes(RemoteKind.PEER) == [("a", {"Url": "3"}), ("b", {"Url": "Ä"})]
    await table.remove_remote(RemoteKind.PEER, "a")
    await table.remove_remote(RemoteKind.PEER, "never was")
    assert [name for name, _ in await table.remotes(RemoteKind.PEER)] == ["b"]
    assert [name for name, _ in await table.remotes(RemoteKind.DICOMWEB)] == ["a"]
    assert await table.remotes(RemoteKind.MODALITY) == []


async def test_what_is_put_is_there_at_once_and_after_a_restart(tmp_path: Path) -> None:
    for run in range(2):
        store = Store(tmp_path)
        peers, servers = RemoteSet(PEERS, {"one": TWO, "configured": TWO}), RemoteSet(SERVERS)
        await peers.load(store.remotes)
        await servers.load(store.remotes)
        if run == 0:
            await peers.put("one", ONE)
            await peers.put("two", TWO)
            await servers.put("web", WEB)
        assert dict(peers) == {"one": ONE, "two": TWO, "configured": TWO}
        assert list(peers) == ["configured", "one", "two"]
        assert servers.named("web") == WEB
        await store.close()


async def test_a_configured_one_that_is_removed_comes_back_with_the_next_start(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for _ in range(2):
        peers = RemoteSet(PEERS, {"one": ONE})
        await peers.load(store.remotes)
        assert peers.named("one") == ONE
        await peers.put("one", TWO)
        await peers.remove("one")
        assert "one" not in peers
        with pytest.raises(ServerError) as error:
            await peers.remove("one")
        assert error.value.reason is Reason.NOT_FOUND
    await store.close()


@pytest.mark.parametrize("name", ["", "a/b", "a.b", "..", "a b", "ä", "x" * 65, "a\n"])
async def test_names_are_letters_digits_hyphens_and_underscores(name: str) -> None:
    with pytest.raises(ServerError, match="letters, digits"):
        await RemoteSet(PEERS).put(name, ONE)


@pytest.mark.parametrize("name", ["", "a/b", "..", ".", "x" * 129, "a\n", "a\\b"])
async def test_names_of_dicomweb_servers_are_segments_of_a_path(name: str) -> None:
    servers = RemoteSet(SERVERS)
    await servers.put("My PACS, 2nd.", WEB)
    with pytest.raises(ServerError, match="without slashes"):
        await servers.put(name, WEB)
