"""The Store Instances Response (PS3.18 §10.5.3, Annex I) in JSON or XML: what became of every part."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from dicomweb_server.dicomweb.context import path_of
from dicomweb_server.dicomweb.data_sets import data_set
from dicomweb_server.dicomweb.status import FAILURE_REASON, WARNING_REASON, response_status
from dicomweb_server.errors import Reason
from dicomweb_server.http.errors import RETRY_AFTER_SECONDS
from dicomweb_server.http.warning import warning
from dicomweb_server.services.ingest import IngestOutcome
from dicomweb_server.wire.media_types import DICOM_JSON, DICOM_XML, Offer

# JSON is the default; the standard names XML both alone and as a part.
OFFERS = (Offer(DICOM_JSON), Offer(DICOM_XML), Offer(DICOM_XML, multipart=True))

_CLASS_UID, _INSTANCE_UID, _RETRIEVE_URL = "00081150", "00081155", "00081190"
_WARNING_REASON, _FAILURE_REASON = "00081196", "00081197"
_FAILED, _REFERENCED, _OTHER_FAILURES = "00081198", "00081199", "0008119A"

_MAX_EXPLAINED = 5
_MAX_EXPLANATION = 200

Attributes = dict[str, Any]


def store_response(outcomes: Sequence[IngestOutcome], root: str, offer: Offer, category: str = "") -> Response:
    """The answer to a request whose parts had these outcomes. `category`: of instances that are in no study."""
    status = response_status(outcomes)
    headers = [(b"vary", b"Accept")]
    explained = list(dict.fromkeys(one.detail[:_MAX_EXPLANATION] for one in outcomes if one.detail))[:_MAX_EXPLAINED]
    if explained:
        headers.append(warning(root, *explained))
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append((b"retry-after", b"%d" % RETRY_AFTER_SECONDS))
    return data_set(store_attributes(outcomes, root, category), offer, status=status, headers=headers)


def store_attributes(outcomes: Sequence[IngestOutcome], root: str, category: str = "") -> Attributes:
    """The module as DICOM JSON; sequences without items are left out."""
    stored = [one for one in outcomes if one.is_success]
    failed = [one for one in outcomes if not one.is_success and one.instance_uid]
    unknown = [one for one in outcomes if not one.is_success and not one.instance_uid]
    attributes: Attributes = {}
    studies = {one.study_uid for one in stored}
    if len(studies) == 1 and not category:
        attributes[_RETRIEVE_URL] = _element("UR", root + path_of(studies.pop()))
    for tag, items in (
        (_FAILED, [_failed_item(one) for one in failed]),
        (_REFERENCED, [_stored_item(one, root, category) for one in stored]),
        (_OTHER_FAILURES, [_reason_of(one) for one in unknown]),
    ):
        if items:
            attributes[tag] = {"vr": "SQ", "Value": items}
    return attributes


def _stored_item(outcome: IngestOutcome, root: str, category: str) -> Attributes:
    uids = outcome.study_uid, outcome.series_uid, outcome.instance_uid
    path = f"/{category}/{outcome.instance_uid}" if category else path_of(*uids)
    item = _named(outcome) | {_RETRIEVE_URL: _element("UR", root + path)}
    reason = WARNING_REASON[outcome.status]
    return item if reason is None else item | {_WARNING_REASON: _element("US", reason)}


def _failed_item(outcome: IngestOutcome) -> Attributes:
    return _named(outcome) | _reason_of(outcome)


def _reason_of(outcome: IngestOutcome) -> Attributes:
    return {_FAILURE_REASON: _element("US", FAILURE_REASON[outcome.reason or Reason.INTERNAL])}


def _named(outcome: IngestOutcome) -> Attributes:
    return {_CLASS_UID: _element("UI", outcome.sop_class_uid), _INSTANCE_UID: _element("UI", outcome.instance_uid)}


def _element(vr: str, value: str | int) -> Attributes:
    return {"vr": vr} if value == "" else {"vr": vr, "Value": [value]}
