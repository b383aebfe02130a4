"""The modules of storage commitment (PS3.18 Annex J) in DICOM JSON: what is wanted, and what is said of it. No I/O."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from dicomweb_server.dicom.uids import is_valid_uid
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.services.commitment_requests import Judged, Reference, Wanted

MOST_WANTED = 200_000

_REFERENCED, _FAILED = "00081199", "00081198"
_STUDIES, _FAILED_STUDIES, _SERIES = "00081110", "0008119B", "00081115"
_BY_CLASS, _INSTANCES = "00081112", "0008114A"
_CLASS_UID, _INSTANCE_UID, _FAILURE_REASON = "00081150", "00081155", "00081197"
_STUDY_UID, _SERIES_UID, _TRANSACTION_UID = "0020000D", "0020000E", "00081195"
_NAMES = {
    _REFERENCED: "ReferencedSOPSequence",
    _STUDIES: "ReferencedStudySequence",
    _SERIES: "ReferencedSeriesSequence",
    _BY_CLASS: "ReferencedInstancesBySOPClassSequence",
    _INSTANCES: "ReferencedInstanceSequence",
    _CLASS_UID: "ReferencedSOPClassUID",
    _INSTANCE_UID: "ReferencedSOPInstanceUID",
    _STUDY_UID: "StudyInstanceUID",
    _SERIES_UID: "SeriesInstanceUID",
    _TRANSACTION_UID: "TransactionUID",
}

Document = Mapping[str, Any]


def read_wanted(document: Document, transaction_uid: str) -> tuple[Wanted, ...]:
    """What a Storage Commitment Request Module (§J.1) wants; ServerError(BAD_REQUEST, TOO_LARGE) says where it is none.

    Of a study, or of a series in it, all instances are wanted unless some are named.
    """
    if _TRANSACTION_UID in document and _uid(document, _TRANSACTION_UID, "") != transaction_uid:
        raise _refusal(f"{_NAMES[_TRANSACTION_UID]} is another than that of the path")
    wanted = [Wanted(_reference(item, where)) for item, where in _items(document, _REFERENCED)]
    wanted += [one for item, where in _items(document, _STUDIES) for one in _in_study(item, where)]
    if not wanted:
        raise _refusal(f"expected items in {_NAMES[_REFERENCED]} (0008,1199) or {_NAMES[_STUDIES]} (0008,1110)")
    if len(wanted) > MOST_WANTED:
        raise ServerError(Reason.TOO_LARGE, f"a request for more than {MOST_WANTED} instances")
    return tuple(wanted)


def response_module(judged: Iterable[Judged]) -> dict[str, Any]:
    """The Storage Commitment Response Module (§J.2) of what we say."""
    found = list(judged)
    single = [each for each in found if not each.wanted.study_uid]
    studies = sorted((each for each in found if each.wanted.study_uid), key=_order)
    sequences = {
        _FAILED: [_judged_item(each) for each in single if each.failure],
        _STUDIES: list(_study_items([each for each in studies if not each.failure])),
        _REFERENCED: [_judged_item(each) for each in single if not each.failure],
        _FAILED_STUDIES: list(_study_items([each for each in studies if each.failure])),
    }
    return {tag: _sequence(items) for tag, items in sequences.items() if items}


def _in_study(item: Document, where: str) -> Iterator[Wanted]:
    study_uid = _uid(item, _STUDY_UID, where)
    series = list(_items(item, _SERIES, where))
    if not series:
        yield Wanted(None, study_uid)
    for each, place in series:
        series_uid = _uid(each, _SERIES_UID, place)
        named = [one for by_class, below in _items(each, _BY_CLASS, place) for one in _of_class(by_class, below)]
        named += [_reference(one, below) for one, below in _items(each, _REFERENCED, place)]
        if not named:
            yield Wanted(None, study_uid, series_uid)
        yield from (Wanted(reference, study_uid, series_uid) for reference in named)


def _of_class(item: Document, where: str) -> Iterator[Reference]:
    class_uid = _uid(item, _CLASS_UID, where)
    for each, place in _items(item, _INSTANCES, where):
        yield Reference(class_uid, _uid(each, _INSTANCE_UID, place))


def _reference(item: Document, where: str) -> Reference:
    return Reference(_uid(item, _CLASS_UID, where), _uid(item, _INSTANCE_UID, where))


def _items(document: Document, tag: str, where: str = "") -> Iterator[tuple[Document, str]]:
    """The items of a sequence, none if it is absent, each with the place that refusals name."""
    name = where + _NAMES[tag]
    for number, item in enumerate(_values(document, tag, name), start=1):
        if not isinstance(item, dict):
            raise _refusal(f"{name}: expected items that are JSON objects")
        yield item, f"{name}[{number}]."


def _uid(document: Document, tag: str, where: str) -> str:
    name = where + _NAMES[tag]
    values = _values(document, tag, name)
    if len(values) != 1 or not isinstance(values[0], str) or not is_valid_uid(values[0]):
        raise _refusal(f"{name}: expected a UID")
    return values[0]


def _values(document: Document, tag: str, name: str) -> Sequence[Any]:
    attribute = document.get(tag, {})
    values = attribute.get("Value") or [] if isinstance(attribute, dict) else None
    if not isinstance(values, list):
        raise _refusal(f"{name}: expected an object with vr and a Value that is a list")
    return values


def _refusal(detail: str) -> ServerError:
    return ServerError(Reason.BAD_REQUEST, detail)


def _order(judged: Judged) -> tuple[str, str, str]:
    wanted = judged.wanted
    return wanted.study_uid, wanted.series_uid, wanted.reference.sop_class_uid if wanted.reference else ""


def _study_items(judged: Sequence[Judged]) -> Iterator[dict[str, Any]]:
    for study_uid, of_study in groupby(judged, key=lambda each: each.wanted.study_uid):
        inside = list(of_study)
        series = list(_series_items([each for each in inside if each.wanted.series_uid]))
        whole = [_reason(each) for each in inside if not each.wanted.series_uid][:1]  # there is no such study
        item = _text(_STUDY_UID, study_uid) | (whole[0] if whole else {})
        yield item | ({_SERIES: _sequence(series)} if series else {})


def _series_items(judged: Sequence[Judged]) -> Iterator[dict[str, Any]]:
    for series_uid, of_series in groupby(judged, key=lambda each: each.wanted.series_uid):
        inside = list(of_series)
        classes = list(_class_items([each for each in inside if each.wanted.reference]))
        whole = [_reason(each) for each in inside if not each.wanted.reference][:1]
        item = _text(_SERIES_UID, series_uid) | (whole[0] if whole else {})
        yield item | ({_BY_CLASS: _sequence(classes)} if classes else {})


def _class_items(judged: Sequence[Judged]) -> Iterator[dict[str, Any]]:
    for (*_, class_uid), of_class in groupby(judged, key=_order):
        instances = [_instance(each) | _reason(each) for each in of_class]
        yield _text(_CLASS_UID, class_uid) | {_INSTANCES: _sequence(instances)}


def _judged_item(judged: Judged) -> dict[str, Any]:
    class_uid = judged.wanted.reference.sop_class_uid if judged.wanted.reference else ""
    return _text(_CLASS_UID, class_uid) | _instance(judged) | _reason(judged)


def _instance(judged: Judged) -> dict[str, Any]:
    return _text(_INSTANCE_UID, judged.wanted.reference.instance_uid if judged.wanted.reference else "")


def _reason(judged: Judged) -> dict[str, Any]:
    return {_FAILURE_REASON: {"vr": "US", "Value": [judged.failure]}} if judged.failure else {}


def _text(tag: str, uid: str) -> dict[str, Any]:
    return {tag: {"vr": "UI", "Value": [uid]}}


def _sequence(items: Sequence[Document]) -> dict[str, Any]:
    return {"vr": "SQ", "Value": items}
