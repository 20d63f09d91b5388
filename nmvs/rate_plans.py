"""Rate plans: how many requests an organisation may send, and the bucket that counts them.

The real systems have a plan for each organisation and answer HTTP 429; their figures are unknown.
No clock and no HTTP here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

RATE_PLANS_MAX: Final = 1_000
"""Plans a market may have (our choice)."""
REQUESTS_PER_S_MIN: Final = 1e-6
"""One in twelve days (our choice): the date of the next one is still a date."""


@dataclass(frozen=True, slots=True)
class RatePlan:
    """So many requests a second in the long run, and so many at once."""

    requests_per_s: Annotated[float, msgspec.Meta(ge=REQUESTS_PER_S_MIN, le=1_000_000)]
    burst: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]


class TokenBucket:
    """Holds as many requests as its plan's burst, filled up at the plan's rate."""

    __slots__ = ("_at_ms", "_level", "plan")

    def __init__(self, plan: RatePlan) -> None:
        self.plan = plan
        self._level = float(plan.burst)
        self._at_ms = 0

    def take(self, now_ms: int) -> float:
        """Take one request out; return 0, or how many seconds until there is one to be had."""
        plan = self.plan
        passed_s = max(0, now_ms - self._at_ms) / 1000
        self._at_ms = now_ms
        level = min(float(plan.burst), self._level + passed_s * plan.requests_per_s)
        if level >= 1:
            self._level = level - 1
            return 0.0
        self._level = level
        return (1 - level) / plan.requests_per_s
