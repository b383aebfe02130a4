"""What the REST interface tells and asks of the process that it runs in; told by the composition root."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass


async def _no_metrics() -> bytes:
    return b""


@dataclass(slots=True)
class Running:
    """`statement`: the conformance statement; `metrics`: in Prometheus' form; `stop`: end, and perhaps start again.

    `sop_classes`: what DIMSE may store.
    """

    statement: Callable[[], str] = str
    metrics: Callable[[], Awaitable[bytes]] = _no_metrics
    metrics_on: bool = True
    stop: Callable[[bool], None] = lambda restart: None
    sop_classes: Sequence[str] = ()
