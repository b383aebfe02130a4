"""Single requests to a modality that need no sub-operations: store one file, ask for commitment, tell something."""

from collections.abc import Callable, Sequence

import orjson

from dicomweb_server.dicom.part10 import (
    MEDIA_STORAGE_SOP_CLASS_UID,
    MEDIA_STORAGE_SOP_INSTANCE_UID,
    TRANSFER_SYNTAX_UID,
    read_file_meta,
)
from dicomweb_server.dicom.uids import is_valid_uid, uid_from
from dicomweb_server.dimse.answers import AnswerEncoder
from dicomweb_server.dimse.commitment import PUSH_MODEL_INSTANCE, REQUEST_ACTION, CommitmentRequest
from dicomweb_server.dimse.contexts import STORAGE_COMMITMENT
from dicomweb_server.dimse.ending import AssociationLostError, ContextRefusedError
from dicomweb_server.dimse.identifiers import RequestKey
from dicomweb_server.dimse.items import RoleSelection
from dicomweb_server.dimse.message import Command, CommandField, operation_name
from dicomweb_server.dimse.options import Modality
from dicomweb_server.dimse.scu import IDENTIFIER_SYNTAXES, RequestedAssociation, ServiceUser
from dicomweb_server.dimse.status import DUPLICATE_INSTANCE, Status
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.services.modalities import Attributes, PeerAwayError, PeerError, Reference

DataSet = Callable[[str], bytes | memoryview]  # in a transfer syntax


def refusal(field: int, status: Status) -> PeerError:
    """Why a request was not done."""
    return PeerError(f"{operation_name(field)} was answered with status {status.code:04X}H {status.detail}".rstrip())


def lost(error: AssociationLostError) -> PeerError:
    """What it means for who asked that there is no association for it, or no more."""
    kind = PeerError if isinstance(error, ContextRefusedError) else PeerAwayError
    return kind(str(error))


async def store_file(part10: bytes, modality: Modality, user: ServiceUser) -> Reference:
    """C-STORE of one file, in its own transfer syntax; ServerError if it is none."""
    values, start = read_file_meta(part10)
    reference = Reference(
        *(uid_from(values.get(tag, b"")) for tag in (MEDIA_STORAGE_SOP_CLASS_UID, MEDIA_STORAGE_SOP_INSTANCE_UID))
    )
    syntax = uid_from(values.get(TRANSFER_SYNTAX_UID, b""))
    if not all(map(is_valid_uid, (reference.sop_class_uid, reference.instance_uid, syntax))):
        raise ServerError(Reason.MISSING_UID, "the file meta information lacks a UID")
    command = Command(
        field=CommandField.C_STORE_RQ,
        has_dataset=True,
        affected_sop_class_uid=reference.sop_class_uid,
        affected_sop_instance_uid=reference.instance_uid,
        priority=0,
    )
    proposal = (reference.sop_class_uid, (syntax,))
    association = await _done(modality, user, proposal, command, lambda _: memoryview(part10)[start:])
    await association.release()
    return reference


async def ask_commitment(
    references: Sequence[Reference], transaction_uid: str, modality: Modality, user: ServiceUser
) -> RequestedAssociation:
    """N-ACTION: have the modality answer for instances (PS3.4 §J.3.2).

    It may report on the same association, which is therefore the caller's to release.
    """
    request = CommitmentRequest(transaction_uid, tuple(references))
    command = Command(
        field=CommandField.N_ACTION_RQ,
        has_dataset=True,
        requested_sop_class_uid=STORAGE_COMMITMENT,
        requested_sop_instance_uid=PUSH_MODEL_INSTANCE,
        action_type_id=REQUEST_ACTION,
    )
    proposal = (STORAGE_COMMITMENT, IDENTIFIER_SYNTAXES)
    return await _done(modality, user, proposal, command, request.dataset)


async def create(reference: Reference, attributes: Attributes, modality: Modality, user: ServiceUser) -> None:
    """N-CREATE (PS3.7 §10.1.5); that there is such an instance already is no failure: it was told before."""
    command = Command(
        field=CommandField.N_CREATE_RQ,
        has_dataset=True,
        affected_sop_class_uid=reference.sop_class_uid,
        affected_sop_instance_uid=reference.instance_uid,
    )
    await _tell(command, attributes, modality, user, as_good=(DUPLICATE_INSTANCE.code,))


async def change(reference: Reference, attributes: Attributes, modality: Modality, user: ServiceUser) -> None:
    """N-SET (PS3.7 §10.1.3)."""
    command = Command(
        field=CommandField.N_SET_RQ,
        has_dataset=True,
        requested_sop_class_uid=reference.sop_class_uid,
        requested_sop_instance_uid=reference.instance_uid,
    )
    await _tell(command, attributes, modality, user)


async def notify(reference: Reference, event_type_id: int, modality: Modality, user: ServiceUser) -> None:
    """N-EVENT-REPORT without further information (PS3.7 §10.1.1): we are the SCP although we call."""
    command = Command(
        field=CommandField.N_EVENT_REPORT_RQ,
        affected_sop_class_uid=reference.sop_class_uid,
        affected_sop_instance_uid=reference.instance_uid,
        event_type_id=event_type_id,
    )
    role = RoleSelection(reference.sop_class_uid, scu=False, scp=True)
    proposal = (reference.sop_class_uid, IDENTIFIER_SYNTAXES)
    association = await _done(modality, user, proposal, command, roles=(role,))
    await association.release()


async def _tell(
    command: Command, attributes: Attributes, modality: Modality, user: ServiceUser, as_good: Sequence[int] = ()
) -> None:
    keys = [RequestKey(int(tag, 16), attribute["vr"], "") for tag, attribute in attributes.items()]

    def dataset(transfer_syntax_uid: str) -> bytes:
        return AnswerEncoder(keys, {}, transfer_syntax_uid, "ISO_IR 100").encode(orjson.dumps(attributes))

    proposal = (command.sop_class_uid, IDENTIFIER_SYNTAXES)
    association = await _done(modality, user, proposal, command, dataset, as_good)
    await association.release()


async def _done(
    modality: Modality,
    user: ServiceUser,
    proposal: tuple[str, tuple[str, ...]],
    command: Command,
    dataset: DataSet | None = None,
    as_good: Sequence[int] = (),
    roles: tuple[RoleSelection, ...] = (),
) -> RequestedAssociation:
    """The association of its own on which one request was done; PeerError if it was not.

    `as_good`: statuses of failure that are none for who asks.
    """
    try:
        association = await user.associate(modality, [proposal], roles)
        try:
            status = await _answered(association, proposal[0], command, dataset, user.response_seconds(modality))
        except BaseException:
            await association.abort("the request was given up")
            raise
    except AssociationLostError as error:
        raise lost(error) from error
    if status.outcome == "failure" and status.code not in as_good:
        await association.release()
        raise refusal(command.field, status)
    return association


async def _answered(
    association: RequestedAssociation,
    sop_class_uid: str,
    command: Command,
    dataset: DataSet | None,
    seconds: float,
) -> Status:
    context = association.context(sop_class_uid)
    numbered = command._replace(message_id=association.exchange.next_message_id())
    exchange = association.exchange
    pieces = [dataset(context.transfer_syntax)] if dataset is not None else []
    outgoing = exchange.outgoing(context.context_id, numbered, pieces)
    message = await exchange.request(outgoing, seconds)
    return Status(message.command.status or 0, message.command.error_comment or "")
