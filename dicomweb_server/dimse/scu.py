"""Associations that we request: opened with the contexts that they need, served while they last, released."""

import asyncio
import logging
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from dicomweb_server.dicom.origin import Origin
from dicomweb_server.dicom.uids import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from dicomweb_server.dimse.association import Role
from dicomweb_server.dimse.commitment_scp import on_n_event_report
from dicomweb_server.dimse.connection import Connection
from dicomweb_server.dimse.contexts import STORAGE_COMMITMENT, VERIFICATION, is_storage
from dicomweb_server.dimse.ending import AssociationLostError, AssociationRefusedError, ContextRefusedError, End, Ending
from dicomweb_server.dimse.items import AsynchronousWindow, ProposedContext, RoleSelection, UserInformation
from dicomweb_server.dimse.message import Command, CommandField
from dicomweb_server.dimse.meter import SCU, Meter, NoMeter
from dicomweb_server.dimse.negotiation import Context, agreed_contexts, agreed_window
from dicomweb_server.dimse.options import DimseOptions, Modality, Timeouts
from dicomweb_server.dimse.pdu import AssociateAccept, AssociateReject, AssociateRequest
from dicomweb_server.dimse.session import Handler, Session, Terms
from dicomweb_server.dimse.status import Status
from dicomweb_server.dimse.storage_scp import on_c_store
from dicomweb_server.dimse.tls import client_context
from dicomweb_server.dimse.watched import Watched
from dicomweb_server.services import Services
from dicomweb_server.services.associations import Associations, Part

logger = logging.getLogger("dicomweb_server.dimse")
IDENTIFIER_SYNTAXES = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)
_MOST_OUTSTANDING = 8
# What peers tell about what we asked of them; on an association of theirs, too.
N_EVENT_REPORT = Handler(
    "N-EVENT-REPORT", on_n_event_report, STORAGE_COMMITMENT.__eq__, needs_dataset=True, from_scp=True
)
# What the peer may ask of us on an association that we requested: to store what we get by C-GET, to note a report.
_HANDLERS: Mapping[int, Handler] = {
    CommandField.N_EVENT_REPORT_RQ: N_EVENT_REPORT,
    CommandField.C_STORE_RQ: Handler("C-STORE", on_c_store, is_storage, needs_dataset=True),
}

Proposals = Sequence[tuple[str, tuple[str, ...]]]
"""(SOP class, transfer syntaxes) pairs, 128 of them at most."""


class RequestedAssociation:
    """An association with a peer that we called. Close it with `release` or `abort`."""

    def __init__(self, session: Session, modality: Modality, proposals: Proposals) -> None:
        self.modality = modality
        self.proposals = proposals
        self.is_reused = False  # it was kept after an earlier use
        self.contexts = session.terms.contexts
        self.outstanding = session.terms.own_operations
        self.exchange = session.exchange
        self.outcomes = session.outcomes
        self._connection = session.connection
        self._serving = asyncio.create_task(session.run())

    @property
    def is_open(self) -> bool:
        """Whether data can be exchanged, as far as we know."""
        return self._connection.established

    def context(self, sop_class_uid: str) -> Context:
        """The context of a SOP class; ContextRefusedError if the peer did not accept one."""
        for context in self.contexts:
            if context.abstract_syntax == sop_class_uid:
                return context
        raise ContextRefusedError(f"the peer does not accept SOP class {sop_class_uid}")

    async def echo(self, seconds: float) -> Status:
        """C-ECHO; ContextRefusedError if the peer does not take it."""
        command = Command(
            field=CommandField.C_ECHO_RQ,
            affected_sop_class_uid=VERIFICATION,
            message_id=self.exchange.next_message_id(),
        )
        context = self.context(VERIFICATION)
        message = await self.exchange.request(self.exchange.outgoing(context.context_id, command), seconds)
        return Status(message.command.status or 0, message.command.error_comment or "")

    async def release(self) -> None:
        """End in order."""
        await self._connection.release()
        await self._serving

    async def abort(self, detail: str) -> None:
        """End at once."""
        self._connection.abort(detail)
        self._connection.cut(detail)
        await self._serving


@dataclass(frozen=True, slots=True)
class ServiceUser:
    """This server where it is the one who asks."""

    services: Services
    options: DimseOptions
    meter: Meter = field(default_factory=NoMeter)
    associations: Associations = field(default_factory=Associations)

    async def associate(
        self, modality: Modality, proposals: Proposals, roles: tuple[RoleSelection, ...] = ()
    ) -> RequestedAssociation:
        """An association with a modality; AssociationRefusedError says why there is none."""
        # What comes back by C-GET may come several at a time.
        window = AsynchronousWindow(_MOST_OUTSTANDING, _MOST_OUTSTANDING if any(role.scp for role in roles) else 1)
        request = AssociateRequest(
            modality.ae_title,
            modality.local_ae_title or self.options.ae_title,
            tuple(ProposedContext(2 * n + 1, uid, syntaxes) for n, (uid, syntaxes) in enumerate(proposals)),
            UserInformation(
                maximum_length=self.options.largest_pdu,
                implementation_class_uid=self.options.implementation_class_uid,
                implementation_version_name=self.options.implementation_version_name,
                window=window,
                roles=roles,
            ),
        )
        connection = await self._connected(modality)
        try:
            answer = await connection.request(request)
        except AssociationLostError as error:
            raise AssociationRefusedError(f"{modality.ae_title}: {error}") from error
        except BaseException:
            connection.cut("given up")
            raise
        if isinstance(answer, AssociateReject):
            codes = f"result {answer.result}, source {answer.source}, reason {answer.reason}"
            raise AssociationRefusedError(f"{modality.ae_title} rejected the association: {codes}")
        terms = self._terms(
            connection, modality, agreed_contexts(request, answer), answer, agreed_window(window, answer.user.window)
        )
        connection.agree(terms.contexts)
        session = Session(connection, terms, _HANDLERS)
        titles = request.calling_ae_title, request.called_ae_title
        watched = Watched(connection, Part.REQUESTED, *titles, len(terms.contexts), session.outcomes)
        watched.is_in(self.associations)
        return RequestedAssociation(session, modality, proposals)

    async def echo(self, modality: Modality) -> Status:
        """C-ECHO on an association of its own."""
        association = await self.associate(modality, [(VERIFICATION, IDENTIFIER_SYNTAXES)])
        try:
            status = await association.echo(self.response_seconds(modality))
        except BaseException:
            await association.abort("no answer")
            raise
        await association.release()
        return status

    def response_seconds(self, modality: Modality) -> float:
        """How long to wait for each answer of a modality."""
        return modality.timeout or self.options.timeouts.response

    def _terms(
        self,
        connection: Connection,
        modality: Modality,
        contexts: tuple[Context, ...],
        accept: AssociateAccept,
        window: AsynchronousWindow,
    ) -> Terms:
        return Terms(
            origin=Origin("dimse", connection.address, modality.ae_title, self.options.ae_title),
            contexts=contexts,
            extended={each.sop_class_uid: each.information for each in accept.user.extended},
            peer_maximum_length=accept.user.maximum_length,
            most_operations=window.performed,
            own_operations=window.invoked,
            options=self.options,
            services=self.services,
            meter=self.meter,
        )

    async def _connected(self, modality: Modality) -> Connection:
        loop, options = asyncio.get_running_loop(), self.options
        started = loop.time()

        def ended(connection: Connection) -> None:
            ending = connection.ending or Ending(End.LOST)
            exchanged = connection.bytes_received, connection.bytes_sent
            self._log(modality, connection.address, ending, loop.time() - started, *exchanged)

        def unreached(why: str) -> AssociationRefusedError:
            self._log(modality, modality.host, Ending(End.UNREACHED, why), loop.time() - started)
            return AssociationRefusedError(f"{modality.host} port {modality.port}: {why}")

        try:
            context = client_context(options.tls_client) if modality.tls else None
            async with asyncio.timeout(modality.timeout or options.timeouts.connect):
                _, connection = await loop.create_connection(
                    lambda: Connection(Role.REQUESTOR, self._timeouts(modality), options.largest_pdu, ended=ended),
                    modality.host,
                    modality.port,
                    ssl=context,
                )
        except TimeoutError:
            raise unreached("no connection in time") from None
        except (OSError, ssl.SSLError) as error:
            raise unreached(error.strerror or type(error).__name__) from error
        return connection

    def _log(
        self, modality: Modality, address: str, ending: Ending, seconds: float, received: int = 0, sent: int = 0
    ) -> None:
        self.meter.association_ended(SCU, ending.how.value, seconds, received, sent)
        logger.log(
            logging.INFO if ending.how is End.RELEASED else logging.WARNING,
            "association requested",
            extra={
                "calling": modality.local_ae_title or self.options.ae_title,
                "called": modality.ae_title,
                "address": address,
                "end": str(ending),
                "seconds": round(seconds, 3),
                "received": received,
                "sent": sent,
            },
        )

    def _timeouts(self, modality: Modality) -> Timeouts:
        timeouts = self.options.timeouts
        return replace(
            timeouts,
            association=modality.timeout or timeouts.association,
            idle=max(timeouts.idle, 2 * self.options.keep_associations),
        )
