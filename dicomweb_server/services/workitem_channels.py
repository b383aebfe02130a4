"""WorkitemChannels: what subscribers are told by the web (PS3.18 §8.10.5), from the event queue to their channels.

Bounded in memory, whoever does not listen: by events for one subscriber, by subscribers, and by bytes in all.
"""

import asyncio
import logging
from collections import OrderedDict, deque

import orjson

from dicomweb_server.dicom.workitem import UPS_PUSH
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.services.workitem_events import EventQueue, Report, WorkitemEvent

__all__ = ["WEB", "Channel", "WorkitemChannels"]

WEB = "web"
_MOST_WAITING = 1000  # events for a subscriber who is away
_MOST_BEHIND = 2000  # and for one who is connected, who has at first what waited
_MOST_BYTES = 64 << 20  # for all
_MOST_AWAY = 1000  # subscribers whose events wait until they come back
_logger = logging.getLogger("dicomweb_server.workitems")


class Room:
    """How many bytes may still wait."""

    def __init__(self, most: int = _MOST_BYTES) -> None:
        self.free = most


class Mailbox:
    """Event reports that wait for one subscriber, the oldest first."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._texts: deque[str] = deque()

    def __len__(self) -> int:
        return len(self._texts)

    def put(self, text: str, most: int) -> bool:
        """Whether there was room for one more."""
        if len(self._texts) >= most or self._room.free < len(text):
            return False
        self._room.free -= len(text)
        self._texts.append(text)
        return True

    def first(self) -> str:
        """The oldest one."""
        return self._texts[0]

    def drop_first(self) -> None:
        """It has been sent, or will not be."""
        self._room.free += len(self._texts.popleft())

    def clear(self) -> None:
        """None of them will be sent."""
        while self._texts:
            self.drop_first()


class Channel:
    """One open connection of a subscriber. `overflown` is set when it does not keep up."""

    def __init__(self, ae_title: str, mailbox: Mailbox) -> None:
        self.ae_title = ae_title
        self.mailbox = mailbox
        self.overflown = asyncio.Event()
        self._has_news = asyncio.Event()

    def put(self, text: str) -> None:
        """Have it sent; never waits."""
        if self.mailbox.put(text, _MOST_BEHIND):
            self._has_news.set()
        else:
            self.overflown.set()

    async def next(self) -> str:
        """The text that is to be sent next, as DICOM JSON; it is there until `sent`."""
        while not self.mailbox:
            self._has_news.clear()
            await self._has_news.wait()
        return self.mailbox.first()

    def sent(self) -> None:
        """It is."""
        self.mailbox.drop_first()


class WorkitemChannels:
    """The channels that are open, and what waits for those who were connected or subscribed and have none."""

    def __init__(self, events: EventQueue, most_open: int = 1000, most_bytes: int = _MOST_BYTES) -> None:
        self._queue = events.listen(WEB)
        self._most_open = most_open
        self._room = Room(most_bytes)
        self._open: dict[str, list[Channel]] = {}
        self._away: OrderedDict[str, Mailbox] = OrderedDict()
        self._texts: deque[tuple[WorkitemEvent, str]] = deque(maxlen=4)  # of the same events for other subscribers
        self._count = 0

    @property
    def count(self) -> int:
        """How many are open."""
        return sum(map(len, self._open.values()))

    async def run_forever(self) -> None:
        """Hand out events."""
        while True:
            self._post(await self._queue.get())

    def open(self, ae_title: str) -> Channel:
        """A further channel of a subscriber, with what has waited for it; ServerError(BUSY) if there are too many."""
        if self.count >= self._most_open:
            raise ServerError(Reason.BUSY, f"{self._most_open} notification connections are open")
        mailbox = self._away.pop(ae_title) if ae_title in self._away else Mailbox(self._room)
        channel = Channel(ae_title, mailbox)
        self._open.setdefault(ae_title, []).append(channel)
        return channel

    def close(self, channel: Channel) -> None:
        """It is gone; what was not sent by it waits, if the subscriber has no other one."""
        others = self._open[channel.ae_title]
        others.remove(channel)
        if others:
            channel.mailbox.clear()
            return
        del self._open[channel.ae_title]
        if channel.mailbox:
            self._keep(channel.ae_title, channel.mailbox)

    def _post(self, report: Report) -> None:
        text, ae_title = self._text_of(report.event), report.subscriber.ae_title
        channels = self._open.get(ae_title)
        for channel in channels or ():
            channel.put(text)
        if channels:
            return
        mailbox = self._away.get(ae_title)
        if mailbox is None:
            mailbox = Mailbox(self._room)
            self._keep(ae_title, mailbox)
        while not mailbox.put(text, _MOST_WAITING):
            if not mailbox:
                _logger.warning("an event report was dropped", extra={"subscriber": ae_title})
                break
            mailbox.drop_first()

    def _keep(self, ae_title: str, mailbox: Mailbox) -> None:
        self._away[ae_title] = mailbox
        while len(self._away) > _MOST_AWAY:
            self._away.popitem(last=False)[1].clear()

    def _text_of(self, event: WorkitemEvent) -> str:
        for known, text in self._texts:
            if known is event:
                return text
        self._count += 1
        text = _encoded(event, self._count & 0xFFFF)
        self._texts.append((event, text))
        return text


def _encoded(event: WorkitemEvent, message_id: int) -> str:
    """An event report (§11.13) with the command elements of PS3.7 table 10.3-1."""
    command = {
        "00000002": {"vr": "UI", "Value": [UPS_PUSH]},
        "00000110": {"vr": "US", "Value": [message_id]},
        "00001000": {"vr": "UI", "Value": [event.workitem_uid]},
        "00001002": {"vr": "US", "Value": [int(event.kind)]},
    }
    return orjson.dumps({**command, **dict(sorted(event.document.items()))}).decode()
