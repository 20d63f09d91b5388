"""Mixed traffic of pharmacies: capacity, latency at half of it, and what few requests cost."""

from __future__ import annotations

import statistics
from typing import Final

from loadtests.bench.errors import LoadError
from loadtests.bench.figures import Figure, Results
from loadtests.bench.on_paper import Cost, add_estimates
from loadtests.bench.open_loop import Latencies, keep_rate
from loadtests.bench.requests import as_bytes, mixed
from loadtests.bench.scale import CONNECTIONS, PACKS_PER_SECOND, Scale
from loadtests.bench.systems import MarketUnderTest
from loadtests.bench.wire_cases import MARKS, Case, WireCases
from loadtests.cpu_time import process_cpu_s, server_cpu_s

_OUTCOMES: Final = frozenset({"VERIFIED", "DECOMMISSIONED", "REACTIVATED"})
_OPEN_SHARE: Final = 0.5
"""Of the capacity: the rate at which latency is measured."""
_LATE_MS_MAX: Final = 5.0
"""A quarter of the bound on latency: a generator that was later itself has measured itself."""
_CURVE_SHARES: Final = (0.5, 0.9, 0.99, 0.999, 1.0)
_RATES_PER_S: Final = (137, 770, 4_100)
"""A thirtieth of Europe's peak second, Germany's, and all of it: domain/emvs.md 8.3."""
_RATE_REQUESTS: Final = 600
_RATE_SECONDS_MIN: Final = 1.5
"""So long, and until so many requests have come, a cost is measured."""
_RATE_SHARE_MAX: Final = 0.8
"""Of the capacity: beyond it requests queue, and their cost is that of large groups."""


class PharmacyTraffic:
    """Measures mixed traffic in one market, dialect by dialect."""

    def __init__(
        self, cases: WireCases, market: MarketUnderTest, serials: list[str], scale: Scale
    ) -> None:
        self._cases = cases
        self._market = market
        self._serials = serials
        self._scale = scale

    async def run(self, results: Results) -> None:
        """Measure everything and add it to the results."""
        costs: dict[str, list[Cost]] = {}
        for dialect in self._cases.templates:
            name = f"mixed {dialect}"
            capacity = await self._capacity(name, dialect)
            latencies = [
                await self._open(name, dialect, capacity * _OPEN_SHARE, self._scale.open_seconds)
                for _ in range(self._scale.open_rounds)
            ]
            self._report(name, capacity * _OPEN_SHARE, latencies, results)
            costs[name] = [
                await self._cost(name, dialect, rate)
                for rate in _RATES_PER_S
                if rate <= capacity * _RATE_SHARE_MAX
            ]
            own, server = zip(*self._cases.cpu_us[name], strict=True)
            costs[name].append(Cost(capacity, min(own), min(server), None))
        add_estimates(results, costs)

    async def _capacity(self, name: str, dialect: str) -> float:
        """Return the median requests per second of several closed-loop rounds."""
        most = int(self._scale.seconds * PACKS_PER_SECOND)
        case = Case(
            name,
            self._market.port,
            self._market.pid,
            self._cases.templates[dialect],
            lambda: mixed(self._serials, self._cases.fresh, most),
            MARKS[dialect],
            "vsvuvlv",
            self._market,
            _OUTCOMES,
        )
        rounds = [await self._cases.run(case) for _ in range(self._scale.open_rounds)]
        return statistics.median(measured.requests_per_s for measured in rounds)

    async def _open(self, name: str, dialect: str, rate: float, seconds: float) -> Latencies:
        steps = mixed(self._serials, self._cases.fresh, int(rate * seconds) + 1, seed=4)
        told = await keep_rate(
            self._market.port,
            as_bytes(self._cases.templates[dialect], steps),
            rate=rate,
            seconds=seconds,
            connections=CONNECTIONS * 4,
            mark=MARKS[dialect],
        )
        if set(told.statuses) != {200} or told.strange:
            raise LoadError(f"{name}: {told.statuses}, {told.strange} of them no success")
        count = len(told.ms)
        await self._cases.compare(f"{name} at {rate:.0f}/s", count, count, _OUTCOMES)
        return told

    def _report(self, name: str, rate: float, runs: list[Latencies], results: Results) -> None:
        late_ms = statistics.median(run.late_ms_p99 for run in runs)
        p99 = statistics.median(run.percentile(0.99) for run in runs)
        if late_ms > _LATE_MS_MAX:
            results.broken.append(
                f"{name} open loop: the generator itself was late by {late_ms:.1f} ms (p99), so its"
                f" p99 of {p99:.0f} ms means nothing; is the machine busy with something else?"
            )
            return
        longest = max(run.late_ms_longest for run in runs)
        note = (
            f"{rate:,.0f}/s for {self._scale.open_seconds:g} s, {len(runs)} times, from the planned"
            f" time; the generator was late by {late_ms:.1f} ms (p99), {longest:.0f} ms at most"
        )
        figures = {
            label: [run.percentile(share) for run in runs]
            for share, label in ((0.5, "p50"), (0.99, "p99"))
        }
        # Of all runs: what comes once must show.
        figures["longest"] = [max(run.ms[-1] for run in runs)]
        for label, values in figures.items():
            figure = f"{name} {label} open loop"
            results.add(Figure(figure, "ms", values, "latency", note, lower_is_better=True))
        ms = sorted(value for run in runs for value in run.ms)
        results.curves[f"{name}, latency by percentile"] = [
            (share, ms[min(len(ms) - 1, int(len(ms) * share))]) for share in _CURVE_SHARES
        ]

    async def _cost(self, name: str, dialect: str, rate: float) -> Cost:
        """Return what a request takes when so many come a second."""
        postmaster = self._market.server.pid
        groups, entries = await self._groups()
        own_s, server_s = process_cpu_s(self._market.pid), server_cpu_s(postmaster)
        seconds = max(_RATE_SECONDS_MIN, _RATE_REQUESTS / rate)
        told = await self._open(name, dialect, rate, seconds)
        own_s = process_cpu_s(self._market.pid) - own_s
        server_s = server_cpu_s(postmaster) - server_s
        groups_after, entries_after = await self._groups()
        shared = (entries_after - entries) / max(groups_after - groups, 1)
        count = len(told.ms)
        return Cost(rate, own_s / count * 1e6, server_s / count * 1e6, shared)

    async def _groups(self) -> tuple[float, float]:
        metrics = await self._market.metrics()
        name = "nmvs_ledger_group_entries"
        return metrics[f"{name}_count"], metrics[f"{name}_sum"]
