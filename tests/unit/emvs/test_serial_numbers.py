"""Serial numbers: different, permitted, hard to guess, and the same again from the same seed."""

import random
from collections import Counter
from typing import Any

import pytest

from emvs.character_sets import is_ifa_serial, is_set82
from emvs.serial_numbers import UNMISTAKABLE, generate_serial_numbers


def seeded(seed: int) -> random.Random:
    return random.Random(seed)


def test_many_are_different_and_permitted() -> None:
    serials = generate_serial_numbers(50_000, rng=seeded(1))
    assert len(set(serials)) == 50_000
    assert all(
        len(serial) == 12 and is_ifa_serial(serial) and is_set82(serial) for serial in serials
    )


@pytest.mark.parametrize("length", range(6, 21))
def test_any_length(length: int) -> None:
    serials = generate_serial_numbers(100, rng=seeded(length), length=length)
    assert {len(serial) for serial in serials} == {length}


def test_a_seed_repeats_them_and_another_does_not() -> None:
    first = generate_serial_numbers(1000, rng=seeded(7))
    assert generate_serial_numbers(1000, rng=seeded(7)) == first
    assert not set(generate_serial_numbers(1000, rng=seeded(8))) & set(first)


class CountingRandom(random.Random):
    """Counts how often columns of characters are drawn."""

    draws = 0

    def choices(self, *args: Any, **named: Any) -> list[Any]:
        self.draws += 1
        return super().choices(*args, **named)


def test_what_is_drawn_twice_is_drawn_again() -> None:
    # 100,000 out of 10^9, the smallest space allowed: by the birthday rule, five pairs coincide.
    rng = CountingRandom(3)
    serials = generate_serial_numbers(100_000, rng=rng, length=9, alphabet="0123456789")
    assert len(set(serials)) == 100_000
    assert rng.draws > 3  # Nine digits are drawn as 4 + 4 + 1; more draws replaced repetitions.


def test_every_character_is_as_frequent_in_every_place() -> None:
    serials = generate_serial_numbers(21_000, rng=seeded(4), length=13)
    for place in range(13):
        counts = Counter(serial[place] for serial in serials)
        assert set(counts) == set(UNMISTAKABLE)
        # A thousand each; six standard deviations are 190.
        assert all(810 < count < 1190 for count in counts.values())


@pytest.mark.parametrize("confused", ["0O", "1I", "2Z", "5S", "8B", "YZ", "AQ", "WM"])
def test_no_two_characters_that_people_or_keyboards_confuse(confused: str) -> None:
    assert len(set(confused) & set(UNMISTAKABLE)) <= 1
    assert not set(UNMISTAKABLE) & set("YZAQWMEIOU")


@pytest.mark.parametrize(
    ("count", "length", "alphabet", "reason"),
    [
        (1, 4, "0123456789", None),
        (2, 4, "0123456789", "guessed"),
        (0, 1, "AB", None),
        (1_000_000, 9, "0123456789", "guessed"),
        (-1, 12, UNMISTAKABLE, "at once"),
        (10_000_001, 12, UNMISTAKABLE, "at once"),
        (1, 0, UNMISTAKABLE, "1 to 20"),
        (1, 21, UNMISTAKABLE, "1 to 20"),
        (1, 20, "A", "alphabet"),
        (1, 20, "AAB", "alphabet"),
        (1, 20, "AB#", "alphabet"),
    ],
)
def test_the_space_is_ten_thousand_times_the_quantity(
    count: int, length: int, alphabet: str, reason: str | None
) -> None:
    rng = seeded(5)
    if reason is None:
        assert (
            len(generate_serial_numbers(count, rng=rng, length=length, alphabet=alphabet)) == count
        )
        return
    with pytest.raises(ValueError, match=reason):
        generate_serial_numbers(count, rng=rng, length=length, alphabet=alphabet)
