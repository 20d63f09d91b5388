"""Keeping background work out of the way of requests that somebody waits for.

Work is done in steps of about a millisecond. After each one, all that became ready meanwhile has
its turn; as long as single requests come in, a pause follows, in proportion to the step.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

_BUSY_S: Final = 0.25
"""Single requests count as coming in for so long after one was seen."""
_PAUSE_S_MAX: Final = 0.05


class Pacer:
    """Paces one kind of background work."""

    def __init__(self, single_count: Callable[[], int], *, busy_share: float) -> None:
        """`single_count` counts the single requests so far; `busy_share` is the share of the time
        that the work takes as long as they come in."""
        self._single_count = single_count
        self._pause_per_work = (1 - busy_share) / busy_share
        self._seen = single_count()
        self._busy_until_s = 0.0
        self._started_s = time.monotonic()

    def start(self) -> None:
        """Begin a step."""
        self._started_s = time.monotonic()

    async def rest(self) -> None:
        """Let others run; the next step begins when this returns."""
        now_s = time.monotonic()
        seen = self._single_count()
        if seen != self._seen:
            self._seen = seen
            self._busy_until_s = now_s + _BUSY_S
        pause_s = 0.0
        if now_s < self._busy_until_s:
            pause_s = min((now_s - self._started_s) * self._pause_per_work, _PAUSE_S_MAX)
        await asyncio.sleep(pause_s)
        self.start()
