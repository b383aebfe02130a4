"""Who may call over TLS and be called: certificates in both directions, with pynetdicom as the other side."""

import asyncio
import ssl
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pynetdicom import AE, build_context, build_role, evt

from conformance.peer import listening
from conformance.server import free_port
from dicomweb_server.certificates import checking_context
from dicomweb_server.dimse.ending import AssociationRefusedError
from dicomweb_server.dimse.options import DimseOptions, Modality, TlsClientOptions, TlsOptions
from dicomweb_server.dimse.pdu import PduType
from dicomweb_server.dimse.scu import ServiceUser
from tests.app.dimse_harness import AE_TITLE, CT, EXPLICIT, STUDY_FIND, VERIFICATION, Node, Peer, open_node
from tests.app.dimse_peers import STUDY_MOVE, fill, identifier, study
from tests.certificates import Authority, Identity

STUDY_GET = "1.2.840.10008.5.1.4.1.2.2.3"


@dataclass(frozen=True, slots=True)
class Certificates:
    """Those of this server's authority and of another one."""

    authority: Authority
    ours: Identity
    theirs: Identity
    expired: Identity
    elsewhere: Identity  # for another host
    stranger: Identity  # of another authority


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    known, other = Authority(folder), Authority(folder, "other")
    return Certificates(
        known,
        known.identity("ours"),
        known.identity("theirs"),
        known.identity("expired", lasts=timedelta(days=-1)),
        known.identity("elsewhere", "10.1.2.3"),
        other.identity("stranger"),
    )


def listener(certificates: Certificates, *, required: bool = True) -> TlsOptions:
    ours = certificates.ours
    return TlsOptions(0, ours.certificate, ours.key, certificates.authority.certificate, required)


def client(certificates: Certificates, shown: Identity | None) -> ssl.SSLContext:
    """What pynetdicom calls with."""
    context = checking_context(ssl.Purpose.SERVER_AUTH, certificates.authority.certificate)
    if shown is not None:
        context.load_cert_chain(shown.certificate, shown.key)
    return context


def associated(node: Node, context: ssl.SSLContext, *contexts: Any, **more: Any) -> Any:
    port = node.server.ports[1]
    return AE("CALLER").associate("127.0.0.1", port, list(contexts), AE_TITLE, tls_args=(context, "127.0.0.1"), **more)


@pytest.mark.parametrize(
    ("shown", "required", "taken"),
    [
        ("theirs", True, True),
        (None, True, False),
        ("stranger", True, False),
        ("expired", True, False),
        ("theirs", False, True),
        (None, False, True),
        ("stranger", False, False),
        ("expired", False, False),
    ],
)
async def test_who_may_call(
    tmp_path: Path, certificates: Certificates, shown: str | None, required: bool, taken: bool
) -> None:
    async with open_node(tmp_path, tls=listener(certificates, required=required)) as node:
        context = client(certificates, getattr(certificates, shown) if shown else None)
        try:
            peer = Peer(*await asyncio.open_connection("127.0.0.1", node.server.ports[1], ssl=context))
            answer = (await peer.associate())[0]
            await peer.close()
        except (ssl.SSLError, ConnectionError):
            answer = 0
        assert answer == (PduType.ASSOCIATE_AC if taken else 0)


async def test_everything_that_dcmtk_cannot_do_over_tls(tmp_path: Path, certificates: Certificates) -> None:
    """C-FIND, C-GET, and C-MOVE to a node that is called over TLS and wants to see a certificate."""
    port, received = free_port(), list[str]()

    def take(event: Any) -> int:
        received.append(event.request.AffectedSOPInstanceUID)
        return 0

    tls_client = TlsClientOptions(
        certificates.authority.certificate, certificates.ours.certificate, certificates.ours.key
    )
    modalities = {"sink": Modality("SINK", "127.0.0.1", port, tls=True)}

    def asked(node: Node, study_uid: str) -> list[list[int]]:
        contexts = [build_context(uid) for uid in (STUDY_FIND, STUDY_GET, STUDY_MOVE)] + [build_context(CT, [EXPLICIT])]
        association = associated(
            node,
            client(certificates, certificates.theirs),
            *contexts,
            ext_neg=[build_role(CT, scp_role=True)],
            evt_handlers=[(evt.EVT_C_STORE, take)],
        )
        assert association.is_established
        wanted = identifier("STUDY", StudyInstanceUID=study_uid)
        found = [
            [status.Status for status, _ in association.send_c_find(wanted, STUDY_FIND)],
            [status.Status for status, _ in association.send_c_get(wanted, STUDY_GET)],
            [status.Status for status, _ in association.send_c_move(wanted, "SINK", STUDY_MOVE)],
        ]
        association.release()
        return found

    async with open_node(tmp_path, tls=listener(certificates), tls_client=tls_client, modalities=modalities) as node:
        sent = await fill(node, *study(3))
        with secure_sink(port, certificates, certificates.theirs, take):
            found = await asyncio.to_thread(asked, node, sent[0].StudyInstanceUID)
    assert [statuses[-1] for statuses in found] == [0, 0, 0]
    assert found[0] == [0xFF00, 0]
    assert sorted(received) == sorted(2 * [each.SOPInstanceUID for each in sent])


@contextmanager
def secure_sink(port: int, certificates: Certificates, shown: Identity, take: Any = None) -> Iterator[None]:
    """A storage SCP of pynetdicom's over TLS that wants a certificate of the authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown.certificate, shown.key)
    context.load_verify_locations(certificates.authority.certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    ae = AE("SINK")
    ae.supported_contexts = [build_context(VERIFICATION), build_context(CT, [EXPLICIT])]
    with listening(ae, port, [(evt.EVT_C_STORE, take or (lambda event: 0))], context):
        yield


@pytest.mark.parametrize(
    ("theirs", "check_host", "taken"),
    [
        ("theirs", True, True),
        ("stranger", True, False),
        ("expired", True, False),
        ("elsewhere", True, False),
        ("elsewhere", False, True),
        ("stranger", False, False),
    ],
)
async def test_whom_we_call(
    tmp_path: Path, certificates: Certificates, theirs: str, check_host: bool, taken: bool
) -> None:
    ours = certificates.ours
    options = TlsClientOptions(certificates.authority.certificate, ours.certificate, ours.key, check_host)
    port = free_port()
    async with open_node(tmp_path) as node:
        user = ServiceUser(node.services, DimseOptions(tls_client=options))
        with secure_sink(port, certificates, getattr(certificates, theirs)):
            if taken:
                assert (await user.echo(Modality("SINK", "127.0.0.1", port, tls=True))).code == 0
                return
            with pytest.raises(AssociationRefusedError, match="certificate"):
                await user.echo(Modality("SINK", "127.0.0.1", port, tls=True))


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1"])
async def test_older_versions_are_refused(tmp_path: Path, certificates: Certificates, version: str) -> None:
    async with open_node(tmp_path, tls=listener(certificates, required=False)) as node:
        context = client(certificates, None)
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection("127.0.0.1", node.server.ports[1], ssl=context)


@pytest.mark.parametrize(
    ("cipher", "taken"),
    [
        ("ECDHE-RSA-AES128-GCM-SHA256", True),
        ("ECDHE-RSA-AES256-GCM-SHA384", True),
        ("ECDHE-RSA-CHACHA20-POLY1305", True),
        ("AES128-GCM-SHA256", False),  # no forward secrecy
        ("ECDHE-RSA-AES128-SHA256", False),  # CBC
        ("ECDHE-RSA-AES128-SHA", False),
    ],
)
async def test_ciphers_of_bcp_195(tmp_path: Path, certificates: Certificates, cipher: str, taken: bool) -> None:
    async with open_node(tmp_path, tls=listener(certificates, required=False)) as node:
        context = client(certificates, None)
        context.set_ciphers(f"{cipher}:@SECLEVEL=0")
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        if not taken:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await asyncio.open_connection("127.0.0.1", node.server.ports[1], ssl=context)
            return
        _, writer = await asyncio.open_connection("127.0.0.1", node.server.ports[1], ssl=context)
        assert writer.get_extra_info("cipher")[0] == cipher
        writer.close()
        await writer.wait_closed()
