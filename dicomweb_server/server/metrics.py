"""What the server counts, in Prometheus' terms; the hot path only adds to plain lists."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_BOUNDS = [*map(str, BUCKETS), "+Inf"]

Gauges = Callable[[], Mapping[str, float]]


class _Histogram:
    """Durations by labels: a list of counts per bucket, the last entry their sum."""

    def __init__(self, name: str, documentation: str, labels: tuple[str, ...]) -> None:
        self._name, self._documentation, self._labels = name, documentation, labels
        self._rows: dict[tuple[str, ...], list[float]] = {}

    def observe(self, labels: tuple[str, ...], seconds: float) -> None:
        row = self._rows.get(labels)
        if row is None:
            row = self._rows[labels] = [0.0] * (len(BUCKETS) + 2)
        row[bisect_left(BUCKETS, seconds)] += 1
        row[-1] += seconds

    def family(self) -> Metric:
        family = HistogramMetricFamily(self._name, self._documentation, labels=self._labels)
        for labels, row in self._rows.items():
            family.add_metric(labels, list(zip(_BOUNDS, accumulate(row[:-1]), strict=True)), row[-1])
        return family


class _Counts:
    """Counts by labels."""

    def __init__(self, name: str, documentation: str, labels: tuple[str, ...]) -> None:
        self._name, self._documentation, self._labels = name, documentation, labels
        self._rows: dict[tuple[str, ...], float] = {}

    def add(self, labels: tuple[str, ...], count: float = 1) -> None:
        self._rows[labels] = self._rows.get(labels, 0) + count

    def family(self) -> Metric:
        family = CounterMetricFamily(self._name, self._documentation, labels=self._labels)
        for labels, count in self._rows.items():
            family.add_metric(labels, count)
        return family


class Metrics(Collector):
    """Requests, DIMSE operations and associations, stored instances, bytes; gauges are read when asked."""

    def __init__(self) -> None:
        self._requests = _Counts("dicomweb_requests", "HTTP requests", ("method", "route", "status"))
        self._request_seconds = _Histogram(
            "dicomweb_request_seconds", "Time from a request's header to its last byte", ("method", "route")
        )
        self._bytes = _Counts("dicomweb_body_bytes", "Bytes of HTTP bodies", ("direction",))
        self._instances = _Counts("dicomweb_instances", "Instances that came in", ("protocol", "outcome"))
        self._associations = _Counts("dicomweb_associations", "DIMSE associations by how they ended", ("part", "end"))
        self._association_bytes = _Counts("dicomweb_association_bytes", "Bytes of DIMSE", ("direction",))
        self._operations = _Counts("dicomweb_dimse_operations", "DIMSE operations", ("part", "service", "outcome"))
        self._operation_seconds = _Histogram("dicomweb_dimse_seconds", "Time of DIMSE operations", ("part", "service"))
        self._gauges: list[Gauges] = [lambda: self._now]
        self._now: Mapping[str, float] = {}
        self._registry = CollectorRegistry()
        for collector in (ProcessCollector(registry=None), PlatformCollector(registry=None)):
            self._registry.register(collector)
        GCCollector(registry=self._registry)
        self._registry.register(self)

    def request(self, method: str, route: str, status: int, seconds: float, received: int, sent: int) -> None:
        """One request has ended."""
        self._requests.add((method, route, str(status)))
        self._request_seconds.observe((method, route), seconds)
        self._bytes.add(("received",), received)
        self._bytes.add(("sent",), sent)

    def instance(self, protocol: str, outcome: str) -> None:
        """One instance came in by a protocol, and this became of it."""
        self._instances.add((protocol, outcome))

    def association_ended(self, part: str, how: str, seconds: float, received: int, sent: int) -> None:
        """One DIMSE association is over."""
        self._associations.add((part, how))
        self._association_bytes.add(("received",), received)
        self._association_bytes.add(("sent",), sent)
        self._operation_seconds.observe((part, "association"), seconds)

    def operation_ended(self, part: str, service: str, outcome: str, seconds: float) -> None:
        """One DIMSE operation is over."""
        self._operations.add((part, service, outcome))
        self._operation_seconds.observe((part, service), seconds)

    def add_gauges(self, gauges: Gauges) -> None:
        """A function that answers current values by metric name whenever someone looks."""
        self._gauges.append(gauges)

    def render(self, gauges: Mapping[str, float] | None = None) -> bytes:
        """All of it in Prometheus' text format, with further `gauges` of this moment."""
        self._now = gauges or {}
        return generate_latest(self._registry)

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: names depend on what has happened."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """The families that Prometheus reads."""
        for source in (
            self._requests, self._request_seconds, self._bytes, self._instances, self._associations,
            self._association_bytes, self._operations, self._operation_seconds,
        ):  # fmt: skip
            yield source.family()
        for gauges in self._gauges:
            for name, value in gauges().items():
                yield GaugeMetricFamily("dicomweb_" + name, name.replace("_", " "), value=value)
