"""One client leaves room for the others."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from emvs.errors import AllowanceSpentError, OverloadedError
from nmvs.soap.turns import Turns


def test_turns_are_bounded_for_each_and_for_all() -> None:
    turns = Turns("results are sent", count_max=3, count_of_one_max=2)
    with ExitStack() as taken:
        for _ in range(2):
            taken.enter_context(turns.take("A"))
        with pytest.raises(AllowanceSpentError, match="other results are sent for this client"):
            turns.check("A")
        with turns.take("B"), pytest.raises(OverloadedError) as full:
            turns.check("C")
        assert not isinstance(full.value, AllowanceSpentError)
        turns.check("C")
    turns.check("A")


def test_a_turn_that_ends_in_trouble_is_given_back() -> None:
    turns = Turns("results are sent", count_max=1, count_of_one_max=1)
    with pytest.raises(ZeroDivisionError), turns.take("A"):
        raise ZeroDivisionError
    turns.check("A")
