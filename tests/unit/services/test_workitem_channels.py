"""Channels of subscribers by the web: what they are told in which order, how much is kept for those who are away."""

import asyncio
import json

import pytest

from dicomweb_server.dicom.workitem_events import EventType, WorkitemEvent
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.services import workitem_channels
from dicomweb_server.services.workitem_channels import WEB, Channel, WorkitemChannels
from dicomweb_server.services.workitem_events import EventQueue, Subscriber

ANNA, BERT = Subscriber("ANNA", WEB), Subscriber("BERT", WEB)


def event(uid: str, text: str = "READY") -> WorkitemEvent:
    return WorkitemEvent(EventType.STATE_REPORT, uid, {"00404041": {"vr": "CS", "Value": [text]}})


class Posting:
    """Channels, and a queue whose events they take at once."""

    def __init__(self, **limits: int) -> None:
        self.events = EventQueue()
        self.channels = WorkitemChannels(self.events, **limits)

    async def post(self, *uids: str, to: tuple[Subscriber, ...] = (ANNA,), text: str = "READY") -> None:
        self.events.put([event(uid, text) for uid in uids], to)
        task = asyncio.create_task(self.channels.run_forever())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()


async def told(channel: Channel) -> list[str]:
    """UIDs of the events that wait."""
    found = []
    while channel.mailbox:
        found.append(json.loads(await channel.next())["00001000"]["Value"][0])
        channel.sent()
    return found


async def test_an_event_report() -> None:
    posting = Posting()
    channel = posting.channels.open("ANNA")
    await posting.post("1.1")
    assert json.loads(await channel.next()) == {
        "00000002": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.34.6.1"]},
        "00000110": {"vr": "US", "Value": [1]},
        "00001000": {"vr": "UI", "Value": ["1.1"]},
        "00001002": {"vr": "US", "Value": [1]},
        "00404041": {"vr": "CS", "Value": ["READY"]},
    }


async def test_each_is_told_its_own_in_order() -> None:
    posting = Posting()
    anna, again, bert = (posting.channels.open(title) for title in ("ANNA", "ANNA", "BERT"))
    await posting.post("1.1", "1.2", to=(ANNA, BERT))
    await posting.post("1.3")
    assert [await told(each) for each in (anna, again, bert)] == [["1.1", "1.2", "1.3"]] * 2 + [["1.1", "1.2"]]
    waiting = asyncio.create_task(anna.next())
    await asyncio.sleep(0)
    assert not waiting.done()
    await posting.post("1.4")
    assert "1.4" in await waiting


async def test_what_waits_while_a_subscriber_is_away() -> None:
    posting = Posting()
    await posting.post("1.1")
    first = posting.channels.open("ANNA")
    assert "1.1" in await first.next()
    posting.channels.close(first)  # before it was sent
    await posting.post("1.2")
    second, third = posting.channels.open("ANNA"), posting.channels.open("ANNA")
    posting.channels.close(third)
    assert await told(second) == ["1.1", "1.2"]
    posting.channels.close(second)
    assert posting.channels.count == 0
    assert await told(posting.channels.open("ANNA")) == []


async def test_who_does_not_keep_up_is_cut_off_and_loses_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workitem_channels, "_MOST_BEHIND", 3)
    monkeypatch.setattr(workitem_channels, "_MOST_WAITING", 2)
    posting = Posting()
    channel = posting.channels.open("ANNA")
    await posting.post("1.1", "1.2", "1.3")
    assert not channel.overflown.is_set()
    await posting.post("1.4")
    assert channel.overflown.is_set()
    posting.channels.close(channel)
    await posting.post("1.5")
    assert await told(posting.channels.open("ANNA")) == ["1.3", "1.5"]


async def test_who_was_away_for_long_may_catch_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workitem_channels, "_MOST_WAITING", 2)
    posting = Posting()
    await posting.post("1.1", "1.2", "1.3")
    channel = posting.channels.open("ANNA")
    await posting.post("1.4")
    assert not channel.overflown.is_set()
    assert await told(channel) == ["1.2", "1.3", "1.4"]


async def test_bytes_are_bounded_for_all(caplog: pytest.LogCaptureFixture) -> None:
    posting = Posting(most_bytes=1000)
    channel = posting.channels.open("BERT")
    await posting.post("1.1", text="x" * 300, to=(BERT,))
    await posting.post("1.2", text="x" * 200)
    await posting.post("1.3", text="x" * 200)
    await posting.post("1.4", text="x" * 2000)
    assert "dropped" in caplog.text
    await posting.post("1.5", to=(BERT, ANNA))
    assert await told(channel) == ["1.1", "1.5"]
    assert await told(posting.channels.open("ANNA")) == ["1.5"]
    await posting.post("1.6", text="x" * 700)  # all the room is free again


async def test_those_away_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workitem_channels, "_MOST_AWAY", 2)
    posting = Posting(most_bytes=1000)
    for number in range(40):
        await posting.post("1.1", to=(Subscriber(f"AE{number}", WEB),))
    found = [await told(posting.channels.open(f"AE{number}")) for number in range(40)]
    assert found == [[]] * 38 + [["1.1"]] * 2


async def test_open_channels_are_bounded() -> None:
    posting = Posting(most_open=2)
    channel, _ = posting.channels.open("ANNA"), posting.channels.open("BERT")
    with pytest.raises(ServerError) as refused:
        posting.channels.open("ANNA")
    assert refused.value.reason is Reason.BUSY
    posting.channels.close(channel)
    assert posting.channels.open("ANNA")


async def test_texts_are_made_once_for_all_subscribers() -> None:
    posting = Posting()
    channels = [posting.channels.open(title) for title in ("ANNA", "BERT")]
    await posting.post("1.1", "1.2", to=(ANNA, BERT))
    first, second = [await each.next() for each in channels]
    assert first is second
