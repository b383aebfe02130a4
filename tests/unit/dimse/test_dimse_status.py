"""Statuses: the tables are total, and comments are what a comment may be."""

import pytest

from dicomweb_server.dimse import status
from dicomweb_server.errors import Reason, ServerError


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_status(reason: Reason) -> None:
    for found in (status.store_status(reason), status.query_status(ServerError(reason))):
        assert found.outcome == "failure"
        assert 0 < len(found.comment) <= 64


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (0x0000, "success"),
        (0xFF00, "pending"),
        (0xFF01, "pending"),
        (0xFE00, "cancel"),
        (0xB007, "warning"),
        (0x0107, "warning"),
        (0xA700, "failure"),
        (0xC000, "failure"),
        (0x0110, "failure"),
    ],
)
def test_classes(code: int, outcome: str) -> None:
    assert status.Status(code).outcome == outcome


def test_comments() -> None:
    assert status.comment("a\\b\nüc") == "a?b??c"
    assert len(status.comment("x" * 200)) == 64
    assert status.comment("x" * 200).endswith("...")


def test_sentences() -> None:
    assert status.Status(0xC000, "a\\b\n\x1b[2J\u202eüc").sentence == "a\\b??[2J?üc"
    assert len(status.Status(0xC000, "x" * 2000).sentence) == 300
    assert status.SUCCESS.sentence == status.SUCCESS.comment == ""
