"""Permitted characters, one by one."""

from collections.abc import Callable

import pytest

from emvs.character_sets import SET_82, is_ifa_batch, is_ifa_serial, is_set82


def test_set_82_has_82_characters() -> None:
    assert len(set(SET_82)) == len(SET_82) == 82


def test_exactly_these_characters_are_permitted() -> None:
    permitted = {chr(point) for point in range(0x3000) if is_set82(chr(point))}
    assert permitted == set(SET_82)
    assert permitted.isdisjoint("#$@[]\\^`{|}~ \t\n\x1d")


def test_ifa_permits_capitals_and_digits_only() -> None:
    serial = {chr(point) for point in range(0x3000) if is_ifa_serial(chr(point))}
    batch = {chr(point) for point in range(0x3000) if is_ifa_batch(chr(point))}
    assert serial == set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    assert batch - serial == set("-_")


@pytest.mark.parametrize("permits", [is_set82, is_ifa_serial, is_ifa_batch])
def test_one_to_twenty_characters(permits: Callable[..., bool]) -> None:
    assert [length for length in range(25) if permits("A" * length)] == list(range(1, 21))
    assert permits("A" * 50, length_max=50)
    assert not permits("A\n")
