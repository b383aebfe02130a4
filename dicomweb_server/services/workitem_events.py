"""EventQueue: what subscribers of workitems are to be told, on its way to the notifiers of the protocols."""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass

from dicomweb_server.dicom.workitem_events import EventType, WorkitemEvent
from dicomweb_server.ports.workitems import Subscriber

__all__ = ["EventQueue", "EventType", "Report", "Subscriber", "WorkitemEvent"]

_logger = logging.getLogger("dicomweb_server.workitems")
_MOST_WAITING = 10_000


@dataclass(frozen=True, slots=True)
class Report:
    """One event for one subscriber."""

    subscriber: Subscriber
    event: WorkitemEvent


class EventQueue:
    """One queue for each channel that somebody listens to. What waits is lost with the process (PS3.4 §CC.2.4.3)."""

    def __init__(self, most_waiting: int = _MOST_WAITING) -> None:
        self._most_waiting = most_waiting
        self._channels: dict[str, asyncio.Queue[Report]] = {}

    def listen(self, channel: str) -> "asyncio.Queue[Report]":
        """What subscribers of a channel are to be told from now on; one notifier takes it."""
        return self._channels.setdefault(channel, asyncio.Queue(self._most_waiting))

    def put(self, events: Iterable[WorkitemEvent], subscribers: Iterable[Subscriber]) -> None:
        """Have subscribers told, if their channel has a notifier. Never waits: what is too much is dropped."""
        told = list(events)
        for subscriber in subscribers:
            queue = self._channels.get(subscriber.channel)
            for event in told:
                if queue is None:
                    break
                if queue.full():
                    _logger.warning("an event report was dropped", extra={"subscriber": subscriber.ae_title})
                    break
                queue.put_nowait(Report(subscriber, event))
