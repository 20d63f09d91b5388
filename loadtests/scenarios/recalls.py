"""Which batches are recalled when: the same at every generator, from the plan alone."""

from __future__ import annotations

from loadtests.scenarios.plan import Plan


def recall_times(plan: Plan) -> list[tuple[float, str, str]]:
    """Return second, market and batch of each recall of a run, earliest first.

    The first shards are the ones that are scanned early, so their packs are on the shelves.
    """
    recalls = []
    for number in range(plan.recalls):
        packs = plan.packs[number % len(plan.packs)]
        shard = (number // len(plan.packs)) % packs.shards
        at = plan.duration_s * (number + 1) / (plan.recalls + 2)
        recalls.append((at, packs.market, packs.batch_id(shard)))
    return recalls
