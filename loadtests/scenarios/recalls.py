"""Which batches are recalled when: the same at every generator, from the plan alone.

The last batches of a market are the ones that are recalled. Few of the scans are about them, before
and after: a recall concerns a batch among all others that a pharmacy has on its shelves.
"""

from __future__ import annotations

import random
from typing import Final

from loadtests.scenarios.packs import SHARDS_MIN, MarketPacks, fresh_packs
from loadtests.scenarios.plan import Plan
from loadtests.scenarios.shelves import Market

RECALLS_PER_MARKET_MAX: Final = SHARDS_MIN // 2
"""Half of the least number of batches."""


def recall_times(plan: Plan) -> list[tuple[float, str, str]]:
    """Return second, market and batch of each recall of a run, earliest first."""
    recalls = []
    for number in range(plan.recalls):
        packs = plan.packs[number % len(plan.packs)]
        shard = packs.shards - 1 - number // len(plan.packs)
        at = plan.duration_s * (number + 1) / (plan.recalls + 2)
        recalls.append((at, packs.market, packs.batch_id(shard)))
    return recalls


def recalled_shards(plan: Plan, packs: MarketPacks) -> range:
    """Return the shards of a market that will be recalled."""
    place = plan.packs.index(packs)
    count = len(range(place, plan.recalls, len(plan.packs)))
    return range(packs.shards - count, packs.shards)


def market_of(plan: Plan, packs: MarketPacks, *, index: int, generators: int) -> Market:
    """Return a market's packs for generator `index`, those that will be recalled strewn in."""
    recalled = recalled_shards(plan, packs)
    fresh = fresh_packs(packs, index=index, generators=generators, shards=range(recalled.start))
    hits = list(fresh_packs(packs, index=index, generators=generators, shards=recalled))
    if not hits:
        return Market(fresh)
    rng = random.Random(f"{plan.seed}:recalls:{index}")  # noqa: S311 - made-up traffic.
    rng.shuffle(hits)
    # Some generators may have none of these batches: the others have their share.
    share = plan.recall_share * generators * len(hits) / (len(recalled) * packs.shard_packs)
    return Market(fresh, hits=lambda: hits.pop() if hits and rng.random() < share else None)
