"""A digest over a batch's serial numbers, against plain sets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emvs.batch_digest import ENCODED_BYTES, BatchDigest, Difference, batch_key

KEY = batch_key(b"k" * 32, "09506000134376", "LOT1")
serials = st.sets(st.text("ABC123", min_size=1, max_size=4), max_size=40)


def digest(serial_numbers: object) -> BatchDigest:
    made = BatchDigest()
    made.add_serials(KEY, list(serial_numbers))  # type: ignore[call-overload]
    return made


@given(serials, serials)
def test_equal_sets_and_no_others_agree(one: set[str], other: set[str]) -> None:
    difference = digest(one).difference(digest(other))
    assert difference.is_none == (one == other)
    assert difference.missing_min <= len(one - other)
    assert difference.extra_min <= len(other - one)
    assert len(one) - len(other) == difference.missing_min - difference.extra_min


@given(serials, serials)
def test_messages_add_up_in_any_order(first: set[str], second: set[str]) -> None:
    one, other = digest(first), digest(second)
    one.add(digest(second))
    other.add(digest(first))
    assert one == other
    one.subtract(digest(first & second))
    assert one == digest(first | second)
    assert BatchDigest.decoded(one.encoded()) == one
    assert one.count == len(first | second)


def test_a_few_differences_are_counted_exactly() -> None:
    sent = {f"S{number}" for number in range(10_000)}
    held = (sent - {"S17", "S4711"}) | {"X1"}
    assert digest(sent).difference(digest(held)) == Difference(2, 1)


def test_an_exchanged_pack_is_found_though_the_count_is_right() -> None:
    assert digest({"A", "B"}).difference(digest({"A", "C"})) == Difference(1, 1)


def test_the_key_is_the_batchs_own() -> None:
    other = BatchDigest()
    other.add_serials(batch_key(b"k" * 32, "09506000134376", "LOT2"), ["A"])
    assert other != digest({"A"})


def test_a_digest_of_another_length_is_none() -> None:
    with pytest.raises(ValueError, match="bytes"):
        BatchDigest.decoded(b"x" * (ENCODED_BYTES - 1))
