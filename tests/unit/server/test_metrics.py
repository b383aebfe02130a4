"""Metrics in Prometheus' text."""

from prometheus_client.parser import text_string_to_metric_families

from dicomweb_server.server.metrics import BUCKETS, Metrics


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }


def test_requests_durations_and_bytes() -> None:
    metrics = Metrics()
    metrics.request("GET", "/studies", 200, 0.003, 0, 100)
    metrics.request("GET", "/studies", 200, 99.0, 10, 1)
    metrics.request("GET", "/studies", 404, 0.001, 0, 0)
    found = samples(metrics)
    labels = (("method", "GET"), ("route", "/studies"))
    assert found[("dicomweb_requests_total", (*labels, ("status", "200")))] == 2
    assert found[("dicomweb_requests_total", (*labels, ("status", "404")))] == 1
    assert found[("dicomweb_request_seconds_count", labels)] == 3
    assert round(found[("dicomweb_request_seconds_sum", labels)], 3) == 99.004
    assert found[("dicomweb_request_seconds_bucket", (("le", "0.001"), *labels))] == 1
    assert found[("dicomweb_request_seconds_bucket", (("le", "0.005"), *labels))] == 2
    assert found[("dicomweb_request_seconds_bucket", (("le", str(BUCKETS[-1])), *labels))] == 2
    assert found[("dicomweb_request_seconds_bucket", (("le", "+Inf"), *labels))] == 3
    assert found[("dicomweb_body_bytes_total", (("direction", "sent"),))] == 101


def test_instances_associations_operations() -> None:
    metrics = Metrics()
    metrics.instance("stow", "stored")
    metrics.association_ended("scp", "released", 1.5, 1000, 200)
    metrics.operation_ended("scu", "C-STORE", "success", 0.01)
    found = samples(metrics)
    assert found[("dicomweb_instances_total", (("outcome", "stored"), ("protocol", "stow")))] == 1
    assert found[("dicomweb_associations_total", (("end", "released"), ("part", "scp")))] == 1
    assert found[("dicomweb_association_bytes_total", (("direction", "received"),))] == 1000
    assert (
        found[("dicomweb_dimse_operations_total", (("outcome", "success"), ("part", "scu"), ("service", "C-STORE")))]
        == 1
    )
    assert found[("dicomweb_dimse_seconds_count", (("part", "scu"), ("service", "C-STORE")))] == 1


def test_gauges_are_read_when_asked() -> None:
    metrics = Metrics()
    values = {"stored_instances": 1.0}
    metrics.add_gauges(lambda: values)
    values["stored_instances"] = 5.0
    assert samples(metrics)[("dicomweb_stored_instances", ())] == 5


def test_process_is_described() -> None:
    assert ("process_resident_memory_bytes", ()) in samples(Metrics())
