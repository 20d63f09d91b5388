"""How often a process may be started again before everything is given up."""

from __future__ import annotations

from collections import deque
from typing import Final

RESTARTS_MAX: Final = 5
RESTARTS_WINDOW_S: Final = 60.0
_FIRST_WAIT_S: Final = 0.1
_WAIT_S_MAX: Final = 8.0


class RestartBudget:
    """Counts the restarts of one process within a sliding window (all figures our choice)."""

    def __init__(
        self, *, restarts_max: int = RESTARTS_MAX, window_s: float = RESTARTS_WINDOW_S
    ) -> None:
        self._restarts_max = restarts_max
        self._window_s = window_s
        self._at_s: deque[float] = deque()

    def take(self, now_s: float) -> float | None:
        """Return how long to wait before starting again, None if it must not be started again."""
        while self._at_s and now_s - self._at_s[0] > self._window_s:
            self._at_s.popleft()
        if len(self._at_s) >= self._restarts_max:
            return None
        wait_s: float = min(_FIRST_WAIT_S * 2.0 ** len(self._at_s), _WAIT_S_MAX)
        self._at_s.append(now_s)
        return wait_s
