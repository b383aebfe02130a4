"""C-FIND in a time zone (byte 4 of the extended negotiation): what matches, and how dates and times are answered."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from tests.app.dimse_harness import Node, open_node
from tests.app.dimse_peers import fill, identifier, study
from tests.app.test_dimse_find import ask

AGREED, NOT_AGREED = b"\1\0\0\1", b"\1\0\0\0"
# By description: when they were made, and in which zone.
STUDIES = {
    "evening": ("20240101", "233000", "+0100"),  # 17:30 of the same day at -0500
    "night": ("20240102", "003015.5", "+0100"),  # 18:30:15.5 of the day before
    "hour": ("20240102", "00", "+0100"),  # 18 of the day before
    "nowhere": ("20240101", "101500", None),
    "timeless": ("20240101", "", "+0100"),
    "india": ("20240101", "0400", "+0530"),  # 17:30 of the day before
}


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with open_node(tmp_path) as opened:
        for name, (day, time, zone) in STUDIES.items():
            known = {"StudyDate": day, "SeriesDate": day, "StudyTime": time, "SeriesTime": time}
            await fill(opened, *study(1, StudyDescription=name, TimezoneOffsetFromUTC=zone, **known))
        yield opened


async def found(node: Node, extended: bytes = AGREED, level: str = "STUDY", **keys: Any) -> dict[str, Dataset]:
    asked = identifier(level, **({"StudyDescription": "", "StudyInstanceUID": ""} | keys))
    *answers, (status, _) = await asyncio.to_thread(ask, node.port, asked, extended=extended)
    assert status == 0x0000
    return {answer.StudyDescription: answer for _, answer in answers if answer is not None}


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        ({"StudyDate": "20240101"}, {"evening", "night", "hour", "nowhere", "timeless"}),
        ({"StudyDate": "20231231"}, {"india"}),
        ({"StudyDate": "20240102-"}, set()),
        ({"StudyDate": "20240101", "StudyTime": "1700-1759"}, {"evening"}),
        ({"StudyDate": "-20240101", "StudyTime": "18-"}, {"night", "hour"}),
        ({"StudyTime": "183015.5"}, {"night"}),
        ({"StudyTime": "1015"}, {"nowhere"}),
    ],
)
async def test_keys_are_meant_in_the_zone(node: Node, keys: dict[str, Any], names: set[str]) -> None:
    assert set(await found(node, TimezoneOffsetFromUTC="-0500", **keys)) == names


async def test_answers_are_in_the_zone(node: Node) -> None:
    answers = await found(node, TimezoneOffsetFromUTC="-0500", StudyDate="", StudyTime="")
    told = {
        name: (each.StudyDate, str(each.StudyTime or ""), each.TimezoneOffsetFromUTC or None)
        for name, each in answers.items()
    }
    assert told == {
        "evening": ("20240101", "173000", "-0500"),
        "night": ("20240101", "183015.5", "-0500"),
        "hour": ("20240101", "18", "-0500"),
        "nowhere": ("20240101", "101500", None),
        "timeless": ("20240101", "", "-0500"),
        "india": ("20231231", "1730", "-0500"),
    }
    # What was not asked for is not answered, though it was needed.
    (answer,) = (await found(node, TimezoneOffsetFromUTC="-0500", StudyDate="20231231")).values()
    assert "StudyTime" not in answer
    assert answer.StudyDate == "20231231"


async def test_series_have_dates_of_their_own(node: Node) -> None:
    answers = await found(node, level="SERIES", TimezoneOffsetFromUTC="+0000", SeriesDate="20231231", SeriesTime="")
    assert {name: str(each.SeriesTime) for name, each in answers.items()} == {"india": "2230"}


async def test_without_an_agreement_or_a_zone_nothing_is_adjusted(node: Node) -> None:
    for extended, zone in ((NOT_AGREED, "-0500"), (AGREED, "")):
        answers = await found(node, extended, TimezoneOffsetFromUTC=zone, StudyDate="20240102", StudyTime="")
        assert {name: str(each.StudyTime) for name, each in answers.items()} == {"night": "003015.5", "hour": "00"}


async def test_a_zone_that_is_none(node: Node) -> None:
    asked = identifier("STUDY", StudyInstanceUID="", TimezoneOffsetFromUTC="CET")
    assert await asyncio.to_thread(ask, node.port, asked, extended=AGREED) == [(0xA900, None)]
