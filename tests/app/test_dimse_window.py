"""The asynchronous operations window (PS3.7 §D.3.3.3): what is agreed is used, in both roles, and not exceeded."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.patience import SOON
from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dimse import scp, scu
from dicomweb_server.dimse.handlers import HANDLERS
from dicomweb_server.dimse.message import CommandField
from dicomweb_server.dimse.options import Modality
from dicomweb_server.dimse.session import Handler, Operation
from dicomweb_server.dimse.status import SUCCESS
from dicomweb_server.services.modalities import Transfer
from dicomweb_server.services.retrieve import Scope
from tests.app.dimse_harness import AE_TITLE, Node, open_node
from tests.app.dimse_peers import fill, study

COUNT = 24


class Slow:
    """Takes instances slowly, the first ones once so many are under way, and counts how many are."""

    def __init__(self, expected: int) -> None:
        self.now = self.most = self.all = 0
        self._expected = expected
        self._reached = asyncio.Event()

    async def answer(self, operation: Operation) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        await operation.dataset.whole(1 << 20)
        if self.now == self._expected:
            self._reached.set()
        async with asyncio.timeout(SOON):
            await self._reached.wait()
        await asyncio.sleep(0.02)  # more would come meanwhile
        self.now -= 1
        self.all += 1
        operation.respond(SUCCESS)

    def among(self, handlers: Mapping[int, Handler]) -> Mapping[int, Handler]:
        """The handlers with this one for C-STORE."""
        store = replace(handlers[CommandField.C_STORE_RQ], answer=self.answer)
        return {**handlers, CommandField.C_STORE_RQ: store}


def archive(node: Node) -> Modality:
    return Modality(AE_TITLE, "127.0.0.1", node.port)


@pytest.mark.parametrize(("offered", "most"), [(16, 8), (3, 3), (1, 1)])
async def test_what_we_send(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offered: int, most: int) -> None:
    slow = Slow(most)
    monkeypatch.setattr(scp, "HANDLERS", slow.among(HANDLERS))
    async with open_node(tmp_path / "here") as here, open_node(tmp_path / "there", most_operations=offered) as there:
        stored = await fill(here, *study(COUNT))
        instances = await here.services.retrieve.instances(Scope(stored[0].StudyInstanceUID))
        transfer = await here.server.client.peer(archive(there)).store(instances)
    assert (transfer, slow.all, slow.most) == (Transfer(COUNT, 0, 0), COUNT, most)


@pytest.mark.parametrize(("offered", "most"), [(16, 8), (3, 3), (1, 1)])
async def test_what_comes_by_c_get(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offered: int, most: int) -> None:
    """`offered`: how many operations the one that sends would have under way."""
    slow = Slow(most)
    monkeypatch.setattr(scu, "_HANDLERS", slow.among(scu._HANDLERS))
    async with open_node(tmp_path / "here") as here, open_node(tmp_path / "there", most_operations=offered) as there:
        stored = await fill(there, *study(COUNT))
        keys = {"0020000D": {"vr": "UI", "Value": [stored[0].StudyInstanceUID]}}
        transfer = await here.server.client.peer(archive(there)).get(Level.STUDY, keys)
    assert (transfer, slow.all, slow.most) == (Transfer(COUNT, 0, 0), COUNT, most)
