"""C-STORE: takes instances by the one way in (PS3.4 annex B)."""

from typing import Protocol

from dicomweb_server.dicom.non_patient import CATEGORY_OF
from dicomweb_server.dicom.part10 import file_meta
from dicomweb_server.dicom.uids import is_valid_uid, transfer_syntax
from dicomweb_server.dimse.options import OnMismatch
from dicomweb_server.dimse.session import Operation
from dicomweb_server.dimse.stated_identity import stated_identity
from dicomweb_server.dimse.status import store_outcome_status, store_status, stored_status
from dicomweb_server.errors import Reason, ServerError


class Spool(Protocol):
    """Takes the bytes of an instance."""

    async def write(self, chunk: bytes | memoryview) -> None:
        """Take some more."""


async def on_c_store(operation: Operation) -> None:
    """C-STORE: the data set is spooled as it comes, never decoded here, and answered once it is durable (PS3.4 §B)."""
    request, services = operation.request, operation.terms.services
    if not (is_valid_uid(request.sop_class_uid) and is_valid_uid(request.sop_instance_uid)):
        operation.respond(store_status(Reason.MISSING_UID, "a UID of the command is ill-formed"))
        return
    staging = services.ingest.stage()
    try:
        mismatch = await _spool(operation, staging)
        staged = await staging.finish()
    except ServerError as error:
        await staging.discard()
        status = store_status(error.reason, error.detail)
        if error.reason is Reason.TOO_LARGE:  # the rest may have no end
            operation.respond_at_once(status)
            operation.session.connection.abort(error.detail)
        else:
            operation.respond(status)
        return
    except BaseException:
        await staging.discard()
        raise
    refuses = operation.terms.options.on_mismatch is OnMismatch.REFUSE
    identity = (request.sop_class_uid, request.sop_instance_uid) if refuses else None
    if category := CATEGORY_OF.get(request.sop_class_uid):
        sop_class_uid, instance_uid = identity or (None, None)
        outcome = await services.non_patient.store(staged, category, instance_uid, sop_class_uid)
        operation.respond(store_outcome_status(outcome, mismatch=mismatch))
        return
    stored = operation.in_advance(stored_status(mismatch))
    outcome = await services.ingest.ingest(staged, operation.terms.origin, identity=identity, when_stored=stored)
    operation.respond(store_outcome_status(outcome, mismatch=mismatch))


async def _spool(operation: Operation, staging: Spool) -> str:
    """Write the data set behind a file meta; what of its identity differs from the command, "" if nothing does."""
    request, options = operation.request, operation.terms.options
    identity = request.sop_class_uid, request.sop_instance_uid
    transfer_syntax_uid = operation.context.transfer_syntax
    await staging.write(file_meta(*identity, transfer_syntax_uid))
    mismatch, first = "", True
    operation.dataset.limit = options.largest_instance
    while chunks := await operation.dataset.read():
        # What is here whole is judged when it is read; nobody need wait for the rest of what will be refused.
        if first and (options.on_mismatch is OnMismatch.WARN or not operation.dataset.is_whole):
            stated = stated_identity(chunks[0], transfer_syntax(transfer_syntax_uid).encoding)
            if stated is not None and stated != identity:
                mismatch = "UIDs of the command and the data set differ"
                if options.on_mismatch is OnMismatch.REFUSE:
                    raise ServerError(Reason.MISMATCHED_IDENTITY, mismatch)
        first = False
        if operation.dataset.size > options.largest_instance:
            raise ServerError(Reason.TOO_LARGE, f"the data set has more than {options.largest_instance} bytes")
        for chunk in chunks:
            await staging.write(chunk)
    return mismatch
