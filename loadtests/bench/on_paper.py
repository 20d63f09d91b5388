"""What larger machines would do, worked out from the measured cost of a request. No measuring.

National systems are processes that share nothing but PostgreSQL, and sessions of PostgreSQL are
processes, too; so work spreads over cores until one market needs more than a core by itself. The
fewer requests a market has, the fewer of them share a commit, and the more each costs: costs are
those measured at the rate in question. What is not in it: the network's cost beyond loopback, TLS,
and cores that slow down when all are busy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from loadtests.bench.database_cases import ONE_STATEMENT, PGBENCH_CLIENTS
from loadtests.bench.figures import Results

EUROPE_PER_S: Final = 4_100
"""All EMVS, the peak second: domain/emvs.md 8.3 (estimate)."""
LARGEST_PER_S: Final = 770
"""Germany's peak second, from the same table."""
_CORES: Final = 16
MARKETS: Final = 30
_USABLE: Final = 0.7
"""Share of the cores that is planned with: beyond it waiting times grow (our choice)."""


class Cost(NamedTuple):
    """What a request takes at some rate in one market: microseconds of processor time."""

    per_s: float
    own_us: float
    server_us: float
    shared: float | None
    """Entries for each commit; None: not counted."""

    @property
    def both_us(self) -> float:
        return self.own_us + self.server_us


def add_estimates(results: Results, costs: Mapping[str, Sequence[Cost]]) -> None:
    """Add sentences on larger machines. `costs`: by case and in order of rates, the last one at
    full load."""
    for name, measured in costs.items():
        results.on_paper += [f"{name}: {sentence}" for sentence in _sentences(measured)]
    commits = results.figures.get(ONE_STATEMENT)
    if commits is not None:
        results.on_paper.append(
            f"all markets of one PostgreSQL share its write-ahead log. {PGBENCH_CLIENTS} sessions"
            f" together made {commits.median:,.0f} commits a second here, beside their load; with"
            f" {MARKETS} markets at Europe's peak ({EUROPE_PER_S:,}/s) nearly every request needs"
            f" one of its own."
        )


def _sentences(costs: Sequence[Cost]) -> list[str]:
    told = [
        f"at {cost.per_s:,.0f}/s a request takes {cost.own_us:.0f} µs of its market's process and"
        f" {cost.server_us:.0f} µs of PostgreSQL"
        + (f" ({cost.shared:.1f} entries a commit)" if cost.shared is not None else "")
        for cost in costs
    ]
    sentences = ["; ".join(told)]
    full = costs[-1]
    one_market = _USABLE * 1e6 / full.own_us
    sentences.append(
        f"a market has one core at most: {one_market:,.0f}/s at {_USABLE:.0%} of it,"
        f" {one_market / LARGEST_PER_S:.0f} times the largest market's peak second"
        f" ({LARGEST_PER_S}/s)"
    )
    low = costs[0]
    if low is not full:
        cores = EUROPE_PER_S * low.both_us / 1e6
        sentences.append(
            f"all of Europe ({EUROPE_PER_S:,}/s) spread evenly over {MARKETS} markets takes"
            f" {cores:.1f} cores, {cores / _USABLE:.1f} at {_USABLE:.0%} use"
        )
    many = min(_CORES * _USABLE * 1e6 / full.both_us, MARKETS * one_market)
    sentences.append(
        f"{_CORES} cores with {MARKETS} markets, at {_USABLE:.0%} use and as many entries a commit"
        f" as at full load: {many:,.0f}/s"
    )
    return sentences
