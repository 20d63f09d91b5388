"""How often a process may be started again."""

from __future__ import annotations

from emvs.infra.launch.restart_budget import RestartBudget


def test_waits_grow_until_the_budget_is_spent() -> None:
    budget = RestartBudget(restarts_max=3, window_s=60.0)
    waits = [budget.take(0.0), budget.take(1.0), budget.take(2.0)]
    assert all(wait is not None for wait in waits)
    assert sorted(set(waits)) == waits  # type: ignore[type-var]
    assert budget.take(3.0) is None


def test_restarts_are_forgotten_after_the_window() -> None:
    budget = RestartBudget(restarts_max=2, window_s=60.0)
    first = budget.take(0.0)
    budget.take(30.0)
    assert budget.take(59.0) is None
    assert budget.take(61.0) is not None
    assert budget.take(200.0) == first, "with everything forgotten the wait is short again"


def test_a_wait_is_bounded() -> None:
    budget = RestartBudget(restarts_max=100, window_s=1e9)
    waits = [budget.take(float(second)) or 0.0 for second in range(100)]
    assert max(waits) <= 10.0
