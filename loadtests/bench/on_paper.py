"""What larger machines would do, worked out from the measured cost of a request. No measuring.

National systems are processes that share nothing but PostgreSQL, and sessions of PostgreSQL are
processes, too; so work spreads over cores until one market needs more than a core by itself. What
is not in it: the network's cost beyond loopback, TLS, and cores that slow down when all are busy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from loadtests.bench.figures import Results

_MIXED: Final = ("mixed REST", "mixed SOAP")
_EUROPE_PER_S: Final = 4_100
"""All EMVS, the peak second: domain/emvs.md 8.3 (estimate)."""
_LARGEST_PER_S: Final = 770
"""Germany's peak second, from the same table."""
_CORES: Final = 16
_MARKETS: Final = 30
_USABLE: Final = 0.7
"""Share of the cores that is planned with: beyond it waiting times grow (our choice)."""


def add_estimates(results: Results, costs_us: Mapping[str, tuple[float, float]]) -> None:
    """Add sentences on larger machines. `costs_us`: processor time of the national system and of
    PostgreSQL for a request, by case."""
    for name in _MIXED:
        if name not in costs_us:
            continue
        own_us, server_us = costs_us[name]
        both_us = own_us + server_us
        one_market = 1e6 / own_us
        many = min(_CORES * _USABLE * 1e6 / both_us, _MARKETS * one_market)
        results.on_paper.append(
            f"{name}: a request takes {own_us:.0f} µs of its market's process and"
            f" {server_us:.0f} µs of PostgreSQL. A market has one core at most:"
            f" {one_market:,.0f}/s,"
            f" {one_market / _LARGEST_PER_S:.0f} times the largest market's peak second"
            f" ({_LARGEST_PER_S}/s). All of Europe's ({_EUROPE_PER_S:,}/s) takes"
            f" {_EUROPE_PER_S * both_us / 1e6:.1f} cores. {_CORES} cores with {_MARKETS} markets,"
            f" at {_USABLE:.0%} use: {many:,.0f}/s."
        )
