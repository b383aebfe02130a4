"""Whatever the query string: it is refused, or it finds in a small index what the matcher says, soon."""

import atexit
from contextlib import ExitStack
from functools import cache
from typing import Any

from conformance.cost import at_most
from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.matching import matches
from dicomweb_server.dicom.query import Query
from dicomweb_server.dicom.search_parameters import search_request
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.storage.query_sql import find
from dicomweb_server.storage.sqlite import Connection
from dicomweb_server.wire.query_string import parse_query_string
from tests.unit.storage.query_store import UID_TAG, Made, make, stored, uids

_LEVELS = (Level.STUDY, Level.SERIES, Level.INSTANCE)
_OTHERS: dict[str, Any] = {
    "00180050": {"vr": "DS", "Value": [1.5]},
    "00090010": {"vr": "LO", "Value": ["ACME"]},
    "00091001": {"vr": "LO", "Value": ["private"]},
    "0008002A": {"vr": "DT", "Value": ["20240131120000+0200"]},
}
_TEXTS = {
    "PatientName": "Müller^Jörg=山田^太郎\\Doe",
    "PatientID": "P%_1",
    "StudyDate": "20240131",
    "StudyTime": "1015",
    "AccessionNumber": "A\\B",
    "SeriesNumber": "2",
    "InstanceNumber": "1",
    "Modality": "CT",
}
# What an index computes is not in the data set, and is not compared here.
_COMPUTED = frozenset({0x00080056, 0x00080061, 0x00080062, 0x00081190, 0x00083002, 0x00201206, 0x00201208, 0x00201209})


@cache
def _index() -> tuple[Connection, list[Made]]:
    """An index with two instances."""
    made = [make("1.1", "1", "1", others=_OTHERS, **_TEXTS), make("1.2", "1", "1")]
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(stored(made)), made


def fuzz(data: bytes) -> None:
    """The level, and a query string."""
    level = _LEVELS[data[0] % 3] if data else Level.STUDY
    with at_most(2):
        try:
            query = search_request(level, parse_query_string(data[1:])).query
        except ServerError as error:
            if error.reason is not Reason.BAD_REQUEST:
                raise
            return
        _compare(query)


def _compare(query: Query) -> None:
    connection, made = _index()
    page = find(connection, query)
    assert query.limit is None or len(page.matches) <= query.limit
    if query.limit is None and not query.offset and not any(match.path[0] in _COMPUTED for match in query.matches):
        tag = UID_TAG[query.level]
        expected = [one.document[tag]["Value"][0] for one in made if matches(one.document, query)]
        assert sorted(uids(page, query.level)) == sorted(expected)


def seeds() -> list[bytes]:
    """Searches of every kind."""
    return [
        b"\0PatientName=M%C3%BCller*&fuzzymatching=true&limit=101&offset=0&includefield=00081030%2C00080060",
        b"\1StudyDate=20240101-20240201&StudyTime=10-09&combineddatetime=true&orderby=-StudyDate,PatientName",
        b"\2InstanceNumber=1&00180050=1.50&includefield=all&count=true",
        b'\0PatientID=P%25_1,x*,""&multiplevaluematching=true&emptyvaluematching=true',
        b"\0StudyInstanceUID=1.1%5C1.2&AccessionNumber=B&Modality=CT",
        b"\1RequestAttributesSequence.ScheduledProcedureStepID=a?b*&00091001=pri*&00090010=ACME",
        b"\2AcquisitionDateTime=20240131100000-0000-20240201&SeriesNumber=+02",
        b"\0PatientName=*=%E5%B1%B1*&offset=9223372036854775808",
    ]
