"""Whatever is asked of worklists, reported as performed or committed, or lies in a file: refused, or understood."""

from collections.abc import Callable

import orjson

from conformance.cost import at_most
from conformance.workitems import progress, results, workitem
from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.compose import compose_data_set
from dicomweb_server.dicom.data_set_json import data_set_json, read_document
from dicomweb_server.dicom.matching import matches
from dicomweb_server.dicom.query import Include, Query
from dicomweb_server.dicom.scheduled import scheduled_references, start_of, with_status
from dicomweb_server.dicom.scheduled_answer import answer
from dicomweb_server.dicom.search_parameters import worklist_request
from dicomweb_server.dicom.selection import selected
from dicomweb_server.dicom.workitem import FILTERED_WORKITEMS, State, WorkitemError
from dicomweb_server.dicom.workitem_events import change_events, creation_events
from dicomweb_server.dicom.workitem_rules import canceled_workitem, changed_workitem, finished_workitem, new_workitem
from dicomweb_server.dicomweb.subscriptions import subscribed_keys
from dicomweb_server.dimse.answers import attribute_list
from dicomweb_server.dimse.commitment import read_report, read_request
from dicomweb_server.dimse.identifiers import Rules, read_identifier, worklist_matches
from dicomweb_server.dimse.worklist_scp import worklist_encoder
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.worklist import PerformedStep
from dicomweb_server.services.performed import StepProblemError, changed_step, checked_references
from dicomweb_server.wire.query_string import parse_query_string
from tests.worklists import document, encoded, ending, item, keys, report

SYNTAXES = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1")
_REFUSALS = (Reason.BAD_REQUEST, Reason.CANNOT_UNDERSTAND, Reason.MISSING_UID, Reason.UNSUPPORTED_TRANSFER_SYNTAX)
_ITEM = document(item(StudyInstanceUID="1.2.3"))
_WORKITEM, _ = new_workitem("1.2.3.4", document(workitem()), "20290101")
_STEP = PerformedStep("1.2.3", "IN PROGRESS", document(report(StudyInstanceUID="1.2.3")))


def _query(data: bytes, syntax: str) -> None:
    identifier = read_identifier(data, syntax)
    wanted = worklist_matches(identifier, Rules(fuzzy=True, empty_value=True, multiple_value=True))
    matches(_ITEM, Query(Level.STUDY, matches=wanted, fuzzy=True, combined_datetime=True))
    answer = worklist_encoder(identifier, syntax).encode(orjson.dumps(_ITEM))
    data_set_json(answer, syntax)


def _begun(data: bytes, syntax: str) -> None:
    checked_references(data_set_json(data, syntax))


def _changed(data: bytes, syntax: str) -> None:
    changed_step(_STEP, data_set_json(data, syntax))


def _reported(data: bytes, syntax: str) -> None:
    told = read_report(data, syntax)
    assert all(isinstance(reason, int) for _, reason in told.failed)


def _requested(data: bytes, syntax: str) -> None:
    assert read_request(data, syntax).references


def _searched(data: bytes, syntax: str) -> None:
    del syntax
    query = worklist_request(parse_query_string(data)).query
    matches(_ITEM, query)
    orjson.dumps(answer(_ITEM, [*query.include, *(Include(each.path, each.private_creator) for each in query.matches)]))


def _subscribed(data: bytes, syntax: str) -> None:
    del syntax
    keys = subscribed_keys(FILTERED_WORKITEMS, parse_query_string(data))
    assert keys
    query = Query(Level.STUDY, matches=keys)
    matches(_WORKITEM, query)
    orjson.dumps(selected(_WORKITEM, [Include(each.path, each.private_creator) for each in keys]))


def _file(data: bytes, syntax: str) -> None:
    del syntax
    found = read_document(data)
    start_of(found)
    list(scheduled_references(found))
    orjson.dumps(with_status(found, "STARTED"))


def _pushed(data: bytes, syntax: str) -> None:
    made, _ = new_workitem("1.2.3.4", data_set_json(data, syntax), "20290101")
    assert creation_events(made)
    compose_data_set(made)


def _pulled(data: bytes, syntax: str) -> None:
    given = data_set_json(data, syntax)
    canceled_workitem(_WORKITEM, given, "20290102")
    new = changed_workitem(_WORKITEM, given, "20290102")
    for event in change_events(_WORKITEM, new):
        attribute_list(event.document, syntax)
    for state in (State.CANCELED, State.COMPLETED):
        compose_data_set(finished_workitem(new, state, "20290103"))


_DOORS: tuple[Callable[[bytes, str], None], ...] = (
    _query, _begun, _changed, _reported, _requested, _file, _searched, _pushed, _pulled, _subscribed,
)  # fmt: skip


def fuzz(data: bytes) -> None:
    """Which door, the transfer syntax, and a data set."""
    choice = data[0] if data else 0
    with at_most(2):
        try:
            _DOORS[choice // 2 % len(_DOORS)](data[1:], SYNTAXES[choice & 1])
        except (StepProblemError, WorkitemError):
            pass
        except ServerError as error:
            if error.reason not in _REFUSALS:
                raise


def seeds() -> list[bytes]:
    """One for each door and encoding."""
    datasets = [
        keys(PatientName="Doe*", ScheduledProcedureStepStartDate="20240101-20240201"),
        report(item()),
        ending(),
        item(),
        workitem(),
        results(),
        progress(ProcedureStepProgress="50"),
    ]
    found = [
        bytes([2 * door + (not implicit)]) + encoded(dataset, implicit=implicit)
        for door in range(len(_DOORS))
        for dataset in datasets
        for implicit in (False, True)
    ]
    assert compose_data_set(_ITEM)
    search = bytes([2 * _DOORS.index(_searched)])
    queries = [
        b"PatientName=Do*&includefield=PatientComments,ScheduledProcedureStepSequence.00400012&limit=1&offset=0",
        b"ScheduledProcedureStepSequence.ScheduledProcedureStepStartDate=20240101-&fuzzymatching=true",
        b"00091001=a*&00090010=ACME&includefield=00091002,ScheduledProcedureStepSequence,all",
    ]
    subscribe = bytes([2 * _DOORS.index(_subscribed)])
    filters = [
        b"filter=WorklistLabel=AI,SOPInstanceUID=1.2,1.3,ScheduledWorkitemCodeSequence.CodeValue%3DC1",
        b"ScheduledProcedureStepStartDateTime=2029-&00741202=A*&PatientName=zebra",
    ]
    return [*found, *(search + query for query in queries), *(subscribe + each for each in filters)]
