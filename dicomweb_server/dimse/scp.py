"""The AE: listens, admits, serves associations, drains, stops. What a service does is none of its business."""

import asyncio
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Collection, Mapping
from typing import cast

from dicomweb_server.dicom.origin import Origin
from dicomweb_server.dimse.admission import Admitted, Load, Refused, admission, contexts, with_title
from dicomweb_server.dimse.association import Role
from dicomweb_server.dimse.client import DimseClient
from dicomweb_server.dimse.connection import Connection
from dicomweb_server.dimse.contexts import UPS_EVENT
from dicomweb_server.dimse.ending import AssociationLostError, End
from dicomweb_server.dimse.entities import Door, doors
from dicomweb_server.dimse.exchange import Exchange
from dicomweb_server.dimse.handlers import HANDLERS
from dicomweb_server.dimse.handshake import Handshake
from dicomweb_server.dimse.identity import Authenticator, Identified, identified
from dicomweb_server.dimse.items import UserInformation
from dicomweb_server.dimse.meter import SCP, Meter, NoMeter
from dicomweb_server.dimse.negotiation import Answer, Context, answer
from dicomweb_server.dimse.options import DimseOptions
from dicomweb_server.dimse.pdu import AssociateAccept, AssociateRequest
from dicomweb_server.dimse.reports import Reports
from dicomweb_server.dimse.session import Session, Terms
from dicomweb_server.dimse.tls import server_context
from dicomweb_server.dimse.watched import Watched
from dicomweb_server.dimse.workitem_reports import WorkitemReports
from dicomweb_server.services import Services
from dicomweb_server.services.associations import Part

logger = logging.getLogger("dicomweb_server.dimse")
_BACKLOG = 512


class DimseServer:
    """Serves DIMSE on the running event loop."""

    def __init__(
        self,
        services: Services,
        options: DimseOptions,
        meter: Meter | None = None,
        authenticator: Authenticator | None = None,
        client: DimseClient | None = None,
    ) -> None:
        """`authenticator`: checks the user identities that peers offer; without it they are passed over.

        `client`: by which we call others; it is the caller's to close, and made and closed here if it is None.
        """
        self.options = options
        self._authenticator = authenticator
        self._services = services
        self._meter = meter or NoMeter()
        self._own_client = DimseClient(services, options, self._meter) if client is None else None
        self.client = client or cast(DimseClient, self._own_client)
        self._reports = Reports(services, options, self.client.user)
        self._workitem_reports = WorkitemReports(services.workitems, options, self.client.user, self._way_to)
        self._listeners: list[tuple[Door, asyncio.Server]] = []
        self._waiting: dict[Connection | Handshake, None] = {}  # connections without an association, oldest first
        self._sessions: dict[Connection, Session] = {}
        self._addresses: Counter[str] = Counter()  # negotiated associations by address
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports that it listens on, the plain one first."""
        return tuple(self.ae_titles)

    @property
    def ae_titles(self) -> dict[int, tuple[str, ...]]:
        """Whom one can call at each port."""
        return {s.getsockname()[1]: door.ae_titles for door, listener in self._listeners for s in listener.sockets}

    @property
    def associations(self) -> int:
        """How many associations are negotiated."""
        return len(self._sessions)

    async def start(self) -> None:
        """Listen; OSError or ssl.SSLError says why that cannot be."""
        try:
            for door in doors(self.options):
                self._listeners.append((door, await self._listener(door)))
        except BaseException:
            await self._close_listeners()
            raise
        await self._reports.resume()
        if self.options.workitems:
            self._workitem_reports.start()

    async def _listener(self, door: Door) -> asyncio.Server:
        context = None
        if door.tls:
            assert self.options.tls is not None
            context = server_context(self.options.tls)
        return await asyncio.get_running_loop().create_server(
            lambda: self._protocol(door, context), list(self.options.hosts), door.port, backlog=_BACKLOG
        )

    async def stop(self) -> None:
        """Take no more associations, let operations end for a while, then abort what is left."""
        await self._close_listeners()
        for connection in list(self._waiting):
            connection.cut("the server stops")
        for session in list(self._sessions.values()):
            session.stop()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self.options.stop_timeout)
        for connection in list(self._sessions):
            connection.abort("the server stops")
            connection.cut("the server stops")
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._reports.stop()
        await self._workitem_reports.stop()
        if self._own_client is not None:
            await self._own_client.close()

    async def _close_listeners(self) -> None:
        for _, listener in self._listeners:
            listener.close()
        self._listeners = []

    # --- connections ------------------------------------------------------------------------------

    def _protocol(self, door: Door, context: ssl.SSLContext | None) -> Connection | Handshake:
        connection = self._connection(door)
        return connection if context is None else Handshake(context, connection, self._shaking, self._shaken)

    def _shaking(self, handshake: Handshake, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._made(handshake)

    def _shaken(self, handshake: Handshake, reason: str) -> None:
        self._waiting.pop(handshake, None)
        if reason:
            logger.info("connection without association", extra={"address": handshake.address, "end": reason})

    def _connection(self, door: Door) -> Connection:
        def requested(connection: Connection, request: AssociateRequest) -> None:
            self._requested(connection, request, door.called(request.called_ae_title))

        options = self.options
        return Connection(Role.ACCEPTOR, options.timeouts, options.largest_pdu, requested, self._made, self._ended)

    def _made(self, connection: Connection | Handshake) -> None:
        self._waiting[connection] = None
        if len(self._waiting) > self.options.most_connections:
            self._evict()

    def _evict(self) -> None:
        """Cut the oldest silent connection of the address that has the most of them."""
        by_address = Counter(connection.address for connection in self._waiting if connection.address)
        if not by_address:
            return
        busiest = by_address.most_common(1)[0][0]
        next(c for c in self._waiting if c.address == busiest).cut("too many connections without an association")

    def _requested(self, connection: Connection, request: AssociateRequest, options: DimseOptions) -> None:
        task = asyncio.create_task(self._serve(connection, request, options))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _ended(self, connection: Connection) -> None:
        if connection in self._waiting:  # never an association: a failure of its own
            del self._waiting[connection]
            how = str(connection.ending) if connection.ending is not None else "closed"
            logger.info("connection without association", extra={"address": connection.address, "end": how})

    # --- associations -----------------------------------------------------------------------------

    async def _serve(self, connection: Connection, request: AssociateRequest, options: DimseOptions) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        session = None
        try:
            identity = await identified(
                request.user.identity, self._authenticator, connection.address, required=options.require_identity
            )
            admitted = await self._admission(connection, request, options)
            self._waiting.pop(connection, None)
            refused = next((each for each in (admitted, identity) if isinstance(each, Refused)), None)
            if refused is not None:
                connection.reject(refused.rejection, refused.detail)
            elif isinstance(admitted, Admitted) and isinstance(identity, Identified):
                session = self._accepted(connection, request, admitted, identity, options)
                await session.run()
            await asyncio.shield(connection.closed)
        except AssociationLostError:
            pass  # before it was accepted; the line in the log says why
        finally:
            if session is not None:
                self._forget(connection)
            self._log(connection, request, session, loop.time() - started)

    async def _admission(
        self, connection: Connection, request: AssociateRequest, options: DimseOptions
    ) -> Admitted | Refused:
        addresses_of: Mapping[str, Collection[str]] = {}
        if options.check_modality_host:
            claimed = with_title(request.calling_ae_title, options)
            addresses_of = {name: await _addresses(modality.host) for name, modality in claimed.items()}
        load = Load(len(self._sessions), self._addresses[connection.address])
        return admission(request, addresses_of, connection.address, load, options)

    def _accepted(
        self,
        connection: Connection,
        request: AssociateRequest,
        admitted: Admitted,
        identity: Identified,
        options: DimseOptions,
    ) -> Session:
        answered = answer(request, contexts(admitted, request, options).support, options.most_operations)
        acceptance = _acceptance(request, answered, identity, options)
        connection.accept(acceptance, answered.accepted)
        terms = Terms(
            origin=Origin(
                "dimse",
                connection.address,
                request.calling_ae_title,
                request.called_ae_title,
                identity.user,
                options.labels,
            ),
            contexts=answered.accepted,
            extended={each.sop_class_uid: each.information for each in answered.extended},
            peer_maximum_length=request.user.maximum_length,
            most_operations=answered.window.invoked if answered.window is not None else 1,
            own_operations=answered.window.performed if answered.window is not None else 1,
            options=options,
            services=self._services,
            meter=self._meter,
            reports=self._reports,
            destinations=self.client.destinations,
            is_reachable=self._workitem_reports.is_reachable,
        )
        session = Session(connection, terms, HANDLERS)
        self._sessions[connection] = session
        self._addresses[connection.address] += 1
        titles = request.calling_ae_title, request.called_ae_title
        watched = Watched(connection, Part.ACCEPTED, *titles, len(answered.accepted), session.outcomes)
        watched.is_in(self._services.associations)
        return session

    def _way_to(self, ae_title: str) -> tuple[Exchange, Context] | None:
        """An association of a node on which it takes event reports."""
        for connection, session in self._sessions.items():
            if connection.established and session.terms.origin.calling_ae_title == ae_title:
                for context in session.terms.contexts:
                    if context.abstract_syntax == UPS_EVENT:
                        return session.exchange, context
        return None

    def _forget(self, connection: Connection) -> None:
        del self._sessions[connection]
        self._addresses[connection.address] -= 1
        if not self._addresses[connection.address]:
            del self._addresses[connection.address]

    def _log(self, connection: Connection, request: AssociateRequest, session: Session | None, seconds: float) -> None:
        ending = connection.ending
        how = ending.how if ending is not None else End.LOST
        self._meter.association_ended(SCP, how.value, seconds, connection.bytes_received, connection.bytes_sent)
        fields = {
            "calling": request.calling_ae_title,
            "called": request.called_ae_title,
            "address": connection.address,
            "end": str(ending) if ending is not None else how.value,
            "seconds": round(seconds, 3),
            "received": connection.bytes_received,
            "sent": connection.bytes_sent,
        }
        if session is not None:
            fields |= {"contexts": len(session.terms.contexts), **session.outcomes, **session.lost}
        level = logging.INFO if how is End.RELEASED else logging.WARNING
        logger.log(level, "association", extra=fields)


def _acceptance(
    request: AssociateRequest, answered: Answer, identity: Identified, options: DimseOptions
) -> AssociateAccept:
    return AssociateAccept(
        request.called_ae_title,
        request.calling_ae_title,
        answered.contexts,
        UserInformation(
            maximum_length=options.largest_pdu,
            implementation_class_uid=options.implementation_class_uid,
            implementation_version_name=options.implementation_version_name,
            window=answered.window,
            roles=answered.roles,
            extended=answered.extended,
            identity_response=identity.response,
        ),
    )


async def _addresses(host: str) -> Collection[str]:
    """The addresses of a host; none where it has none."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return ()
    return {str(each[4][0]) for each in found}
