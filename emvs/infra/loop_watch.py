"""How long an event loop keeps callers waiting: a clock that ticks, and how late each tick was.

Whatever holds the loop makes the next tick late by as long, less one interval at most. Costs some
microseconds a tick. Loops that count in milliseconds are early now and then.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Iterable
from typing import Final

from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

INTERVAL_S: Final = 0.01
"""What a delay may be longer than it is told, at most."""
_BOUNDS_S: Final = (
    0.001,
    0.002,
    0.005,
    0.01,
    0.02,
    0.03,
    0.05,
    0.075,
    0.1,
    0.2,
    0.5,
    1.0,
    2.0,
    5.0,
)


class LoopWatch(Collector):
    """Counts how late the ticks are on the loop it runs on."""

    def __init__(self, system: str) -> None:
        """`system` begins the metrics' names."""
        self._system = system
        self._counts = [0] * (len(_BOUNDS_S) + 1)
        self._total_s = 0.0
        self.longest_s = 0.0

    async def run(self) -> None:
        """Tick until cancelled."""
        loop = asyncio.get_running_loop()
        stopped: asyncio.Future[None] = loop.create_future()
        handle: asyncio.TimerHandle | None = None
        due_at = 0.0

        def tick() -> None:
            nonlocal due_at, handle
            now = loop.time()
            if due_at:
                self.note(max(0.0, now - due_at))
            due_at = now + INTERVAL_S
            handle = loop.call_later(INTERVAL_S, tick)

        tick()
        try:
            await stopped
        finally:
            assert handle is not None
            handle.cancel()

    def note(self, late_s: float) -> None:
        """Count a tick."""
        self._counts[bisect_left(_BOUNDS_S, late_s)] += 1
        self._total_s += late_s
        self.longest_s = max(self.longest_s, late_s)

    def collect(self) -> Iterable[Metric]:
        """Yield the delays as they are now."""
        buckets, total = [], 0
        for bound, count in zip((*map(str, _BOUNDS_S), "+Inf"), self._counts, strict=True):
            total += count
            buckets.append((bound, total))
        yield HistogramMetricFamily(
            f"{self._system}_loop_delay_seconds",
            "How late the event loop came to a tick; ticks follow one another by 10 ms.",
            buckets=buckets,
            sum_value=self._total_s,
        )
        yield GaugeMetricFamily(
            f"{self._system}_loop_delay_longest_seconds",
            "The longest of these delays since the start.",
            value=self.longest_s,
        )
