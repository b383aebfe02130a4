"""Debian's Orthanc as a neighbour over TLS, in both directions, each wanting to see the other's certificate."""

import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.server import COMMAND, ORTHANC, ORTHANC_PLUGIN, Server
from tests.certificates import Authority
from tests.system.test_orthanc_neighbour import Side

pytestmark = pytest.mark.skipif(
    shutil.which("Orthanc") is None or not Path(ORTHANC_PLUGIN).exists(), reason="Orthanc is not installed"
)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[tuple[Side, Side], tuple[Side, Side]]]:
    """This server and Orthanc, and the other way round."""
    folder = tmp_path_factory.mktemp("certificates")
    authority = Authority(folder)
    ours, theirs = authority.identity("ours"), authority.identity("theirs")
    tls: dict[str, Any] = {
        "dimse-tls-certificate": ours.certificate,
        "dimse-tls-key": ours.key,
        "dimse-tls-client-ca": authority.certificate,
    }
    flags = " ".join(f"--{name} {shlex.quote(str(value))}" for name, value in tls.items())
    command = COMMAND.replace("--dimse-port", "--dimse-port none --dimse-tls-port") + " " + flags
    here = Server(tmp_path_factory.mktemp("ours"), command)
    there = Server(
        tmp_path_factory.mktemp("theirs"),
        ORTHANC,
        more={
            "DicomTlsEnabled": True,
            "DicomTlsCertificate": str(theirs.certificate),
            "DicomTlsPrivateKey": str(theirs.key),
            "DicomTlsTrustedCertificates": str(authority.certificate),
        },
    )
    clients = [server.client() for server in (here, there)]
    us, them = Side(clients[0], "there"), Side(clients[1], "here")
    for side, title, server in ((us, "ORTHANC", there), (them, "DICOMWEB", here)):
        node = {"AET": title, "Host": "127.0.0.1", "Port": server.dimse_port, "UseDicomTls": True}
        side("PUT", f"/modalities/{side.other}", node)
    yield (us, them), (them, us)
    for client in clients:
        client.close()
    here.stop()
    there.stop()


@pytest.mark.parametrize("direction", [0, 1], ids=["from here", "from there"])
def test_everything_over_tls(pairs: tuple[tuple[Side, Side], tuple[Side, Side]], direction: int) -> None:
    actor, other = pairs[direction]
    door = f"/modalities/{actor.other}"
    actor("POST", f"{door}/echo", {})
    study = actor.add()
    content = actor("POST", f"{door}/store", {"Resources": [actor.study(study)], "Synchronous": True})
    assert (int(content["InstancesCount"]), len(other.found(study))) == (3, 3)
    asked = other.add()
    path = actor("POST", f"{door}/query", {"Level": "Study", "Query": {"StudyInstanceUID": asked}})["Path"]
    actor("POST", f"{path}/answers/0/retrieve", {"Synchronous": True})  # C-MOVE: another association comes back
    assert len(actor.found(asked)) == 3


def test_get_over_tls(pairs: tuple[tuple[Side, Side], tuple[Side, Side]]) -> None:
    here, there = pairs[0]
    study = there.add()
    resources = [{"StudyInstanceUID": study}]
    content = here("POST", "/modalities/there/get", {"Level": "Study", "Resources": resources})
    assert (content["InstancesCount"], content["FailedInstancesCount"], len(here.found(study))) == (3, 0, 3)
