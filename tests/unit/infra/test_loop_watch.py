"""The watch of an event loop sees what holds it."""

from __future__ import annotations

import asyncio
import time

from emvs.infra.loop_watch import LoopWatch


async def test_what_holds_the_loop_is_seen_with_its_length() -> None:
    watch = LoopWatch("x")
    task = asyncio.create_task(watch.run())
    await asyncio.sleep(0)
    time.sleep(0.08)  # noqa: ASYNC251 - this is the stall.
    await asyncio.sleep(0.01)
    task.cancel()
    assert watch.longest_s >= 0.07
    buckets = {
        sample.labels.get("le"): sample.value
        for metric in watch.collect()
        for sample in metric.samples
        if sample.name == "x_loop_delay_seconds_bucket"
    }
    assert buckets["+Inf"] > buckets["0.05"]


def test_each_delay_counts_under_the_bounds_it_does_not_exceed() -> None:
    watch = LoopWatch("x")
    for late_s in (0.0, 0.001, 0.0011, 9.0):
        watch.note(late_s)
    samples = {
        (sample.name, sample.labels.get("le")): sample.value
        for metric in watch.collect()
        for sample in metric.samples
    }
    name = "x_loop_delay_seconds_bucket"
    assert [samples[name, bound] for bound in ("0.001", "0.002", "5.0", "+Inf")] == [2, 3, 3, 4]
    assert samples["x_loop_delay_longest_seconds", None] == 9.0
