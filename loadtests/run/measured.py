"""From samples to figures: percentiles, rates, codes, over the whole run and over time. Pure."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from loadtests.scenarios.mix import SINGLE_PACK, Operation
from loadtests.scenarios.plan import Plan
from loadtests.scenarios.samples import Flag, Rows, Verdict

PERCENTILES: Final = (50.0, 95.0, 99.0, 99.9)
SLOT_COUNT_MAX: Final = 240
"""Points of a chart over time."""
LATE_S: Final = 0.05
"""Beyond, a request counts as late: a sixth of the legal limit (our choice)."""

Floats = npt.NDArray[np.float64]


class Latency(NamedTuple):
    """Percentiles in milliseconds, from the planned moment and from the sending."""

    planned: dict[str, float]
    measured: dict[str, float]
    planned_max: float
    measured_max: float


class Group(NamedTuple):
    """One operation in one market, over one dialect."""

    market: str
    dialect: str
    operation: str
    requests: int
    rate: float
    errors: int
    unexpected: int
    latency: Latency
    within_ms: float
    """What 95 % of the requests kept, from the planned moment; of fewer than 20, all but one."""
    is_single: bool


def percentiles_of(milliseconds: Floats) -> dict[str, float]:
    """Return the percentiles, by their names."""
    if not len(milliseconds):
        return {f"p{percentile:g}": 0.0 for percentile in PERCENTILES}
    values = np.percentile(milliseconds, PERCENTILES)
    return {
        f"p{percentile:g}": round(float(value), 3)
        for percentile, value in zip(PERCENTILES, values, strict=True)
    }


def latency_of(rows: Rows) -> Latency:
    """Return a group's latencies."""
    took = rows["took"].astype(np.float64) * 1000
    planned = took + rows["late"].astype(np.float64) * 1000
    return Latency(
        percentiles_of(planned),
        percentiles_of(took),
        round(float(planned.max(initial=0.0)), 3),
        round(float(took.max(initial=0.0)), 3),
    )


def groups_of(rows: Rows, plan: Plan) -> list[Group]:
    """Return figures by market, dialect and operation, in this order."""
    found = []
    keys = {(site.market, site.dialect) for site in plan.sites}
    for market, dialect in sorted(keys):
        sites = [
            site.number for site in plan.sites if (site.market, site.dialect) == (market, dialect)
        ]
        here = rows[np.isin(rows["site"], sites)]
        for operation in Operation:
            part = here[here["operation"] == operation]
            if len(part):
                found.append(_group(part, market, dialect, operation, plan))
    return found


def _group(part: Rows, market: str, dialect: str, operation: Operation, plan: Plan) -> Group:
    is_hubs = operation >= Operation.UPLOAD
    return Group(
        market=market,
        dialect="hub" if is_hubs else dialect,
        operation=operation.label,
        requests=len(part),
        rate=round(len(part) / plan.duration_s, 3),
        errors=int((part["verdict"] == Verdict.ERROR).sum()),
        unexpected=int((part["verdict"] == Verdict.UNEXPECTED).sum()),
        latency=latency_of(part),
        within_ms=_within_ms(part, plan.timeout_s),
        is_single=operation in SINGLE_PACK,
    )


def _within_ms(part: Rows, timeout_s: float) -> float:
    """Return the lowest value that holds for all but a twentieth: one outlier is always allowed,
    or an operation that is asked three times would be judged by its worst answer. A single request
    has no outlier.

    Whoever got no usable answer waited at least for the time-out: a server that refuses quickly is
    not a fast one.
    """
    took = part["took"].astype(np.float64)
    took = np.where(part["verdict"] == Verdict.ERROR, np.maximum(took, timeout_s), took)
    planned = np.sort(took + part["late"]) * 1000
    allowed = max(1, len(planned) // 20) if len(planned) > 1 else 0
    return round(float(planned[len(planned) - 1 - allowed]), 3)


class Lateness(NamedTuple):
    """How well the generators kept the schedule. Milliseconds."""

    own: dict[str, float]
    """Of requests for which a lane was waiting: the generator's processor."""
    all: dict[str, float]
    late_share: float
    """Requests sent more than LATE_S after their moment."""
    lane_share: float
    """Requests for which no lane was free in time: the server is slow, or lanes are few."""


def lateness_of(rows: Rows) -> Lateness:
    """Return the lateness of single-pack requests."""
    single = rows[rows["operation"] < Operation.BULK_VERIFY]
    late = single["late"].astype(np.float64) * 1000
    waited = (single["flags"] & Flag.WAITED) != 0
    count = max(len(single), 1)
    return Lateness(
        percentiles_of(late[waited]),
        percentiles_of(late),
        round(float((late > LATE_S * 1000).sum()) / count, 6),
        round(float((~waited).sum()) / count, 6),
    )


def codes_of(rows: Rows) -> list[dict[str, Any]]:
    """Return how often each code came, the most frequent first, with its verdict."""
    counts: Counter[tuple[bytes, int]] = Counter(
        zip(rows["code"].tolist(), rows["verdict"].tolist(), strict=True)
    )
    return [
        {"code": code.decode(errors="replace"), "verdict": Verdict(verdict).name, "count": count}
        for (code, verdict), count in counts.most_common(60)
    ]


def span_of(rows: Rows, plan: Plan, *, is_stopped: bool = False) -> float:
    """Return the seconds that the run really took to its last sending.

    At least those planned, unless it was stopped before.
    """
    least = 0.1 if is_stopped else plan.duration_s
    return max(least, float((rows["planned"] + rows["late"]).max(initial=0.0)))


class Series(NamedTuple):
    """Figures over time; one entry for each slot."""

    slot_s: float
    at: list[float]
    """Middle of each slot, in seconds."""
    rate: list[float]
    """Sent a second, by their planned moments."""
    answered: list[float]
    """Answered a second, by the moment of the answer."""
    bad_rate: list[float]
    """Errors and unexpected answers a second."""
    late_ms: list[float]
    """95th percentile of the lateness."""
    planned: dict[str, list[float | None]]
    """Percentiles from the planned moment; None where nothing came."""


def slot_of(plan: Plan) -> float:
    """Return the length of a slot in seconds, a round one."""
    for slot in (0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 300.0, 900.0):
        if plan.duration_s / slot <= SLOT_COUNT_MAX:
            return slot
    return 3600.0


def series_of(rows: Rows, plan: Plan) -> Series:
    """Return the figures of single-pack requests over time, by their planned moment."""
    slot = slot_of(plan)
    count = max(1, int(np.ceil(plan.duration_s / slot)))
    single = rows[rows["operation"] < Operation.BULK_VERIFY]
    places = np.searchsorted(single["planned"], np.arange(count + 1) * slot)
    latency = (single["took"].astype(np.float64) + single["late"]) * 1000
    late = single["late"].astype(np.float64) * 1000
    bad = ~np.isin(single["verdict"], (Verdict.EXPECTED, Verdict.UNKNOWN))
    answers, _ = np.histogram(
        single["planned"] + single["late"] + single["took"], np.arange(count + 1) * slot
    )
    series = Series(slot, [], [], [], [], [], {"p50": [], "p95": [], "p99": []})
    for number in range(count):
        part = slice(places[number], places[number + 1])
        size = int(places[number + 1] - places[number])
        length = min(slot, plan.duration_s - number * slot)
        series.at.append(round((number + 0.5) * slot, 2))
        series.rate.append(round(size / length, 2))
        series.answered.append(round(float(answers[number]) / length, 2))
        series.bad_rate.append(round(float(bad[part].sum()) / length, 3))
        series.late_ms.append(round(float(np.percentile(late[part], 95)), 2) if size else 0.0)
        for name, values in series.planned.items():
            value = np.percentile(latency[part], float(name[1:])) if size else None
            values.append(None if value is None else round(float(value), 2))
    return series
