"""What an identifier that does not fit its batch tells about the scanner."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emvs.character_sets import SET_82
from emvs.scanner_hints import Hint, Shape, hint_of, shape_of

SERIALS = ["A1B2C3D4", "Z9Y8X7W6V5"]
SHAPE = Shape(8, 10, 1 | 2)


def test_a_shape_is_that_of_all() -> None:
    assert shape_of(SERIALS) == SHAPE
    assert shape_of([]) is None
    assert shape_of(["123"]) == Shape(3, 3, 1)
    assert shape_of(["a-"]) == Shape(2, 2, 4 | 8)


@pytest.mark.parametrize(
    ("identifier", "hint"),
    [
        ("Q1Q1Q1Q1Q", None),
        ("111111111", None),
        ("a1b2c3d4", Hint.FORMAT),
        ("A1B2C3D", Hint.LENGTH),
        ("A1B2C3D410LOT1", Hint.LENGTH),
        ("A1B2C3D410lot-1", Hint.LENGTH_AND_FORMAT),
        ("A1B2C3D]", Hint.FORMAT),
    ],
)
def test_what_is_odd_is_told(identifier: str, hint: Hint | None) -> None:
    assert hint_of(identifier, SHAPE) is hint


def test_without_serial_numbers_there_is_no_hint() -> None:
    assert hint_of("A", None) is None


_serials = st.lists(st.text(SET_82, min_size=1, max_size=20), min_size=1, max_size=20)


@given(_serials, _serials)
def test_shapes_join_as_their_serial_numbers_do(some: list[str], more: list[str]) -> None:
    one, other, both = shape_of(some), shape_of(more), shape_of(some + more)
    assert one is not None
    assert one.joined(other) == both
    assert one.joined(None) == one
    assert all(hint_of(serial, both) is None for serial in some + more)
