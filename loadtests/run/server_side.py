"""What the servers' own figures say of a run: service and ledger time, processor time. Pure."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final, NamedTuple

_TOP: Final = "+Inf"


class ServerTimes(NamedTuple):
    """Of one operation in one market, in milliseconds: without the wire."""

    market: str
    operation: str
    requests: int
    service_mean: float
    """From a request that has been read until its operation was durable."""
    service_p95: float
    ledger_mean: float
    """The part of it that waited for the commit."""
    ledger_p95: float


class ServerSeries(NamedTuple):
    """Over time; seconds of the run."""

    at: list[float]
    service_ms: list[float | None]
    ledger_ms: list[float | None]
    cpu: dict[str, list[float]]
    """Cores that each process took."""


def server_times(lines: list[dict[str, Any]]) -> list[ServerTimes]:
    """Return the figures from the first to the last line."""
    found = []
    for market in lines[-1]["markets"] if lines else ():
        known = [line["markets"][market] for line in lines if line["markets"].get(market)]
        if len(known) < 2:
            continue
        first, last = known[0], known[-1]
        for operation, service in last.get("service", {}).items():
            before = first.get("service", {}).get(operation, {})
            ledger = last.get("ledger", {}).get(operation, {})
            ledger_before = first.get("ledger", {}).get(operation, {})
            count = int(service.get("count", 0) - before.get("count", 0))
            if count > 0:
                found.append(
                    ServerTimes(
                        market,
                        operation.lower().replace("_", " "),
                        count,
                        _mean(before, service),
                        quantile(before, service, 0.95),
                        _mean(ledger_before, ledger),
                        quantile(ledger_before, ledger, 0.95),
                    )
                )
    return found


def _mean(before: dict[str, float], after: dict[str, float]) -> float:
    count = after.get("count", 0.0) - before.get("count", 0.0)
    total = after.get("sum", 0.0) - before.get("sum", 0.0)
    return round(total / count * 1000, 3) if count > 0 else 0.0


def quantile(before: dict[str, float], after: dict[str, float], share: float) -> float:
    """Return the upper bound of the bucket in which the quantile lies, in milliseconds."""
    bounds = sorted(
        (name for name in after if name not in {"sum", "count"}),
        key=lambda name: float("inf") if name == _TOP else float(name),
    )
    count = after.get("count", 0.0) - before.get("count", 0.0)
    for name in bounds:
        if after[name] - before.get(name, 0.0) >= share * count and name != _TOP:
            return round(float(name) * 1000, 3)
    return 0.0


def server_series(lines: list[dict[str, Any]], *, started_at: float) -> ServerSeries:
    """Return the figures between each two lines; the run's zero is at `started_at` (time)."""
    series = ServerSeries([], [], [], {})
    for earlier, later in pairwise(lines):
        passed = later["time"] - earlier["time"]
        if passed <= 0:
            continue
        series.at.append(round((earlier["time"] + later["time"]) / 2 - started_at, 2))
        series.service_ms.append(_mean_of_all(earlier, later, "service"))
        series.ledger_ms.append(_mean_of_all(earlier, later, "ledger"))
        for name, cpu in later["cpu"].items():
            used = (cpu - earlier["cpu"].get(name, cpu)) / passed
            series.cpu.setdefault(name, []).append(round(max(used, 0.0), 3))
    return series


def _mean_of_all(earlier: dict[str, Any], later: dict[str, Any], kind: str) -> float | None:
    count = total = 0.0
    for market, after in later["markets"].items():
        before = earlier["markets"].get(market, {})
        if not after or not before:
            continue
        for operation, one in after.get(kind, {}).items():
            old = before.get(kind, {}).get(operation, {})
            count += one.get("count", 0.0) - old.get("count", 0.0)
            total += one.get("sum", 0.0) - old.get("sum", 0.0)
    return round(total / count * 1000, 3) if count > 0 else None
