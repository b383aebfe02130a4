"""Which request is answered by what, for which SOP classes. The services themselves are in files of their own."""

from collections.abc import Callable, Mapping

from dicomweb_server.dicom.availability import INSTANCE_AVAILABILITY
from dicomweb_server.dimse.availability_scp import on_availability
from dicomweb_server.dimse.commitment_scp import on_n_action
from dicomweb_server.dimse.contexts import PERFORMED_STEP, SERVICES, Service, is_storage
from dicomweb_server.dimse.message import CommandField
from dicomweb_server.dimse.performed_scp import on_n_create, on_n_get, on_n_set
from dicomweb_server.dimse.query_scp import on_c_find
from dicomweb_server.dimse.retrieve_scp import on_c_get, on_c_move
from dicomweb_server.dimse.scu import N_EVENT_REPORT
from dicomweb_server.dimse.session import Handler, Operation
from dicomweb_server.dimse.status import SUCCESS
from dicomweb_server.dimse.storage_scp import on_c_store
from dicomweb_server.dimse.worklist_scp import on_worklist_find


async def on_any_c_find(operation: Operation) -> None:
    """C-FIND: of what is stored, or of the worklist."""
    if SERVICES.get(operation.context.abstract_syntax) is Service.WORKLIST:
        await on_worklist_find(operation)
    else:
        await on_c_find(operation)


async def on_any_n_create(operation: Operation) -> None:
    """N-CREATE: a performed step begins, or a node tells what it has."""
    if operation.context.abstract_syntax == INSTANCE_AVAILABILITY:
        await on_availability(operation)
    else:
        await on_n_create(operation)


async def on_c_echo(operation: Operation) -> None:
    """C-ECHO: we are here (PS3.7 §9.3.5)."""
    operation.respond(SUCCESS)


def _serves(*services: Service) -> Callable[[str], bool]:
    return lambda abstract_syntax: SERVICES.get(abstract_syntax) in services


_CREATED = frozenset({PERFORMED_STEP, INSTANCE_AVAILABILITY})
HANDLERS: Mapping[int, Handler] = {
    CommandField.C_ECHO_RQ: Handler("C-ECHO", on_c_echo, _serves(Service.ECHO)),
    CommandField.C_STORE_RQ: Handler("C-STORE", on_c_store, is_storage, needs_dataset=True),
    CommandField.C_FIND_RQ: Handler(
        "C-FIND", on_any_c_find, _serves(Service.FIND, Service.WORKLIST), needs_dataset=True, long=True
    ),
    CommandField.C_MOVE_RQ: Handler("C-MOVE", on_c_move, _serves(Service.MOVE), needs_dataset=True, long=True),
    CommandField.C_GET_RQ: Handler("C-GET", on_c_get, _serves(Service.GET), needs_dataset=True, long=True),
    CommandField.N_CREATE_RQ: Handler("N-CREATE", on_any_n_create, _CREATED.__contains__, needs_dataset=True),
    CommandField.N_SET_RQ: Handler("N-SET", on_n_set, PERFORMED_STEP.__eq__, needs_dataset=True),
    CommandField.N_GET_RQ: Handler("N-GET", on_n_get, _serves(Service.MPPS)),
    CommandField.N_EVENT_REPORT_RQ: N_EVENT_REPORT,
    CommandField.N_ACTION_RQ: Handler("N-ACTION", on_n_action, _serves(Service.COMMITMENT), needs_dataset=True),
}
