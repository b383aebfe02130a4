"""JSON bodies of REST: each reader of one understands it or says in words what is wrong, never more."""

from collections.abc import Callable
from typing import Any

import orjson

from dicomweb_server.dicom.uids import TRANSFER_SYNTAXES
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.rest.body import Members, text_list
from dicomweb_server.rest.context import RestOptions
from dicomweb_server.rest.find_request import find_request
from dicomweb_server.rest.submission import wish_of
from dicomweb_server.services.acceptance import Acceptance
from dicomweb_server.services.edit_wishes import anonymization_wishes, modification_wishes

OPTIONS = RestOptions()
EXPECTED = {Reason.BAD_REQUEST, Reason.NOT_OFFERED, Reason.TOO_LARGE}
READERS: tuple[Callable[[dict[str, Any]], object], ...] = (
    lambda body: find_request(Members(body), OPTIONS),
    lambda body: wish_of(Members(body)),
    modification_wishes,
    anonymization_wishes,
    lambda body: [Members(body).texts(name) for name in body],
    lambda body: [Members(body).objects(name) for name in body],
    lambda body: [Members(body).number(name, 0) for name in body],
    lambda body: [Members(body).flag(name) for name in body],
)


def fuzz(data: bytes) -> None:
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError:
        return
    acceptance = Acceptance()
    understood(lambda: acceptance.accept_only(text_list(data.decode("utf-8", "replace"))))
    assert acceptance.syntaxes <= set(TRANSFER_SYNTAXES)
    understood(lambda: Members(body))
    if isinstance(body, dict):
        for read in READERS:
            understood(lambda read=read: read(body))  # type: ignore[misc]


def understood(read: Callable[[], object]) -> None:
    try:
        read()
    except ServerError as error:
        assert error.reason in EXPECTED
        assert error.detail


def seeds() -> list[bytes]:
    """One of each kind."""
    values: list[Any] = [
        {"Level": "Study", "Query": {"PatientID": "A*", "StudyDate": "2020-", "00400100.Modality": "CT"}, "Limit": 3},
        {"Level": "Series", "Query": {}, "Labels": ["a"], "LabelsConstraint": "Any", "Expand": True, "Since": 1},
        {"Level": "Instance", "Query": {}, "OrderBy": [{"Type": "DicomTag", "Key": "PatientID", "Direction": "ASC"}]},
        {"Level": "Patient", "Query": {}, "ResponseContent": ["MainDicomTags"], "RequestedTags": ["StudyDate"]},
        {"Replace": {"PatientName": "A", "0010,0020": "B"}, "Remove": ["StudyDate"], "Keep": ["SOPInstanceUID"]},
        {"Replace": {"RequestAttributesSequence[0].ScheduledProcedureStepID": "1"}, "Force": True, "Transcode": "1.2"},
        {"DicomVersion": "2023b", "KeepPrivateTags": True, "Asynchronous": True, "Priority": -3, "UserData": [1]},
        ["1.2.840.10008.1.2.*", "1.2.840.10008.1.2.1"],
    ]
    return [orjson.dumps(value) for value in values]
