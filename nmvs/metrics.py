"""Counters of a national system, cheap to count and read when somebody asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from emvs.outcomes import Outcome


class OperationMetrics:
    """How often each outcome was answered."""

    def __init__(self) -> None:
        self.counts = [0] * (max(Outcome) + 1)
        """By number of the outcome."""
        self.throttled_count = 0
        """Requests refused for their organisation's rate plan."""
        self.total_count = 0

    def count(self, outcome: Outcome) -> None:
        """Count one answer."""
        self.counts[outcome] += 1
        self.total_count += 1


class NationalSystemCollector(Collector):
    """Shows the counters and gauges of one national system in Prometheus' text format."""

    def __init__(
        self, operations: OperationMetrics, gauges: dict[str, tuple[str, Callable[[], float]]]
    ) -> None:
        self._operations = operations
        self._gauges = gauges

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics as they are now."""
        answers = CounterMetricFamily(
            "nmvs_answers", "Requests answered, by outcome.", labels=["outcome"]
        )
        for outcome in Outcome:
            answers.add_metric([outcome.name], self._operations.counts[outcome])
        yield answers
        for name, (text, read) in self._gauges.items():
            yield GaugeMetricFamily(f"nmvs_{name}", text, value=read())
