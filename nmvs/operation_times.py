"""How long operations take inside the national system, and the ledger's part of that.

For testers who want the server's time apart from the wire's. Counting costs some 0.4 µs a request;
bounds of the histograms lie a factor of √2 apart: percentiles read from them are good to a fifth.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from emvs.states import Operation

_TICK_SHIFT: Final = 10
"""Times are counted in ticks of 1024 ns."""
_TICK_S: Final = (1 << _TICK_SHIFT) * 1e-9
_COUNTS: Final = 128
"""Enough for any clock of 64 bits, so that counting need not look."""
_BUCKETS: Final = 52
"""Up to 2^26 ticks, 68 seconds: longer than any operation may take."""
_FIRST_SHOWN: Final = 10
"""33 µs: nothing is durable sooner."""
_NS: Final = 1e-9
_OPERATIONS: Final = max(Operation) + 1


class OperationTimes(Collector):
    """Times by operation, of requests whose packs or batches are this market's own: what other
    markets take to answer is their time."""

    def __init__(self) -> None:
        self._counted = [([0] * (_COUNTS + 1), [0] * (_COUNTS + 1)) for _ in range(_OPERATIONS)]
        """By operation: served and waited. The last number is the sum, in nanoseconds."""

    def add(self, operation: Operation, served_ns: int, waited_ns: int) -> None:
        """Count an operation: from being asked until durable, and the ledger's part of that."""
        served, waited = self._counted[operation]
        served[_COUNTS] += served_ns
        waited[_COUNTS] += waited_ns
        # The square of a number has one more binary digit for each factor of √2 in it.
        ticks = served_ns >> _TICK_SHIFT
        served[(ticks * ticks).bit_length()] += 1
        ticks = waited_ns >> _TICK_SHIFT
        waited[(ticks * ticks).bit_length()] += 1

    def collect(self) -> Iterable[Metric]:
        """Yield the two histograms; operations that nobody asked for are left out."""
        yield self._family(
            "nmvs_operation_seconds",
            "From a request that has been read until its operation was durable.",
            [served for served, _ in self._counted],
        )
        yield self._family(
            "nmvs_operation_ledger_seconds",
            "The part of nmvs_operation_seconds from the decision until it was durable: waiting"
            " for the group before, and the commit.",
            [waited for _, waited in self._counted],
        )

    @staticmethod
    def _family(name: str, text: str, counts: Sequence[Sequence[int]]) -> HistogramMetricFamily:
        family = HistogramMetricFamily(name, text, labels=["operation"])
        for operation in Operation:
            *counted, sum_ns = counts[operation]
            total = sum(counted)
            if not total:
                continue
            below = sum(counted[:_FIRST_SHOWN])
            buckets = []
            for number in range(_FIRST_SHOWN, _BUCKETS):
                below += counted[number]
                buckets.append((f"{2 ** (number / 2) * _TICK_S:.6g}", below))
            buckets.append(("+Inf", total))
            family.add_metric([operation.name], buckets, sum_ns * _NS)
        return family
