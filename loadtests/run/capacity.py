"""The highest rate that keeps the verdict: doubled until it breaks, then closed in on. Pure."""

from __future__ import annotations

from typing import Final, NamedTuple

GROWTH: Final = 1.6
PRECISION: Final = 1.08
"""The search ends when the lowest broken rate is at most so many times the highest kept one."""


class Step(NamedTuple):
    """One rate that was tried."""

    rate: float
    kept: bool
    is_generators: bool
    """The generator gave out: the servers may hold more."""
    reached: float
    """Transactions per second that were sent."""
    p50_ms: float
    p95_ms: float
    p99_ms: float
    why: str


def next_rate(steps: list[Step], *, start: float, most: float) -> float | None:
    """Return the rate to try next; None when the answer is known."""
    if not steps:
        return min(start, most)
    kept = max((step.rate for step in steps if step.kept), default=0.0)
    broken = min((step.rate for step in steps if not step.kept), default=None)
    if broken is None:
        return None if kept >= most else min(kept * GROWTH, most)
    if kept == 0.0:
        return broken / GROWTH / GROWTH if broken > 1.0 else None
    if broken / kept <= PRECISION:
        return None
    return float((kept * broken) ** 0.5)


def answer(steps: list[Step]) -> Step | None:
    """Return the step with the highest rate kept; None if none was."""
    return max((step for step in steps if step.kept), default=None, key=lambda step: step.rate)
