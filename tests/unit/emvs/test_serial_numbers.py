"""Serial numbers: different, permitted, hard to guess, and the same again from the same seed."""

import random
from collections import Counter

import pytest

from emvs.character_sets import is_ifa_serial, is_set82
from emvs.serial_generator import (
    SLICE_COUNT,
    SerialOrder,
    length_needed,
    random_source,
    serial_slices,
)
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


def test_what_is_drawn_twice_is_drawn_again() -> None:
    # 100,000 out of 10^9, the smallest space allowed: by the birthday rule, five pairs coincide.
    order = SerialOrder(100_000, 9, "0123456789")
    slices = list(serial_slices(order, seeded(3)))
    assert len(set().union(*slices)) == 100_000
    assert any(len(some) < SLICE_COUNT for some in slices[:-1])


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


def test_an_order_comes_in_slices_all_different() -> None:
    order = SerialOrder(3 * SLICE_COUNT + 5)
    slices = list(serial_slices(order, random_source(9)))
    assert max(map(len, slices)) == SLICE_COUNT
    assert len(set().union(*slices)) == sum(map(len, slices)) == order.count
    assert slices == list(serial_slices(order, random_source(9)))


def test_without_a_seed_nobody_can_make_them_again() -> None:
    order = SerialOrder(10)
    assert isinstance(random_source(), random.SystemRandom)
    assert not set(*serial_slices(order, random_source())) & set(
        *serial_slices(order, random_source())
    )


@pytest.mark.parametrize(
    ("count", "alphabet", "length"),
    [
        (1, "0123456789", 4),
        (100_000, "0123456789", 9),
        (100_001, "0123456789", 10),
        (2**40, "AB", None),
    ],
)
def test_the_shortest_length_meets_the_article_by_a_hair(
    count: int, alphabet: str, length: int | None
) -> None:
    assert length_needed(count, alphabet) == length
    if length is not None:
        assert SerialOrder(count, length, alphabet).guess_probability <= 1e-4
        with pytest.raises(ValueError, match=f"take {length} characters"):
            SerialOrder(count, length - 1, alphabet)
