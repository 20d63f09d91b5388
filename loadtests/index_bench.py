"""What the pack index costs by itself: insertion, look-up, pauses, memory.

`python -m loadtests.index_bench --packs 1000000` measures 10^5, 10^6 ... up to that many packs (at
most 10^8, which takes some 6 GB). Look-ups are timed with keys fresh in the processor's cache, as
they come from the hash, for packs chosen at random, which are not. Times are wall-clock and
include the loop around the call; on a busy machine compare figures of one run only.

This one measures a module from inside; all else that `loadtests` measures goes over HTTP.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from nmvs.pack_index import SLICE_COUNT_MAX, PackIndex
from nmvs.pack_keys import KEY_BYTES, PackKeys

_BLOCK_COUNT: Final = 1_000
"""Look-ups timed at once: their keys fit in the second-level cache."""
_BLOCKS: Final = 60
_SIZES: Final = (10**5, 10**6, 10**7, 10**8)
_PACKS_MIN: Final = 100_000
_PACKS_LIMIT: Final = 100_000_000

_T = TypeVar("_T")
Keys = NDArray[np.uint64]


class Figures(NamedTuple):
    """Of one number of packs. Rates in millions per second, pauses in ms, calls in ns."""

    packs: int
    insert_rate: float
    insert_longest_ms: float
    reserved_rate: float
    reserved_longest_ms: float
    find_many_rate: float
    hit_ns: float
    miss_ns: float
    get_ns: float
    set_ns: float
    bytes_per_pack: float
    resident_per_pack: float


def _keys(packs: int, seed: int) -> Keys:
    return np.random.default_rng(seed).integers(0, 2**64, (packs, 2), dtype=np.uint64)


def _resident_bytes() -> int:
    """Anonymous memory of this process; 0 where the system does not say."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    lines = [line for line in status.read_text().splitlines() if line.startswith("RssAnon:")]
    return int(lines[0].split()[1]) * 1024 if lines else 0


def _fill(index: PackIndex, keys: Keys) -> tuple[float, float]:
    """Insert in slices; gives millions per second and the longest slice in ms."""
    longest_s = 0.0
    begun = time.perf_counter()
    for start in range(0, len(keys), SLICE_COUNT_MAX):
        slice_begun = time.perf_counter()
        index.insert_many(keys[start : start + SLICE_COUNT_MAX], 7, set_at_s=1_700_000_000)
        longest_s = max(longest_s, time.perf_counter() - slice_begun)
    return len(keys) / (time.perf_counter() - begun) / 1e6, longest_s * 1e3


def _time_calls(call: Callable[[_T], object], blocks: list[list[_T]]) -> float:
    """The median over all blocks of the ns per call."""
    times = []
    for block in blocks:
        for argument in block:  # Touches each one, as the maker of a key just has.
            hash(argument)
        begun = time.perf_counter()
        for argument in block:
            call(argument)
        times.append((time.perf_counter() - begun) / len(block))
    return float(np.median(times)) * 1e9


def _blocks_of(keys: Keys) -> list[list[bytes]]:
    data = keys.tobytes()
    found = [data[at : at + KEY_BYTES] for at in range(0, len(data), KEY_BYTES)]
    return [found[at : at + _BLOCK_COUNT] for at in range(0, len(found), _BLOCK_COUNT)]


def _measure(packs: int) -> Figures:
    keys = _keys(packs, seed=1)
    _fill(PackIndex(), keys[: 2 * SLICE_COUNT_MAX])  # What a call needs for a moment stays.
    resident_before = _resident_bytes()
    index = PackIndex()
    insert_rate, insert_longest_ms = _fill(index, keys)
    assert len(index) == packs
    resident_bytes = _resident_bytes() - resident_before
    bytes_per_pack = index.memory_bytes() / packs

    begun = time.perf_counter()
    for start in range(0, packs, SLICE_COUNT_MAX):
        index.find_many(keys[start : start + SLICE_COUNT_MAX])
    find_many_rate = packs / (time.perf_counter() - begun) / 1e6

    count = _BLOCK_COUNT * _BLOCKS
    chosen = np.random.default_rng(2).integers(0, packs, count)
    hit_ns = _time_calls(index.find, _blocks_of(keys[chosen]))
    miss_ns = _time_calls(index.find, _blocks_of(_keys(count, seed=3)))
    rows = chosen.reshape(_BLOCKS, _BLOCK_COUNT).tolist()
    get_ns = _time_calls(index.get, rows)
    set_ns = _time_calls(lambda row: index.set(row, 1, 2, 3, 4, 5), rows)

    index.clear()
    index.reserve(packs)
    reserved_rate, reserved_longest_ms = _fill(index, keys)
    return Figures(
        packs=packs,
        insert_rate=insert_rate,
        insert_longest_ms=insert_longest_ms,
        reserved_rate=reserved_rate,
        reserved_longest_ms=reserved_longest_ms,
        find_many_rate=find_many_rate,
        hit_ns=hit_ns,
        miss_ns=miss_ns,
        get_ns=get_ns,
        set_ns=set_ns,
        bytes_per_pack=bytes_per_pack,
        resident_per_pack=resident_bytes / packs,
    )


def _hashing_ns() -> float:
    pack_keys = PackKeys(bytes(32))
    serials = [f"SN{number:018}" for number in range(_BLOCK_COUNT * 20)]
    blocks = [serials[at : at + _BLOCK_COUNT] for at in range(0, len(serials), _BLOCK_COUNT)]
    return _time_calls(lambda serial: pack_keys.key("09506000134376", serial), blocks)


def _parse_packs(text: str) -> int:
    packs = int(text)
    if not _PACKS_MIN <= packs <= _PACKS_LIMIT:
        raise argparse.ArgumentTypeError(f"from {_PACKS_MIN} to {_PACKS_LIMIT}")
    return packs


def main() -> None:
    parser = argparse.ArgumentParser(prog="loadtests.index_bench", description=__doc__)
    parser.add_argument("--packs", type=_parse_packs, default=1_000_000)
    parser.add_argument("--alone", action="store_true", help="measure no smaller numbers first")
    parser.add_argument("--json", action="store_true", help="print a list of figures as JSON")
    arguments = parser.parse_args()
    packs_max: int = arguments.packs
    sizes = [size for size in _SIZES if size < packs_max and not arguments.alone]
    results: list[Figures] = []
    for size in [*sizes, packs_max]:
        sys.stderr.write(f"measuring {size} packs ...\n")
        results.append(_measure(size))
    if arguments.json:
        sys.stdout.write(json.dumps([figures._asdict() for figures in results]))
        return
    for name in Figures._fields:
        values = "".join(f"{getattr(figures, name):14,.2f}" for figures in results)
        sys.stdout.write(f"{name:20}{values}\n")
    slower_ns = results[-1].hit_ns - results[0].hit_ns
    sys.stdout.write(f"key() takes {_hashing_ns():.0f} ns, the loop and its call included\n")
    sys.stdout.write(
        f"a hit among {packs_max:,} packs takes {slower_ns:.0f} ns longer than among "
        f"{results[0].packs:,}\n"
    )


if __name__ == "__main__":
    main()
