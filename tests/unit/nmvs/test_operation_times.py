"""Times of operations as histograms: each one lies below the bound it is counted under."""

from __future__ import annotations

import pytest
from prometheus_client.metrics_core import Metric

from emvs.states import Operation
from nmvs.operation_times import OperationTimes


def first_bound_reached(metric: Metric, operation: str) -> float:
    """Return the bound of the lowest bucket that holds anything."""
    return min(
        float(sample.labels["le"])
        for sample in metric.samples
        if sample.name.endswith("_bucket")
        and sample.labels["operation"] == operation
        and sample.value
    )


@pytest.mark.parametrize("served_us", [40, 97, 1_000, 25_000, 300_000, 5_000_000])
def test_a_time_is_counted_under_the_next_bound(served_us: int) -> None:
    times = OperationTimes()
    times.add(Operation.SUPPLY, served_us * 1_000, served_us * 500)
    served, waited = times.collect()
    bound = first_bound_reached(served, "SUPPLY")
    assert bound / 2**0.5 < served_us * 1.025e-6
    assert served_us * 1e-6 < bound
    assert first_bound_reached(waited, "SUPPLY") < bound


def test_sums_and_operations_are_kept_apart_and_the_longest_is_counted() -> None:
    times = OperationTimes()
    times.add(Operation.VERIFY, 2_000_000, 1_000_000)
    times.add(Operation.VERIFY, 10**12, 0)
    times.add(Operation.LOCK, 1_000_000, 0)
    samples = {
        (sample.name, sample.labels["operation"], sample.labels.get("le")): sample.value
        for metric in times.collect()
        for sample in metric.samples
    }
    assert samples["nmvs_operation_seconds_bucket", "VERIFY", "+Inf"] == 2
    assert samples["nmvs_operation_seconds_sum", "VERIFY", None] == pytest.approx(1000.002)
    assert samples["nmvs_operation_seconds_count", "LOCK", None] == 1
    assert ("nmvs_operation_seconds_count", "SUPPLY", None) not in samples
