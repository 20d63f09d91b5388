"""Serial numbers as a manufacturer draws them. No uniqueness beyond one call: that is the store's.

Source: Delegated Regulation (EU) 2016/161, Art. 4(b)(ii) and (c): at most 20 characters, made by
a randomisation algorithm, guessed right with a probability below one in ten thousand.
"""

import random

from emvs.character_sets import SET_82
from emvs.limits import SERIAL_LENGTH_MAX

# Art. 4(c): whoever invents a serial number must miss 9,999 times in 10,000.
SPACE_PER_SERIAL = 10_000

# Digits and capitals, valid under GS1 and IFA alike, without those that people or keyboards
# confuse: 0 and O, 1 and I, 2 and Z, 5 and S, 8 and B look alike; Y and Z change places between
# QWERTY and QWERTZ, A and Q, W and M move on AZERTY; and without vowels nothing spells a word.
UNMISTAKABLE = "2345679CDFGHJKLNPRTVX"

# Serial numbers of one call; the largest single message a hub takes has a quarter of a million.
SERIAL_COUNT_MAX = 10_000_000

# Characters are drawn several at a time, from a table of at most so many combinations.
_TABLE_SIZE_MAX = 20_000


def generate_serial_numbers(
    count: int, *, rng: random.Random, length: int = 12, alphabet: str = UNMISTAKABLE
) -> list[str]:
    """Return `count` different serial numbers of `length` characters, in random order.

    A seeded `rng` gives the same ones again, which tests want; whoever labels real packs passes
    `random.SystemRandom()`. Raises ValueError if the space is too small for so many, the alphabet
    repeats or leaves GS1 set 82, or the length is not 1 to 20.
    """
    _check(count, length, alphabet)
    width = 1
    while len(alphabet) ** (width + 1) <= _TABLE_SIZE_MAX and width < length:
        width += 1
    chunks = [""]
    for _ in range(width):
        chunks = [chunk + character for chunk in chunks for character in alphabet]
    chunks_per_serial, rest = divmod(length, width)
    # A dictionary keeps the order of drawing: a set's would differ from one process to the next.
    serial_numbers: dict[str, None] = {}
    while len(serial_numbers) < count:
        missing = count - len(serial_numbers)
        columns = [iter(rng.choices(chunks, k=missing)) for _ in range(chunks_per_serial)]
        columns += [iter(rng.choices(alphabet, k=missing)) for _ in range(rest)]
        serial_numbers.update(dict.fromkeys(map("".join, zip(*columns, strict=True))))
    return list(serial_numbers)


def _check(count: int, length: int, alphabet: str) -> None:
    if not 0 <= count <= SERIAL_COUNT_MAX:
        raise ValueError(f"{count} serial numbers: at most {SERIAL_COUNT_MAX} are made at once")
    if not 1 <= length <= SERIAL_LENGTH_MAX:
        raise ValueError(f"a serial number has 1 to {SERIAL_LENGTH_MAX} characters")
    if len(set(alphabet)) < max(2, len(alphabet)) or not set(alphabet) <= set(SET_82):
        raise ValueError("an alphabet is two or more different characters of GS1 set 82")
    if len(alphabet) ** length < SPACE_PER_SERIAL * count:
        raise ValueError(
            f"{count} serial numbers of {length} characters out of {len(alphabet)} are too easily"
            f" guessed: the space must be {SPACE_PER_SERIAL} times the quantity"
        )
