"""Which request is answered by what, for which SOP classes. The services themselves are in files of their own."""

from collections.abc import Awaitable, Callable, Mapping

from dicomweb_server.dicom.availability import INSTANCE_AVAILABILITY
from dicomweb_server.dimse.availability_scp import on_availability
from dicomweb_server.dimse.commitment_scp import on_n_action
from dicomweb_server.dimse.contexts import (
    NON_PATIENT_MODELS,
    PERFORMED_STEP,
    SERVICES,
    WORKITEM_CLASSES,
    Service,
    is_storage,
)
from dicomweb_server.dimse.message import CommandField
from dicomweb_server.dimse.non_patient_scp import find_non_patient
from dicomweb_server.dimse.performed_scp import on_n_create, on_n_get, on_n_set
from dicomweb_server.dimse.query_scp import find_resources
from dicomweb_server.dimse.retrieve_scp import on_c_get, on_c_move
from dicomweb_server.dimse.scu import N_EVENT_REPORT
from dicomweb_server.dimse.session import Handler, Operation
from dicomweb_server.dimse.status import SUCCESS, Status, query_status
from dicomweb_server.dimse.storage_scp import on_c_store
from dicomweb_server.dimse.workitem_scp import (
    find_workitems,
    on_workitem_action,
    on_workitem_create,
    on_workitem_get,
    on_workitem_set,
)
from dicomweb_server.dimse.worklist_scp import find_worklist_items
from dicomweb_server.errors import ServerError

Answer = Callable[[Operation], Awaitable[None]]


def _by_service(answers: Mapping[Service, Answer]) -> Answer:
    """One kind of request, which several services have."""

    async def answered(operation: Operation) -> None:
        await answers[SERVICES[operation.context.abstract_syntax]](operation)

    return answered


async def find_instances(operation: Operation) -> Status:
    """C-FIND of studies and what is in them, or of instances that belong to no patient."""
    is_of_patients = operation.context.abstract_syntax not in NON_PATIENT_MODELS
    return await (find_resources if is_of_patients else find_non_patient)(operation)


_FINDS = {Service.FIND: find_instances, Service.WORKLIST: find_worklist_items, Service.UPS: find_workitems}


async def on_any_c_find(operation: Operation) -> None:
    """C-FIND: matches are pending responses, the end is a final one; a refusal says why (PS3.4 table C.4-1)."""
    try:
        operation.respond(await _FINDS[SERVICES[operation.context.abstract_syntax]](operation))
    except ServerError as error:
        operation.respond(query_status(error))


on_any_n_create = _by_service(
    {Service.MPPS: on_n_create, Service.AVAILABILITY: on_availability, Service.UPS: on_workitem_create}
)
on_any_n_set = _by_service({Service.MPPS: on_n_set, Service.UPS: on_workitem_set})
on_any_n_get = _by_service({Service.MPPS: on_n_get, Service.UPS: on_workitem_get})
on_any_n_action = _by_service({Service.COMMITMENT: on_n_action, Service.UPS: on_workitem_action})


async def on_c_echo(operation: Operation) -> None:
    """C-ECHO: we are here (PS3.7 §9.3.5)."""
    operation.respond(SUCCESS)


def _serves(*services: Service) -> Callable[[str], bool]:
    return lambda abstract_syntax: SERVICES.get(abstract_syntax) in services


def _with_workitems(name: str, serves: Callable[[str], bool]) -> Callable[[str], bool]:
    """Also the SOP classes of workitems that offer an operation."""
    classes = frozenset(uid for uid, operations in WORKITEM_CLASSES.items() if name in operations)
    return lambda abstract_syntax: abstract_syntax in classes or serves(abstract_syntax)


_CREATED = frozenset({PERFORMED_STEP, INSTANCE_AVAILABILITY})
HANDLERS: Mapping[int, Handler] = {
    CommandField.C_ECHO_RQ: Handler("C-ECHO", on_c_echo, _serves(Service.ECHO)),
    CommandField.C_STORE_RQ: Handler("C-STORE", on_c_store, is_storage, needs_dataset=True),
    CommandField.C_FIND_RQ: Handler(
        "C-FIND",
        on_any_c_find,
        _with_workitems("C-FIND", _serves(Service.FIND, Service.WORKLIST)),
        needs_dataset=True,
        long=True,
    ),
    CommandField.C_MOVE_RQ: Handler("C-MOVE", on_c_move, _serves(Service.MOVE), needs_dataset=True, long=True),
    CommandField.C_GET_RQ: Handler("C-GET", on_c_get, _serves(Service.GET), needs_dataset=True, long=True),
    CommandField.N_CREATE_RQ: Handler(
        "N-CREATE", on_any_n_create, _with_workitems("N-CREATE", _CREATED.__contains__), needs_dataset=True
    ),
    CommandField.N_SET_RQ: Handler(
        "N-SET", on_any_n_set, _with_workitems("N-SET", PERFORMED_STEP.__eq__), needs_dataset=True
    ),
    CommandField.N_GET_RQ: Handler("N-GET", on_any_n_get, _with_workitems("N-GET", _serves(Service.MPPS))),
    CommandField.N_EVENT_REPORT_RQ: N_EVENT_REPORT,
    # A request to cancel a workitem may do without a data set.
    CommandField.N_ACTION_RQ: Handler(
        "N-ACTION", on_any_n_action, _with_workitems("N-ACTION", _serves(Service.COMMITMENT))
    ),
}
