"""The index by itself, in a process of its own: memory per pack and look-ups by number of packs."""

from __future__ import annotations

import json
import sys
from typing import Any

from loadtests import processes
from loadtests.bench.errors import LoadError
from loadtests.bench.figures import Figure, Results

_S_MAX = 3600.0
_SIZES = (10**5, 10**6, 10**7)


async def _measure(packs: int) -> dict[str, Any]:
    options = ["--packs", str(packs), "--alone", "--json"]
    command = [sys.executable, "-m", "loadtests.index_bench", *options]
    ended = await processes.run(command, seconds_max=_S_MAX)
    if ended.code:
        raise LoadError(f"the index could not be measured: {ended.errors[-500:]}")
    (figures,) = json.loads(ended.output)
    return dict(figures)


async def measure_index(results: Results, packs_max: int) -> None:
    """Run `loadtests.index_bench` for each number of packs, in a process of its own: memory that
    an earlier one has given back would be taken again, and count for nothing or twice."""
    sizes = [size for size in _SIZES if size < packs_max]
    told = [await _measure(size) for size in (*sizes, packs_max)]
    largest = told[-1]
    resident = largest["resident_per_pack"] or largest["bytes_per_pack"]
    results.add(
        Figure(
            "memory per pack",
            "bytes",
            [resident],
            "memory",
            f"growth of the process with {largest['packs']:,} packs; the index counts"
            f" {largest['bytes_per_pack']:.1f} itself",
            lower_is_better=True,
        )
    )
    for figures in told:
        results.add(
            Figure(
                f"look-up among {figures['packs']:,}",
                "ns",
                [figures["hit_ns"]],
                "look-up",
                f"a miss {figures['miss_ns']:.0f} ns; loading {figures['insert_rate']:.1f} M/s, its"
                f" longest slice {figures['insert_longest_ms']:.1f} ms",
                lower_is_better=True,
            )
        )
    results.curves["look-up in ns by packs"] = [
        (figures["packs"], figures["hit_ns"]) for figures in told
    ]
