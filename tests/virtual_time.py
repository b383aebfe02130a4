"""An event loop whose time passes only when there is nothing else to do: what waits is tested at once, and exactly."""

import asyncio


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """For tests without threads and sockets, which would be waited for in no time."""

    _now = 0.0

    def time(self) -> float:
        return self._now

    def _run_once(self) -> None:
        timers = [timer.when() for timer in self._scheduled if not timer.cancelled()]  # type: ignore[attr-defined]
        if timers and not self._ready:  # type: ignore[attr-defined]
            self._now = max(self._now, min(timers))
        super()._run_once()  # type: ignore[misc]
