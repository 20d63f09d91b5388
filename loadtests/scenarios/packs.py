"""The packs of a run, made from its seed: nobody sends their serial numbers around.

A market's packs are divided into shards, each a batch of its own. A load generator takes whole
shards, so that no two generators ever scan the same pack. A pack has a number in its market, by
which samples name it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from emvs.serial_numbers import generate_serial_numbers

SHARD_PACKS_MAX: Final = 50_000
SHARDS_MIN: Final = 8
SHARDS_MAX: Final = 2_000
PACKS_MAX: Final = 20_000_000


class Pack(NamedTuple):
    """What is printed on a pack."""

    number: int
    serial: str
    batch: str
    expiry: str


class MarketPacks(msgspec.Struct, frozen=True):
    """All packs of a run in one market."""

    market: str
    product_code: str
    run_id: str
    """In all batch ids; other runs have others."""
    expiry: str
    shards: int
    shard_packs: int

    @property
    def count(self) -> int:
        """How many packs there are."""
        return self.shards * self.shard_packs

    def batch_id(self, shard: int) -> str:
        """Return the batch that a shard is."""
        return f"L{self.run_id}-{shard:04}"

    def serials(self, shard: int) -> list[str]:
        """Return a shard's serial numbers; the same ones at every call."""
        seed = f"{self.run_id}:{self.product_code}:{shard}"
        rng = random.Random(seed)  # noqa: S311 - made-up packs.
        return generate_serial_numbers(self.shard_packs, rng=rng)


def divide(packs: int, *, generators: int, recalled: int = 0) -> tuple[int, int]:
    """Return shards and packs in each, for at least so many packs: the same for each generator.

    Each has a shard beside those that will be recalled.

    Raises ValueError if there are more generators or packs than can be.
    """
    if not 0 < packs <= PACKS_MAX:
        raise ValueError(f"{packs} packs: from 1 to {PACKS_MAX} can be prepared")
    least = max(generators + recalled, SHARDS_MIN, -(-packs // SHARD_PACKS_MAX))
    shards = -(-least // generators) * generators
    if shards > SHARDS_MAX:
        raise ValueError(f"{generators} generators: at most {SHARDS_MAX} can have packs")
    return shards, -(-packs // shards)


def fresh_packs(
    packs: MarketPacks, *, index: int, generators: int, shards: range | None = None
) -> Iterator[Pack]:
    """Return the packs of generator `index`, each once; of some shards, or of all.

    All serial numbers are made before the first one is given: later it would cost time that others
    wait for.
    """
    among = range(packs.shards) if shards is None else shards
    mine = [shard for shard in among if shard % generators == index]
    made = [(shard, packs.batch_id(shard), packs.serials(shard)) for shard in mine]

    def packs_of_shards() -> Iterator[Pack]:
        for shard, batch, serials in made:
            first = shard * packs.shard_packs
            for offset, serial in enumerate(serials):
                yield Pack(first + offset, serial, batch, packs.expiry)

    return packs_of_shards()
