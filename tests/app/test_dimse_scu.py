"""Associations that we request: echo to DCMTK, pynetdicom and ourselves, and to peers that are none."""

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest
from pynetdicom import AE, build_context, evt

from conformance.patience import SOON, until_listening
from conformance.peer import listening
from conformance.server import free_port
from dicomweb_server.dimse.ending import AssociationLostError, AssociationRefusedError, ContextRefusedError
from dicomweb_server.dimse.options import DimseOptions, Modality
from dicomweb_server.dimse.scu import ServiceUser
from dicomweb_server.dimse.status import SUCCESS
from dicomweb_server.services import Services
from tests.app.dimse_harness import AE_TITLE, CT, EXPLICIT, QUICK, VERIFICATION, needs_dcmtk, open_node
from tests.app.dimse_peers import IMPATIENT

USER = ServiceUser(cast(Services, None), DimseOptions(ae_title="US", timeouts=IMPATIENT))  # nothing is stored here


@needs_dcmtk
async def test_echo_to_dcmtk() -> None:
    port = free_port()
    storescp = await asyncio.create_subprocess_exec("storescp", "--ignore", str(port))
    try:
        await until_listening(port)
        assert await USER.echo(Modality("ANY", "127.0.0.1", port)) == SUCCESS
    finally:
        storescp.terminate()
        await storescp.wait()


async def test_echo_to_ourselves_with_a_window(tmp_path: Path) -> None:
    async with open_node(tmp_path) as node:
        archive = Modality(AE_TITLE, "127.0.0.1", node.port)
        assert await USER.echo(archive) == SUCCESS
        proposals = [(uid, (EXPLICIT,)) for uid in (VERIFICATION, "1.2.840.10008.5.1.1.9")]
        association = await USER.associate(archive, proposals)
        assert [context.abstract_syntax for context in association.contexts] == [VERIFICATION]
        assert association.outstanding == 8
        statuses = await asyncio.gather(*(association.echo(SOON) for _ in range(20)))
        assert statuses == [SUCCESS] * 20
        await association.release()


async def test_the_name_of_the_implementation_is_told_in_both_roles(tmp_path: Path) -> None:
    named: dict[str, Any] = {"implementation_class_uid": "1.2.3.4", "implementation_version_name": "HOSPITAL_1"}
    async with open_node(tmp_path, **named) as node:
        peer = await asyncio.to_thread(AE().associate, "127.0.0.1", node.port, [build_context(VERIFICATION)])
        told = [(peer.acceptor.implementation_class_uid, peer.acceptor.implementation_version_name)]
        await asyncio.to_thread(peer.release)
        port, ae = free_port(), AE("OTHER")
        ae.add_supported_context(VERIFICATION)

        def requested(event: Any) -> None:
            request = event.assoc.requestor
            told.append((request.implementation_class_uid, request.implementation_version_name))

        with listening(ae, port, [(evt.EVT_REQUESTED, requested)]):
            await node.server.client.peer(Modality("OTHER", "127.0.0.1", port)).echo()
    assert told == [("1.2.3.4", "HOSPITAL_1")] * 2


async def test_a_peer_that_rejects() -> None:
    port = free_port()
    ae = AE("PICKY")
    ae.add_supported_context(VERIFICATION)
    ae.require_called_aet = True
    with listening(ae, port):
        with pytest.raises(AssociationRefusedError, match="reason 7"):
            await USER.echo(Modality("OTHER", "127.0.0.1", port))
        association = await USER.associate(Modality("PICKY", "127.0.0.1", port), [(CT, (EXPLICIT,))])
        with pytest.raises(ContextRefusedError, match="does not accept SOP class"):
            await association.echo(1.0)
        await association.release()


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid"])
async def test_a_peer_that_is_not_there(host: str) -> None:
    with pytest.raises(AssociationRefusedError, match=host):
        await USER.echo(Modality("NOBODY", host, free_port()))


async def test_a_peer_that_goes_away_while_it_is_asked(tmp_path: Path) -> None:
    async with open_node(tmp_path, timeouts=QUICK) as node:
        archive = Modality(AE_TITLE, "127.0.0.1", node.port)
        association = await USER.associate(archive, [(VERIFICATION, (EXPLICIT,))])
        await node.server.stop()
        with pytest.raises(AssociationLostError):
            await association.echo(SOON)
        await association.abort("it is gone")


async def test_no_answer_in_time(tmp_path: Path) -> None:
    async with open_node(tmp_path) as node:
        archive = Modality(AE_TITLE, "127.0.0.1", node.port)
        association = await USER.associate(archive, [(VERIFICATION, (EXPLICIT,))])
        with pytest.raises(AssociationLostError, match="no response within"):
            await association.echo(0.0)
        await association.abort("too late")
