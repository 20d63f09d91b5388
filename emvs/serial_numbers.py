"""Serial numbers of one order, all at once. How they are made: `emvs.serial_generator`."""

from __future__ import annotations

import random
from itertools import chain

from emvs.serial_generator import LENGTH_DEFAULT, UNMISTAKABLE, SerialOrder, serial_slices

__all__ = ["UNMISTAKABLE", "generate_serial_numbers"]


def generate_serial_numbers(
    count: int,
    *,
    rng: random.Random,
    length: int = LENGTH_DEFAULT,
    alphabet: str = UNMISTAKABLE,
) -> list[str]:
    """Return `count` different serial numbers of `length` characters, in random order.

    A seeded `rng` gives the same ones again, which tests want; whoever labels real packs passes
    `random.SystemRandom()`. Raises ValueError as `SerialOrder` does.
    """
    order = SerialOrder(count, length, alphabet)
    return list(chain.from_iterable(serial_slices(order, rng)))
