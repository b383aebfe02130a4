"""The tables of STOW-RS are total, and the status of a request tells the truth about what is stored."""

import pytest

from dicomweb_server.dicomweb.status import FAILURE_REASON, WARNING_REASON, response_status
from dicomweb_server.dicomweb.store_response import store_attributes
from dicomweb_server.errors import Reason
from dicomweb_server.services.ingest import IngestOutcome, Status


def test_every_reason_has_a_failure_reason() -> None:
    assert set(FAILURE_REASON) == set(Reason)
    # PS3.18 table I.2-2: 0110, 0122, C122, and the ranges A7xx, A9xx, Cxxx; 0111 and 0112 are of PS3.7 annex C.
    for code in FAILURE_REASON.values():
        assert code in (0x0110, 0x0111, 0x0112, 0x0122) or code >> 8 in (0xA7, 0xA9) or code >> 12 == 0xC


def test_every_status_has_a_warning_reason_or_none() -> None:
    assert set(WARNING_REASON) == set(Status)
    for code in WARNING_REASON.values():
        assert code is None or code >> 8 == 0xB0


STORED = IngestOutcome(Status.STORED)
KEPT = IngestOutcome(Status.KEPT)


def failed(reason: Reason) -> IngestOutcome:
    return IngestOutcome(Status.REJECTED, reason)


NOT_DICOM, WRONG_STUDY = failed(Reason.NOT_DICOM), failed(Reason.WRONG_STUDY)

ROWS: list[tuple[list[IngestOutcome], int]] = [
    ([STORED], 200),
    ([STORED, IngestOutcome(Status.DUPLICATE)], 200),
    ([KEPT], 202),
    ([IngestOutcome(Status.REPLACED)], 202),
    ([STORED, NOT_DICOM], 202),
    ([STORED, failed(Reason.OUT_OF_RESOURCES)], 202),
    ([NOT_DICOM], 400),
    ([NOT_DICOM, failed(Reason.CANNOT_UNDERSTAND), failed(Reason.BAD_REQUEST)], 400),
    ([WRONG_STUDY], 409),
    ([NOT_DICOM, WRONG_STUDY], 409),
    ([failed(Reason.UNSUPPORTED_SOP_CLASS)], 409),
    ([failed(Reason.MISSING_UID)], 409),
    ([failed(Reason.DUPLICATE_REFUSED)], 409),
    ([failed(Reason.TOO_LARGE)], 413),
    ([failed(Reason.TOO_LARGE), NOT_DICOM], 409),
    ([failed(Reason.UNSUPPORTED_MEDIA_TYPE)], 415),
    ([failed(Reason.OUT_OF_RESOURCES)], 503),
    ([failed(Reason.OUT_OF_RESOURCES), NOT_DICOM], 503),
    ([failed(Reason.BUSY)], 503),
    ([failed(Reason.INTERNAL)], 500),
    ([failed(Reason.STORAGE_DAMAGED), WRONG_STUDY], 500),
]


@pytest.mark.parametrize(("outcomes", "status"), ROWS)
def test_the_status_of_a_request(outcomes: list[IngestOutcome], status: int) -> None:
    assert response_status(outcomes) == status


@pytest.mark.parametrize("reason", list(Reason))
def test_a_request_that_stored_nothing_never_looks_like_a_success(reason: Reason) -> None:
    assert response_status([failed(reason)]) >= 400


def test_every_outcome_has_one_item() -> None:
    named = IngestOutcome(Status.REJECTED, Reason.WRONG_STUDY, "", "1.2", "1.3", "1.4", "1.5")
    nameless_class = IngestOutcome(Status.REJECTED, Reason.MISSING_BULK_DATA, "", instance_uid="1.9")
    stored = IngestOutcome(Status.STORED, None, "", "1.2", "1.3", "1.6", "1.5")
    attributes = store_attributes([named, NOT_DICOM, stored, nameless_class], "http://h/d")
    assert [len(attributes[tag]["Value"]) for tag in ("00081198", "00081199", "0008119A")] == [2, 1, 1]
    assert attributes["00081198"]["Value"][1]["00081150"] == {"vr": "UI"}
    assert attributes["00081190"]["Value"] == ["http://h/d/studies/1.2"]
    other = IngestOutcome(Status.STORED, None, "", "1.20", "1.3", "1.6", "1.5")
    assert "00081190" not in store_attributes([stored, other], "http://h/d")
