"""A bound of what work costs: processor time, which other work on the machine does not lengthen."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Clock = Callable[[], float]


@contextmanager
def at_most(seconds: float, clock: Clock = time.process_time) -> Iterator[None]:
    """What is done inside costs less; `seconds`: some twenty times as much as on an idle machine, or more."""
    began = clock()
    yield
    spent = clock() - began
    assert spent < seconds, f"{spent:.2f} s of processor time"
