"""How often wrong typing is forgiven."""

from __future__ import annotations

import pytest

from emvs.outcomes import OUTCOMES, Outcome
from emvs.typing_tolerance import TYPING_ERRORS, is_tolerated
from nmvs.typing_tolerance import TypingErrors

WRONG = Outcome.SERIAL_UNKNOWN


@pytest.mark.parametrize(("tolerance", "forgiven"), [(0, 0), (2, 2), (5, 5)])
def test_so_many_attempts_are_forgiven_and_none_after(tolerance: int, forgiven: int) -> None:
    errors = TypingErrors(tolerance)
    answers = [errors.forgive(1, "P", WRONG) for _ in range(forgiven + 3)]
    assert answers == [True] * forgiven + [False] * 3


def test_each_location_and_product_has_its_own_counter() -> None:
    errors = TypingErrors(1)
    assert [errors.forgive(*who, WRONG) for who in ((1, "P"), (2, "P"), (1, "Q"))] == [True] * 3
    assert not errors.forgive(1, "P", WRONG)


def test_a_found_pack_starts_anew() -> None:
    errors = TypingErrors(1)
    assert [errors.forgive(1, "P", WRONG) for _ in range(2)] == [True, False]
    errors.forget(1, "Q")
    assert not errors.forgive(1, "P", WRONG)
    errors.forget(1, "P")
    assert errors.forgive(1, "P", WRONG)


def test_memory_is_bounded_and_the_longest_untouched_goes_first() -> None:
    errors = TypingErrors(2, counters_max=3)
    for product in "ABC":
        errors.forgive(1, product, WRONG)
    errors.forgive(1, "A", WRONG)
    errors.forgive(1, "D", WRONG)
    assert len(errors) == 3
    assert not errors.forgive(1, "A", WRONG)
    assert [errors.forgive(1, "B", WRONG) for _ in range(3)] == [True, True, False]


def test_only_wrong_identifiers_are_forgiven() -> None:
    for outcome in Outcome:
        tolerated = is_tolerated(outcome, attempts_before=0, tolerance=1)
        assert tolerated == (outcome in TYPING_ERRORS)
    assert all(OUTCOMES[outcome].raises_alert for outcome in TYPING_ERRORS)
