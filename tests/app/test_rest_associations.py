"""/associations: what is open in either role is shown, and can be ended."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from conformance.patience import SOON
from dicomweb_server.dimse.client import DimseClient
from dicomweb_server.dimse.ending import AssociationLostError
from dicomweb_server.dimse.options import DimseOptions, Modality
from dicomweb_server.dimse.pdu import PduType
from dicomweb_server.dimse.scp import DimseServer
from tests.app.dimse_harness import AE_TITLE, EXPLICIT, VERIFICATION, Peer, open_node, store_command
from tests.app.rest_harness import Rest, open_rest
from tests.builders import bare_dataset, make_instance


@dataclass(frozen=True, slots=True)
class Opened:
    """A server that has both interfaces."""

    rest: Rest
    dimse: DimseServer

    async def peer(self) -> Peer:
        return Peer(*await asyncio.open_connection("127.0.0.1", self.dimse.ports[0]))

    async def associations(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self.rest.json("/associations")
        return found


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Opened]:
    async with open_rest(tmp_path / "here") as rest:
        dimse = DimseServer(rest.services, DimseOptions(ae_title=AE_TITLE, port=0))
        await dimse.start()
        yield Opened(rest, dimse)
        await dimse.stop()


async def test_accepted_ones_are_shown_while_they_last(opened: Opened) -> None:
    assert await opened.associations() == []
    data = make_instance()
    peers = [await opened.peer() for _ in range(2)]
    for peer in peers:
        assert (await peer.associate())[0] == PduType.ASSOCIATE_AC
    await peers[0].command(3, store_command(dcmread(BytesIO(data)).SOPInstanceUID), bare_dataset(data))
    assert (await peers[0].response()).status == 0
    assert await peers[0].echo() == 0
    first, second = await opened.associations()
    assert first["Role"] == "Acceptor"
    assert (first["CallingAet"], first["CalledAet"], first["RemoteAddress"]) == ("RAW", AE_TITLE, "127.0.0.1")
    assert first["Operations"] == {"C-STORE success": 1, "C-ECHO success": 1}
    assert first["BytesReceived"] > len(bare_dataset(data)) > first["BytesSent"] > 0
    assert (first["PresentationContexts"], second["Operations"]) == (2, {})
    shown = await opened.rest.json(f"/associations/{second['ID']}")
    assert shown["ID"] == second["ID"]
    older, _ = await opened.associations()  # looked at later, too
    assert 0 <= shown["Seconds"] <= older["Seconds"] < 60
    await peers[0].release()
    async with asyncio.timeout(SOON):
        while [each["ID"] for each in await opened.associations()] != [second["ID"]]:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    await peers[1].release()


async def test_an_accepted_one_is_aborted(opened: Opened) -> None:
    ended, other = await opened.peer(), await opened.peer()
    for peer in (ended, other):
        await peer.associate()
    number = (await opened.associations())[0]["ID"]
    assert (await opened.rest.post(f"/associations/{number}/abort")).status_code == 200
    assert (await ended.pdu())[0] == PduType.ABORT
    await ended.close()
    async with asyncio.timeout(SOON):
        while (await opened.rest.get(f"/associations/{number}")).status_code != 404:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert await other.echo() == 0
    await other.release()


async def test_requested_ones_are_shown_and_aborted(opened: Opened, tmp_path: Path) -> None:
    async with open_node(tmp_path / "there") as there:
        client = DimseClient(opened.rest.services, DimseOptions(ae_title="US"))
        association = await client.user.associate(
            Modality(AE_TITLE, "127.0.0.1", there.port), [(VERIFICATION, (EXPLICIT,))]
        )
        assert (await association.echo(SOON)).code == 0
        (shown,) = await opened.associations()
        assert (shown["Role"], shown["CallingAet"], shown["CalledAet"]) == ("Requestor", "US", AE_TITLE)
        await opened.rest.post(f"/associations/{shown['ID']}/abort")
        with pytest.raises(AssociationLostError, match="ended by REST"):
            await association.echo(SOON)
        async with asyncio.timeout(SOON):
            while await opened.associations():  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await client.close()


@pytest.mark.parametrize("name", ["0", "1", "99999999999999999999", "x", "-1", "²"])
async def test_others_are_not_found(opened: Opened, name: str) -> None:
    assert (await opened.rest.get(f"/associations/{name}")).status_code == 404
    assert (await opened.rest.post(f"/associations/{name}/abort")).status_code == 404
