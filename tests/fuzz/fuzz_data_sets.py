"""Bodies that are one data set, in JSON or XML: commitments and performed steps are refused in words, or understood."""

import orjson

from conformance.cost import at_most
from dicomweb_server.dicom.data_set_json import normalized
from dicomweb_server.dicom.dicom_xml import to_xml
from dicomweb_server.dicomweb.commitment_modules import read_wanted, response_module
from dicomweb_server.dicomweb.data_sets import documents
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.services.commitment_requests import Judged
from dicomweb_server.services.performed import IN_PROGRESS, PerformedStep, changed_step, checked_references
from dicomweb_server.wire.media_types import DICOM_JSON, DICOM_XML
from tests.worklists import document, ending, item, report

_KINDS = (DICOM_JSON, DICOM_XML)
_REFUSALS = (
    Reason.BAD_REQUEST,
    Reason.CANNOT_UNDERSTAND,
    Reason.TOO_LARGE,
    Reason.MISSING_BULK_DATA,
    Reason.MISSING_UID,
    Reason.CONFLICT,
)


def fuzz(data: bytes) -> None:
    """Which kind, which door, and a text."""
    with at_most(2):
        try:
            for received in documents(data[1:], _KINDS[data[0] & 1 if data else 0], "the text"):
                _DOORS[data[0] >> 1 & 1](received)
        except ServerError as error:
            assert error.reason in _REFUSALS
            assert error.detail


def _commit(received: dict[str, object]) -> None:
    wanted = read_wanted(received, "1.2.3")
    answer = response_module(Judged(each, 0x0112 * (number & 1)) for number, each in enumerate(wanted))
    assert answer
    assert to_xml(orjson.loads(orjson.dumps(answer)))


def _perform(received: dict[str, object]) -> None:
    told = normalized(received)
    assert normalized(told) == told
    checked_references(told)
    changed_step(PerformedStep("1.2.3", IN_PROGRESS, told), told)


_DOORS = (_commit, _perform)


def _uid(tag: str, uid: str) -> dict[str, object]:
    return {tag: {"vr": "UI", "Value": [uid]}}


def _sequence(tag: str, *items: dict[str, object]) -> dict[str, object]:
    return {tag: {"vr": "SQ", "Value": list(items)}}


def seeds() -> list[bytes]:
    """By instance, by study, by series, in both kinds."""
    reference = _uid("00081150", "1.2.840.10008.5.1.4.1.1.2") | _uid("00081155", "1.2.4")
    by_class = _uid("00081150", "1.2.5") | _sequence("0008114A", _uid("00081155", "1.2.4"))
    series = _uid("0020000E", "1.2.6") | _sequence("00081112", by_class) | _sequence("00081199", reference)
    requests = [
        _sequence("00081199", reference, reference) | _uid("00081195", "1.2.3"),
        _sequence("00081110", _uid("0020000D", "1.2.7") | _sequence("00081115", series, _uid("0020000E", "1.2.8"))),
        _sequence("00081110", _uid("0020000D", "1.2.7")),
    ]
    seeds = [b"\0" + orjson.dumps(one) for one in requests] + [b"\1" + to_xml(one) for one in requests]
    reports = [document(report(item(StudyInstanceUID="1.2.3"), PatientName="Müller")), document(ending())]
    return seeds + [b"\2" + orjson.dumps(one) for one in reports] + [b"\3" + to_xml(one) for one in reports]
