"""N-CREATE of Instance Availability Notification (PS3.4 annex R): what other nodes say that they have."""

from dicomweb_server.dicom.availability import read_availability
from dicomweb_server.dicom.uids import is_valid_uid, new_uid
from dicomweb_server.dimse.admission import with_title
from dicomweb_server.dimse.session import Operation
from dicomweb_server.dimse.status import (
    INVALID_ARGUMENT,
    INVALID_OBJECT_INSTANCE,
    MISSING_ATTRIBUTE,
    PROCESSING_FAILURE,
    SUCCESS,
    Status,
)
from dicomweb_server.errors import Reason, ServerError

_LARGEST_NOTICE = 16 << 20  # with every instance of a study in it


async def on_availability(operation: Operation) -> None:
    """Notices are not kept: what is told may be fetched, and that is all that they are for."""
    instance_uid = operation.request.affected_sop_instance_uid or new_uid()
    if not is_valid_uid(instance_uid):
        operation.respond(INVALID_OBJECT_INSTANCE)
        return
    try:
        told = read_availability(await operation.document(_LARGEST_NOTICE, "notice"))
    except ServerError as error:
        code = MISSING_ATTRIBUTE if error.reason is Reason.BAD_REQUEST else INVALID_ARGUMENT
        operation.respond(Status(code.code, error.detail))
        return
    terms = operation.terms
    try:
        names = list(with_title(terms.origin.calling_ae_title, terms.options))
        await terms.services.availability.told(names, told)
    except ServerError as error:
        operation.respond(Status(PROCESSING_FAILURE.code, error.detail))
        return
    operation.respond(SUCCESS, affected_sop_instance_uid=instance_uid)
