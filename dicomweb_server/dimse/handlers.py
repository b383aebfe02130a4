"""The services: each translates a request, calls one method of the services, translates back."""

from collections.abc import Callable, Mapping

from dicomweb_server.dicom.part10 import file_meta
from dicomweb_server.dicom.uids import is_valid_uid
from dicomweb_server.dimse.contexts import SERVICES, Service
from dicomweb_server.dimse.message import CommandField
from dicomweb_server.dimse.session import Handler, Operation
from dicomweb_server.dimse.status import SUCCESS, store_status
from dicomweb_server.errors import Reason, ServerError


async def on_c_echo(operation: Operation) -> None:
    """C-ECHO: we are here (PS3.7 §9.3.5)."""
    operation.respond(SUCCESS)


async def on_c_store(operation: Operation) -> None:
    """C-STORE: the data set is spooled as it comes, never decoded here, and answered once it is durable (PS3.4 §B)."""
    request, terms = operation.request, operation.terms
    class_uid, instance_uid = request.sop_class_uid, request.sop_instance_uid
    if not (is_valid_uid(class_uid) and is_valid_uid(instance_uid)):
        operation.respond(store_status(Reason.MISSING_UID, "a UID of the command is ill-formed"))
        return
    ingest = terms.services.ingest
    staging = ingest.stage()
    try:
        await staging.write(file_meta(class_uid, instance_uid, operation.context.transfer_syntax))
        while chunks := await operation.dataset.read():
            for chunk in chunks:
                await staging.write(chunk)
            if operation.dataset.size > terms.options.largest_instance:
                await staging.discard()
                operation.respond(store_status(Reason.TOO_LARGE))
                operation.session.connection.abort("a data set is larger than this server takes")
                return
        staged = await staging.finish()
    except ServerError as error:
        await staging.discard()
        operation.respond(store_status(error.reason, error.detail))
        return
    except BaseException:
        await staging.discard()
        raise
    outcome = await ingest.ingest(staged, terms.origin)
    operation.respond(SUCCESS if outcome.reason is None else store_status(outcome.reason, outcome.detail))


def _serves(service: Service) -> Callable[[str], bool]:
    """Whether an abstract syntax belongs to a service; one that nobody knows was accepted as storage."""
    return lambda abstract_syntax: SERVICES.get(abstract_syntax, Service.STORE) is service


HANDLERS: Mapping[int, Handler] = {
    CommandField.C_ECHO_RQ: Handler("C-ECHO", on_c_echo, _serves(Service.ECHO)),
    CommandField.C_STORE_RQ: Handler("C-STORE", on_c_store, _serves(Service.STORE), needs_dataset=True),
}
