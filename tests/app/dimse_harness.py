"""A DIMSE server over a real store, and peers for it: raw ones, which may misbehave, and DCMTK's tools."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from conformance.patience import SOON
from dicomweb_server.dicom.query import Query
from dicomweb_server.dimse.contexts import Service
from dicomweb_server.dimse.fragmenting import message_pdus
from dicomweb_server.dimse.identity import Authenticator
from dicomweb_server.dimse.items import ProposedContext, UserInformation
from dicomweb_server.dimse.message import Command, CommandField, decode, encode
from dicomweb_server.dimse.options import DimseOptions, Timeouts
from dicomweb_server.dimse.pdu import (
    HEADER,
    PDV_HEADER,
    RELEASE_REQUEST,
    AssociateRequest,
    PduType,
    encode_request,
    fragments,
)
from dicomweb_server.dimse.scp import DimseServer
from dicomweb_server.services import Services
from dicomweb_server.services.ingest import IngestPolicy
from dicomweb_server.services.worklist import WorklistOptions
from dicomweb_server.storage.durability import SyncMode
from dicomweb_server.storage.store import Store, StoreOptions
from dicomweb_server.storage.threads import Threads
from dicomweb_server.storage.worklist_folder import WorklistFolder
from tests.app.services import services_on
from tests.builders import bare_dataset, make_instance

AE_TITLE = "ARCHIVE"
VERIFICATION = "1.2.840.10008.1.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
STUDY_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
QUICK = Timeouts(association=1.0, pdu=1.0, silence=1.0, idle=2.0, closing=0.3)

needs_dcmtk = pytest.mark.skipif(shutil.which("storescu") is None, reason="DCMTK is not installed")


@dataclass(frozen=True, slots=True)
class Node:
    """A running DIMSE server."""

    server: DimseServer
    services: Services
    store: Store

    @property
    def port(self) -> int:
        return self.server.ports[0]

    async def found(self, query: Query) -> int:
        return len((await self.services.search.find(query)).matches)

    async def instances(self) -> int:
        return int((await self.store.index.counts())["instances"])

    async def peer(self) -> "Peer":
        return Peer(*await asyncio.open_connection("127.0.0.1", self.port))


@asynccontextmanager
async def open_node(
    folder: Path,
    policy: IngestPolicy | None = None,
    authenticator: Authenticator | None = None,
    worklist_files: Path | None = None,
    worklist_options: WorklistOptions | None = None,
    **options: Any,
) -> AsyncIterator[Node]:
    """A server on a free port, over a new store; everybody may do everything unless told otherwise."""
    store = Store(folder, StoreOptions(sync=SyncMode.OFF))
    workers = Threads(2, "worker")
    files = WorklistFolder(worklist_files) if worklist_files is not None else None
    services = services_on(store, workers, policy, files, worklist_options)
    defaults = DimseOptions(ae_title=AE_TITLE, port=0, unknown_allow=frozenset(Service), stop_timeout=2.0)
    server = DimseServer(services, replace(defaults, **options), authenticator=authenticator)
    services.modalities.connect_by(server.client.peer)
    try:
        await server.start()
        yield Node(server, services, store)
    finally:
        await server.stop()
        await services.ingest.close()
        workers.close()
        await store.close()


class Peer:
    """A raw connection: sends what it is told, right or wrong."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def pdu(self, seconds: float = SOON) -> tuple[int, bytes]:
        """The next PDU; (0, b"") where the connection is closed."""
        try:
            async with asyncio.timeout(seconds):
                kind, length = HEADER.unpack(await self._reader.readexactly(6))
                return kind, await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionResetError):
            return 0, b""

    async def closed(self, seconds: float = SOON) -> bytes:
        """What comes until the connection is closed."""
        async with asyncio.timeout(seconds):
            try:
                return await self._reader.read()
            except ConnectionResetError:
                return b""

    async def associate(
        self,
        *contexts: ProposedContext,
        user: UserInformation | None = None,
        calling: str = "RAW",
        seconds: float = SOON,
    ) -> tuple[int, bytes]:
        """Ask for an association; what comes back."""
        proposed = contexts or (ProposedContext(1, VERIFICATION, (IMPLICIT,)), ProposedContext(3, CT, (EXPLICIT,)))
        user = user or UserInformation(maximum_length=16384, implementation_class_uid="1.2.3")
        await self.send(encode_request(AssociateRequest(AE_TITLE, calling, proposed, user)))
        return await self.pdu(seconds)

    async def command(self, context_id: int, command: Command, dataset: bytes = b"") -> None:
        """Send a message."""
        data = message_pdus(context_id, encode(command), dataset, 16378)
        await self.send(data if command.has_dataset else data[: -12 - len(dataset)])

    async def response(self, seconds: float = SOON) -> Command:
        """The next command that comes."""
        kind, body = await self.pdu(seconds)
        assert kind == PduType.P_DATA, f"PDU {kind}: {body.hex()}"
        ((_, _, fragment),) = fragments(memoryview(body))
        return decode(fragment)

    async def echo(self, context_id: int = 1, seconds: float = SOON) -> int | None:
        """The status of a C-ECHO."""
        await self.command(
            context_id, Command(field=CommandField.C_ECHO_RQ, affected_sop_class_uid=VERIFICATION, message_id=1)
        )
        return (await self.response(seconds)).status

    async def release(self) -> None:
        """Release and close."""
        await self.send(RELEASE_REQUEST)
        assert (await self.pdu())[0] == PduType.RELEASE_RP
        await self.close()

    async def close(self) -> None:
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except ConnectionError:
            return

    def vanish(self) -> None:
        """Cut the connection."""
        self._writer.transport.abort()


def pdv(context_id: int, control: int, fragment: bytes, length: int | None = None) -> bytes:
    """A P-DATA-TF PDU of one value, which may declare a `length` that it has not."""
    inner = PDV_HEADER.pack(len(fragment) + 2 if length is None else length, context_id, control) + fragment
    return HEADER.pack(PduType.P_DATA, len(inner)) + inner


def store_command(instance_uid: str, *, message_id: int = 1, sop_class_uid: str = CT) -> Command:
    """A C-STORE request."""
    return Command(
        field=CommandField.C_STORE_RQ,
        has_dataset=True,
        affected_sop_class_uid=sop_class_uid,
        affected_sop_instance_uid=instance_uid,
        message_id=message_id,
        priority=0,
    )


async def tool(name: str, *arguments: str | Path | int, ok: bool = True, env: dict[str, str] | None = None) -> str:
    """Run a tool of DCMTK; what it says."""
    command = [name, *map(str, arguments)]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env={**os.environ, **(env or {})}
    )
    async with asyncio.timeout(200):
        said = (await process.communicate())[0].decode(errors="replace")
    if ok:
        assert process.returncode == 0, f"{' '.join(command)}: {process.returncode}\n{said}"
    return said


def write_files(folder: Path, files: Sequence[bytes]) -> Path:
    """A folder of DICOM files."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(files):
        (folder / f"{number:04d}.dcm").write_bytes(data)
    return folder


async def healthy(node: Node) -> bool:
    """Whether an instance can be stored, soon."""
    data = make_instance()
    async with asyncio.timeout(SOON):
        peer = await node.peer()
        assert (await peer.associate())[0] == PduType.ASSOCIATE_AC
        await peer.command(3, store_command(dcmread(BytesIO(data)).SOPInstanceUID), bare_dataset(data))
        status = (await peer.response()).status
        await peer.release()
    return status == 0


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The server's lines about peers, as text."""
    return [
        f"{record.getMessage()} {vars(record)}" for record in caplog.records if record.name == "dicomweb_server.dimse"
    ]


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Those lines that are not about an association that ended in order."""
    return [line for line in lines(caplog) if "'end': 'released'" not in line]
