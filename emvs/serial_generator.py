"""Serial numbers as a manufacturer orders them for a batch: hard to guess, different, readable.

Source: Delegated Regulation (EU) 2016/161, Art. 4(b)(ii) and (c): at most 20 characters, made by a
deterministic or non-deterministic randomisation algorithm, guessed right with a probability below
one in ten thousand. Randomness is passed in. Different within one order; that none was used for the
product before is for the sender's own books, and for the markets to refuse.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from emvs.character_sets import SET_82
from emvs.limits import SERIAL_LENGTH_MAX

SPACE_PER_SERIAL: Final = 10_000
"""Art. 4(c): whoever invents a serial number must miss 9,999 times in 10,000."""

UNMISTAKABLE: Final = "2345679CDFGHJKLNPRTVX"
"""Digits and capitals, valid under GS1 and IFA alike, without those that people or keyboards
confuse: 0 and O, 1 and I, 2 and Z, 5 and S, 8 and B look alike; Y and Z change places between
QWERTY and QWERTZ, A and Q, W and M move on AZERTY; and without vowels nothing spells a word."""

LENGTH_DEFAULT: Final = 12
SERIAL_COUNT_MAX: Final = 10_000_000
"""Serial numbers of one order (our choice)."""
SLICE_COUNT: Final = 4_096
"""Serial numbers made at a time: one or two milliseconds."""


@dataclass(frozen=True, slots=True)
class SerialOrder:
    """How many serial numbers are wanted, and of what kind.

    Raises ValueError with the way out if the space is too small for so many, the alphabet repeats
    or leaves GS1 set 82, or the length is not 1 to 20.
    """

    count: int
    length: int = LENGTH_DEFAULT
    alphabet: str = UNMISTAKABLE

    def __post_init__(self) -> None:
        """Refuse what cannot be made, or would be too easily guessed."""
        if not 0 <= self.count <= SERIAL_COUNT_MAX:
            raise ValueError(
                f"{self.count} serial numbers: at most {SERIAL_COUNT_MAX} are made at once"
            )
        if not 1 <= self.length <= SERIAL_LENGTH_MAX:
            raise ValueError(f"a serial number has 1 to {SERIAL_LENGTH_MAX} characters")
        different = set(self.alphabet)
        if len(different) < max(2, len(self.alphabet)) or not different <= set(SET_82):
            raise ValueError("an alphabet is two or more different characters of GS1 set 82")
        if self.space < SPACE_PER_SERIAL * self.count:
            wanted = length_needed(self.count, self.alphabet)
            way_out = f"take {wanted} characters" if wanted else "take a larger alphabet"
            raise ValueError(
                f"{self.count} serial numbers of {self.length} characters out of"
                f" {len(self.alphabet)} are too easily guessed: the space must be"
                f" {SPACE_PER_SERIAL} times the quantity; {way_out}"
            )

    @property
    def space(self) -> int:
        """How many serial numbers of this kind there are."""
        return int(len(self.alphabet) ** self.length)

    @property
    def guess_probability(self) -> float:
        """Probability that an invented serial number of this kind is one of the order."""
        return self.count / self.space


def length_needed(count: int, alphabet: str = UNMISTAKABLE) -> int | None:
    """Return the shortest length in which so many serial numbers meet Art. 4(c), None if even
    `limits.SERIAL_LENGTH_MAX` characters are too few."""
    space = 1
    for length in range(1, SERIAL_LENGTH_MAX + 1):
        space *= len(alphabet)
        if space >= SPACE_PER_SERIAL * count:
            return length
    return None


def random_source(test_seed: int | None = None) -> random.Random:
    """Return the operating system's randomness; with a seed, numbers that anybody can make again.

    A seed is for tests only: whoever knows it knows every serial number.
    """
    if test_seed is None:
        return random.SystemRandom()
    return random.Random(test_seed)  # noqa: S311 - for tests, as the name says.


def serial_slices(order: SerialOrder, rng: random.Random) -> Iterator[list[str]]:
    """Yield the serial numbers of an order in random order, at most `SLICE_COUNT` at a time, all
    different. The same state of `rng` gives the same ones again."""
    draw = _Draw(order, rng)
    seen: set[str] = set()
    while missing := order.count - len(seen):
        # A dictionary keeps the order of drawing: a set's differs from one process to the next.
        drawn = dict.fromkeys(draw.some(min(missing, SLICE_COUNT)))
        fresh = [serial_number for serial_number in drawn if serial_number not in seen]
        seen.update(fresh)
        yield fresh


class _Draw:
    """Draws characters, each as likely as every other.

    A random byte stands for a character if it is below the largest multiple of the alphabet's
    size; the others are thrown away, all of it in two passes in C.
    """

    def __init__(self, order: SerialOrder, rng: random.Random) -> None:
        self._length = order.length
        self._rng = rng
        size = len(order.alphabet)
        used = 256 - 256 % size
        self._table = bytes(ord(order.alphabet[byte % size]) for byte in range(256))
        self._unused = bytes(range(used, 256))
        self._bytes_per_character = 256 / used
        self._left = ""

    def some(self, count: int) -> list[str]:
        """Return so many serial numbers; some may be alike."""
        needed = count * self._length
        text = self._left
        while len(text) < needed:
            missing = int((needed - len(text)) * self._bytes_per_character) + 64
            drawn = self._rng.randbytes(missing).translate(self._table, self._unused)
            text += drawn.decode("ascii")
        self._left = text[needed:]
        length = self._length
        return [text[start : start + length] for start in range(0, needed, length)]
