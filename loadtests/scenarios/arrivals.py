"""When something is to be done: an open model. Pure; time comes in as seconds of the run.

Prescriptions arrive by a Poisson process whose rate follows the plan's curve; each is a cluster of
one to six scans, two to five seconds apart. What is planned stays planned, however slow the server
is: that is what makes it an open model. A generator has its share of all arrivals.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Iterator
from enum import IntEnum
from itertools import accumulate
from math import ceil
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

_SLICE_S_MIN: Final = 0.01
_SLICE_S_MAX: Final = 0.05
"""Arrivals of so long are made at once, with the rate of the middle: a millisecond of processor at
4,000 a second, which others wait for."""
_SIZE_BY_PER_CENT: Final = tuple(
    size for size, share in enumerate(CLUSTER_SHARES, 1) for _ in range(share)
)
assert len(_SIZE_BY_PER_CENT) == 100, "shares of sizes are per cent"
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
    """All arrivals of one role at one load generator, in order of time.

    They are made a slice of time at once, each slice shortly before its first arrival is wanted.
    """

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
        self._number = 0
        self._pace = plan.pace if plan.pauses else 0.0
        # A curve that is much compressed changes sooner.
        self._slice_s = max(_SLICE_S_MIN, _SLICE_S_MAX * plan.pace)
        # Prescriptions that began earlier have scans left, so that the rate is there at once.
        earlier_s = (len(CLUSTER_SHARES) - 1) * PAUSE_S[1] * self._pace
        self._slice = -ceil(earlier_s / self._slice_s)
        """The slice that is made next."""
        self._last_slice = int(plan.duration_s / self._slice_s)
        if not sites or self._share <= 0:
            self._slice = self._last_slice + 1
        self._due: deque[Arrival] = deque()
        """Of all slices that have been made, in order."""
        self._later: defaultdict[int, list[Arrival]] = defaultdict(list)
        """Arrivals by their slice, from the one that is made next."""
        self._has_bulk = role is not Role.PHARMACY and plan.bulk_share > 0

    def pop(self) -> Arrival | None:
        """Take the next arrival; None if there is none before the run's end."""
        return self._due.popleft() if self._due or self._fill() else None

    def next_at(self) -> float | None:
        """Return when the next arrival is; None if there is none before the run's end."""
        return self._due[0].at if self._due or self._fill() else None

    def due_count(self, now: float) -> int:
        """Return how many arrivals should have begun and have not."""
        while self._slice <= min(self._last_slice, now / self._slice_s):
            self._make_slice()
        return bisect_right(self._due, now, key=lambda arrival: arrival.at)

    def drop_all(self, now: float) -> int:
        """Take all that is left, and return how many of them should have begun."""
        count = self.due_count(now)
        self._slice = self._last_slice + 1
        self._due.clear()
        self._later.clear()
        return count

    def _fill(self) -> bool:
        """Make slices until there is an arrival; return whether there is one."""
        while not self._due and self._slice <= self._last_slice:
            self._make_slice()
        return bool(self._due)

    def _make_slice(self) -> None:
        number, self._slice = self._slice, self._slice + 1
        start, end = number * self._slice_s, (number + 1) * self._slice_s
        self._make_clusters(number, start, end)
        if self._has_bulk and number >= 0:
            self._make_bulk(number, start, end)
        duration_s = self._plan.duration_s
        made = sorted(self._later.pop(number, ()))
        if number == self._last_slice:
            made = [arrival for arrival in made if arrival.at <= duration_s]
        self._due.extend(made)

    def _moments(self, rate: float, start: float, end: float) -> Iterator[float]:
        """Yield moments of a Poisson process."""
        if rate <= 0:
            return
        draw = self._rng.expovariate
        at = start + draw(rate)
        while at < end:
            yield at
            at += draw(rate)

    def _make_clusters(self, number: int, start: float, end: float) -> None:
        plan, rng = self._plan, self._rng
        middle = (start + end) / 2
        # So that scans follow the curve, prescriptions are ahead of it.
        ahead = SCAN_DELAY_S * self._pace
        total = rate_at(plan.scans, max(middle + ahead, 0.0)) * self._share
        total *= 1.0 - (self._bulk_share(middle) if self._has_bulk else 0.0)
        goods_in = 0.0
        if self._role is Role.PHARMACY:
            goods_in = rate_at(plan.goods_in, max(middle, 0.0))
        # Clusters per second of each kind, so that their scans divide as planned.
        usual = total * (1 - goods_in) / CLUSTER_MEAN
        deliveries = total * goods_in / (sum(GOODS_IN_PACKS) / 2)
        for at in self._moments(usual + deliveries, start, end):
            is_delivery = deliveries > 0 and rng.random() * (usual + deliveries) < deliveries
            self._add_cluster(number, at, is_delivery=is_delivery)

    def _bulk_share(self, at: float) -> float:
        return min(0.95, self._plan.bulk_share * rate_at(self._plan.bulk, max(at, 0.0)))

    def _site(self) -> int:
        weights = self._site_weights
        return self._sites[bisect_right(weights, self._rng.random() * weights[-1])]

    def _add_cluster(self, number: int, at: float, *, is_delivery: bool) -> None:
        """Add the scans of a cluster that begins in a slice."""
        draw = self._rng.random
        if is_delivery:
            errand, (least, most) = Errand.GOODS_IN, GOODS_IN_PAUSE_S
            size = self._rng.randint(*GOODS_IN_PACKS)
        else:
            errand, (least, most) = Errand.SCAN, PAUSE_S
            size = _SIZE_BY_PER_CENT[int(draw() * 100)]
        least, span = least * self._pace, (most - least) * self._pace
        site, later, slice_s = self._site(), self._later, self._slice_s
        for _ in range(size):
            if at >= 0.0:
                self._number += 1
                later[max(number, int(at / slice_s))].append(
                    Arrival(at, self._number, errand, site)
                )
            if span:
                at += least + span * draw()

    def _make_bulk(self, number: int, start: float, end: float) -> None:
        low, high = _BULK_PACKS
        middle = (start + end) / 2
        rate = rate_at(self._plan.scans, middle) * self._share * self._bulk_share(middle)
        for at in self._moments(rate / BULK_MEAN, start, end):
            packs = round(low * (high / low) ** self._rng.random())
            self._number += 1
            self._later[number].append(Arrival(at, self._number, Errand.BULK, self._site(), packs))
