"""The ledger's groups in Prometheus' text format: how large they are and how long entries wait."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from emvs.infra.group_commit import GroupCommit, Histogram


class LedgerCollector(Collector):
    """Shows the histograms of one ledger."""

    def __init__(self, groups: GroupCommit[Any, Any]) -> None:
        self._groups = groups

    def collect(self) -> Iterable[Metric]:
        """Yield the histograms as they are now."""
        yield _family(
            "nmvs_ledger_group_entries", "Entries that shared a commit.", self._groups.sizes, 1
        )
        yield _family(
            "nmvs_ledger_group_wait_seconds",
            "From the arrival of a group's first entry until the group was durable.",
            self._groups.waits_us,
            1e-6,
        )


def _family(name: str, text: str, counted: Histogram, unit: float) -> HistogramMetricFamily:
    buckets, total = [], 0
    for number, count in enumerate(counted.counts):
        total += count
        buckets.append((f"{((1 << number) - 1) * unit:.8g}", total))
    buckets.append(("+Inf", counted.count))
    return HistogramMetricFamily(name, text, buckets=buckets, sum_value=counted.total * unit)
