"""Health: named checks, each of which says that all is well, or what is wrong."""

from collections.abc import Awaitable, Callable

OK = "ok"

HealthCheck = Callable[[], Awaitable[dict[str, str]]]
