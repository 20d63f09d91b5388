"""When something is to be done: an open model. Pure; time comes in as seconds of the run.

Prescriptions arrive by a Poisson process whose rate follows the plan's curve; each is a cluster of
one to six scans, two to five seconds apart. What is planned stays planned, however slow the server
is: that is what makes it an open model. A generator has its share of all arrivals.
"""

from __future__ import annotations

import heapq
import random
from enum import IntEnum
from itertools import accumulate
from typing import Final, NamedTuple

from loadtests.scenarios.curves import rate_at
from loadtests.scenarios.mix import (
    CLUSTER_MEAN,
    CLUSTER_SHARES,
    GOODS_IN_PACKS,
    GOODS_IN_PAUSE_S,
    PAUSE_S,
    SCAN_DELAY_S,
    Role,
)
from loadtests.scenarios.plan import Plan

_AHEAD_S_MIN: Final = 0.02
_AHEAD_S_MAX: Final = 1.0
"""The rate is looked at again so often."""
_CLUSTERS_CUMULATED: Final = list(accumulate(CLUSTER_SHARES))
_SIZES: Final = tuple(range(1, len(CLUSTER_SHARES) + 1))
_BULK_PACKS: Final = (20, 400)
"""Packs of one submission (our choice: boxes to pallets); their logarithm is drawn evenly."""
BULK_MEAN: Final = 126.8
"""Mean of that distribution: (400 - 20) / ln(400 / 20)."""


class Errand(IntEnum):
    """What arrives."""

    SCAN = 0
    GOODS_IN = 1
    BULK = 2
    REPEAT = 3
    """A supply that is sent once more."""


class Arrival(NamedTuple):
    """Something to be done at a planned time. Arrivals sort by it."""

    at: float
    number: int
    errand: Errand
    site: int
    """Place in the plan's list."""
    packs: int = 1


class Arrivals:
    """All arrivals of one role at one load generator, in order of time."""

    def __init__(self, plan: Plan, role: Role, *, index: int, generators: int) -> None:
        self._plan = plan
        self._role = role
        self._rng = random.Random(f"{plan.seed}:{role}:{index}")  # noqa: S311 - made-up traffic.
        self._share = plan.role_shares[role] / generators
        sites = [site for site in plan.sites if site.role is role]
        count = {site.market: 0 for site in sites}
        for site in sites:
            count[site.market] += 1
        self._sites = [site.number for site in sites]
        self._site_weights = list(
            accumulate(
                plan.market_shares.get(site.market, 0.0) / count[site.market] for site in sites
            )
        )
        self._waiting: list[Arrival] = []
        self._number = 0
        mean_cluster_s = (len(CLUSTER_SHARES) - 1) * PAUSE_S[1]
        # Prescriptions that began earlier have scans left, so that the rate is there at once.
        self._pace = plan.pace if plan.pauses else 0.0
        self._next_scan = -mean_cluster_s * self._pace
        self._next_bulk = 0.0
        self._has_bulk = role is not Role.PHARMACY and plan.bulk_share > 0

    def pop(self) -> Arrival | None:
        """Take the next arrival; None if there is none before the run's end."""
        return heapq.heappop(self._waiting) if self.next_at() is not None else None

    def next_at(self) -> float | None:
        """Return when the next arrival is; None if there is none before the run's end."""
        if not self._sites or self._share <= 0:
            return None
        while not self._waiting or self._waiting[0].at > min(self._next_scan, self._next_bulk_at()):
            if min(self._next_scan, self._next_bulk_at()) > self._plan.duration_s:
                break
            self._make()
        if not self._waiting or self._waiting[0].at > self._plan.duration_s:
            return None
        return self._waiting[0].at

    def drop_all(self) -> int:
        """Take all that is left, and return how many that were."""
        count = 0
        while self.pop() is not None:
            count += 1
        return count

    def due_count(self, now: float) -> int:
        """Return how many arrivals should have begun and have not."""
        return sum(1 for arrival in self._waiting if arrival.at <= min(now, self._plan.duration_s))

    def _next_number(self) -> int:
        self._number += 1
        return self._number

    def _next_bulk_at(self) -> float:
        return self._next_bulk if self._has_bulk else float("inf")

    def _make(self) -> None:
        if self._next_scan <= self._next_bulk_at():
            self._next_scan = self._make_cluster(self._next_scan)
        else:
            self._next_bulk = self._make_bulk(self._next_bulk)

    def _gap(self, rate: float) -> tuple[float, bool]:
        """Return the wait for the next arrival, and whether it is one: far ones are drawn anew."""
        # A curve that is much compressed changes sooner.
        most = max(_AHEAD_S_MIN, _AHEAD_S_MAX * self._plan.pace)
        gap = self._rng.expovariate(rate) if rate > 0 else most
        return (gap, True) if gap < most else (most, False)

    def _make_cluster(self, at: float) -> float:
        plan, rng = self._plan, self._rng
        # So that scans follow the curve, prescriptions are ahead of it.
        ahead = SCAN_DELAY_S * self._pace
        total = rate_at(plan.scans, max(at + ahead, 0.0)) * self._share * self._single_share(at)
        goods_in = rate_at(plan.goods_in, max(at, 0.0)) if self._role is Role.PHARMACY else 0.0
        delivery_mean = sum(GOODS_IN_PACKS) / 2
        # Clusters per second of each kind, so that their scans divide as planned.
        usual, deliveries = total * (1 - goods_in) / CLUSTER_MEAN, total * goods_in / delivery_mean
        gap, is_one = self._gap(usual + deliveries)
        at += gap
        if is_one:
            is_delivery = rng.random() * (usual + deliveries) < deliveries
            self._add_cluster(at, is_delivery=is_delivery)
        return at

    def _single_share(self, at: float) -> float:
        """Return the share of packs that do not go many at once."""
        return 1.0 - (self._bulk_share(at) if self._has_bulk else 0.0)

    def _bulk_share(self, at: float) -> float:
        return min(0.95, self._plan.bulk_share * rate_at(self._plan.bulk, max(at, 0.0)))

    def _add_cluster(self, at: float, *, is_delivery: bool) -> None:
        rng = self._rng
        if is_delivery:
            errand, pauses = Errand.GOODS_IN, GOODS_IN_PAUSE_S
            size = rng.randint(*GOODS_IN_PACKS)
        else:
            errand, pauses = Errand.SCAN, PAUSE_S
            size = rng.choices(_SIZES, cum_weights=_CLUSTERS_CUMULATED)[0]
        site = rng.choices(self._sites, cum_weights=self._site_weights)[0]
        for _ in range(size):
            if at >= 0.0:
                heapq.heappush(self._waiting, Arrival(at, self._next_number(), errand, site))
            if self._pace:
                at += rng.uniform(*pauses) * self._pace

    def _make_bulk(self, at: float) -> float:
        rng = self._rng
        rate = rate_at(self._plan.scans, at) * self._share * self._bulk_share(at) / BULK_MEAN
        gap, is_one = self._gap(rate)
        at += gap
        if is_one:
            low, high = _BULK_PACKS
            packs = round(low * (high / low) ** rng.random())
            site = rng.choices(self._sites, cum_weights=self._site_weights)[0]
            heapq.heappush(
                self._waiting, Arrival(at, self._next_number(), Errand.BULK, site, packs)
            )
        return at
