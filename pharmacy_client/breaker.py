"""A circuit breaker: a system that does not answer is left alone for a while, ever longer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from pharmacy_client.polling import Waits

FAILURES_MAX: Final = 3
"""Failures in a row after which nothing is sent any more (our choice)."""
FIRST_PAUSE_S: Final = 5.0
LONGEST_PAUSE_S: Final = 300.0


class Breaker:
    """Counts failures; after some in a row one request is let through now and then, to try."""

    def __init__(
        self,
        failures_max: int = FAILURES_MAX,
        first_pause_s: float = FIRST_PAUSE_S,
        longest_pause_s: float = LONGEST_PAUSE_S,
        *,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._failures_max = failures_max
        self._pauses = (first_pause_s, longest_pause_s)
        self._clock_s = clock_s
        self._failures = 0
        self.is_asked_for_time = False
        """Whether it is open because the system asked for time (Retry-After)."""
        self._waits = Waits(*self._pauses)
        self._closed_at_s = 0.0

    @property
    def is_open(self) -> bool:
        """Whether the system counts as unreachable."""
        return self._failures >= self._failures_max

    @property
    def wait_s(self) -> float:
        """How long nothing is sent yet."""
        return max(0.0, self._closed_at_s - self._clock_s()) if self.is_open else 0.0

    def may_pass(self) -> bool:
        """Tell whether a request may be sent now. While open, each pause lets one through."""
        if not self.is_open:
            return True
        if self._clock_s() < self._closed_at_s:
            return False
        self._closed_at_s = self._clock_s() + self._waits.next_s()
        return True

    def succeed(self) -> None:
        """Note an answer, whatever it says."""
        self._failures = 0
        self._waits = Waits(*self._pauses)

    def fail(self, retry_after_s: float | None = None) -> None:
        """Note that there was no answer. A system that asks for time gets it at once."""
        was_open = self.is_open
        self.is_asked_for_time = bool(retry_after_s)
        self._failures = self._failures_max if retry_after_s else self._failures + 1
        if self.is_open and (retry_after_s or not was_open):
            self._closed_at_s = self._clock_s() + self._waits.next_s(retry_after_s)
