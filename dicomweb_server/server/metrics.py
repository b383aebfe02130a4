"""What the server counts, in Prometheus' terms; the hot path only adds to plain lists."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_BOUNDS = [*map(str, BUCKETS), "+Inf"]
MAX_ROUTES = 500

Gauges = Callable[[], Mapping[str, float]]


class Metrics(Collector):
    """Requests by route and status, their durations and bytes, counted events, and gauges read when asked."""

    def __init__(self) -> None:
        self._statuses: dict[tuple[str, str, int], int] = {}
        self._durations: dict[tuple[str, str], list[float]] = {}
        self._events: dict[tuple[str, str], int] = {}
        self._bytes = [0, 0]
        self._gauges: list[Gauges] = []
        self._registry = CollectorRegistry()
        for collector in (ProcessCollector(registry=None), PlatformCollector(registry=None)):
            self._registry.register(collector)
        GCCollector(registry=self._registry)
        self._registry.register(self)

    def request(self, method: str, route: str, status: int, seconds: float, received: int, sent: int) -> None:
        """One request has ended."""
        key = (method, route, status)
        self._statuses[key] = self._statuses.get(key, 0) + 1
        row = self._durations.get((method, route))
        if row is None:
            row = self._durations[(method, route)] = [0.0] * (len(BUCKETS) + 2)
        row[bisect_left(BUCKETS, seconds)] += 1
        row[-1] += seconds
        self._bytes[0] += received
        self._bytes[1] += sent

    def event(self, name: str, outcome: str, count: int = 1) -> None:
        """Something happened `count` times, such as ("ingest", "stored")."""
        self._events[(name, outcome)] = self._events.get((name, outcome), 0) + count

    def add_gauges(self, gauges: Gauges) -> None:
        """A function that answers current values by metric name whenever someone looks."""
        self._gauges.append(gauges)

    def render(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self._registry)

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: names depend on what has happened."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """The families that Prometheus reads."""
        requests = CounterMetricFamily(
            "dicomweb_requests", "HTTP requests by route and status", labels=("method", "route", "status")
        )
        for (method, route, status), count in self._statuses.items():
            requests.add_metric((method, route, str(status)), count)
        yield requests
        durations = HistogramMetricFamily(
            "dicomweb_request_seconds", "Time from a request's header to its last byte", labels=("method", "route")
        )
        for labels, row in self._durations.items():
            durations.add_metric(labels, list(zip(_BOUNDS, _cumulative(row[:-1]), strict=True)), row[-1])
        yield durations
        traffic = CounterMetricFamily("dicomweb_body_bytes", "Bytes of HTTP bodies", labels=("direction",))
        traffic.add_metric(("received",), self._bytes[0])
        traffic.add_metric(("sent",), self._bytes[1])
        yield traffic
        yield from self._event_families()
        for gauges in self._gauges:
            for name, value in gauges().items():
                yield GaugeMetricFamily("dicomweb_" + name, name.replace("_", " "), value=value)

    def _event_families(self) -> Iterator[Metric]:
        families: dict[str, CounterMetricFamily] = {}
        for (name, outcome), count in self._events.items():
            family = families.get(name)
            if family is None:
                family = CounterMetricFamily(f"dicomweb_{name}", f"{name} by outcome", labels=("outcome",))
                families[name] = family
            family.add_metric((outcome,), count)
        yield from families.values()


def _cumulative(counts: list[float]) -> Iterator[float]:
    total = 0.0
    for count in counts:
        total += count
        yield total
