"""N-CREATE, N-SET and N-GET of modality performed procedure steps (PS3.4 annex F): what modalities report."""

from collections.abc import Mapping

from dicomweb_server.dicom.uids import is_valid_uid, new_uid
from dicomweb_server.dimse.answers import attribute_list
from dicomweb_server.dimse.identifiers import CHARACTER_SET
from dicomweb_server.dimse.session import Operation
from dicomweb_server.dimse.status import (
    ATTRIBUTES_NOT_USED,
    DUPLICATE_INSTANCE,
    INVALID_ARGUMENT,
    INVALID_OBJECT_INSTANCE,
    INVALID_VALUE,
    MISSING_ATTRIBUTE,
    NO_SUCH_INSTANCE,
    NOT_SUPPORTED,
    PROCESSING_FAILURE,
    SUCCESS,
    Status,
)
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.services.performed import StepProblem, StepProblemError

_LARGEST_REPORT = 8 << 20  # with every image that was made in it
_STATUSES: Mapping[StepProblem, Status] = {
    StepProblem.MISSING: MISSING_ATTRIBUTE,
    StepProblem.INVALID: INVALID_VALUE,
    StepProblem.DUPLICATE: DUPLICATE_INSTANCE,
    StepProblem.UNKNOWN: NO_SUCH_INSTANCE,
    # PS3.4 §F.7.2.2.2
    StepProblem.FINAL: Status(0x0110, "Performed Procedure Step Object may no longer be updated"),
}
_NO_LONGER_UPDATED = 0xA506  # the Error ID of that


async def on_n_create(operation: Operation) -> None:
    """A step has begun; a UID is made for it if the modality gave none (PS3.7 §10.1.5.1.4)."""
    instance_uid = operation.request.affected_sop_instance_uid or new_uid()
    if not is_valid_uid(instance_uid):
        operation.respond(INVALID_OBJECT_INSTANCE)
        return
    try:
        report = await operation.document(_LARGEST_REPORT, "report")
        await operation.terms.services.performed.begin(instance_uid, report)
    except ServerError as error:
        _refuse(operation, error)
        return
    operation.respond(SUCCESS, affected_sop_instance_uid=instance_uid)


async def on_n_set(operation: Operation) -> None:
    """A step goes on, or is over."""
    try:
        fixed = await operation.terms.services.performed.change(
            operation.request.sop_instance_uid, await operation.document(_LARGEST_REPORT, "report")
        )
    except ServerError as error:
        _refuse(operation, error)
        return
    if fixed:
        operation.respond(ATTRIBUTES_NOT_USED, attributes=tuple(fixed))
    else:
        operation.respond(SUCCESS)


async def on_n_get(operation: Operation) -> None:
    """What is known of a step: the attributes that are asked for, all if none are (PS3.4 §F.8.2.1)."""
    try:
        step = await operation.terms.services.performed.step(operation.request.sop_instance_uid)
    except ServerError as error:
        _refuse(operation, error)
        return
    asked = operation.request.attributes or ()
    is_complete = all(tag == CHARACTER_SET or f"{tag:08X}" in step.document for tag in asked)
    told = attribute_list(step.document, operation.context.transfer_syntax, asked)
    operation.respond(SUCCESS if is_complete else NOT_SUPPORTED, told)


def _refuse(operation: Operation, error: ServerError) -> None:
    if isinstance(error, StepProblemError):
        more: dict[str, object] = {"error_id": _NO_LONGER_UPDATED} if error.problem is StepProblem.FINAL else {}
        if error.tags:
            more["attributes"] = error.tags
        status = _STATUSES[error.problem]
        operation.respond(Status(status.code, status.detail or error.detail), **more)
    elif error.reason in (Reason.CANNOT_UNDERSTAND, Reason.TOO_LARGE):
        operation.respond(Status(INVALID_ARGUMENT.code, error.detail))
    else:
        operation.respond(Status(PROCESSING_FAILURE.code, error.detail))
