"""How long to wait: before a repeat, and before asking again how far something is. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol

_FIRST_WAIT_S: Final = 0.2
_WAIT_S_MAX: Final = 15.0
_RETRY_AFTER_S_MAX: Final = 600.0
_FIRST_PAUSE_S: Final = 0.05
_PAUSE_S_MAX: Final = 5.0
_PAUSE_FACTOR: Final = 1.4


class Random(Protocol):
    """Source of jitter."""

    def uniform(self, a: float, b: float) -> float:
        """Return a number between both."""


def wait_before_repeat_s(failed_count: int, retry_after_s: float | None, random: Random) -> float:
    """Return the wait after the `failed_count`-th failure, which counts from 1.

    Doubles up to 15 s, with jitter over its upper half, so that clients that failed together do
    not come back together. What the hub asks for (Retry-After) is the least.
    """
    wait_s = min(_FIRST_WAIT_S * 2 ** min(failed_count - 1, 16), _WAIT_S_MAX)
    jittered_s = random.uniform(wait_s / 2, wait_s)
    if retry_after_s is None:
        return jittered_s
    asked_s = min(max(retry_after_s, 0.0), _RETRY_AFTER_S_MAX)
    return max(asked_s + random.uniform(0, wait_s / 2), jittered_s)


def polling_pauses_s(pause_s_max: float = _PAUSE_S_MAX) -> Iterator[float]:
    """Yield pauses between questions, from a twentieth of a second growing to `pause_s_max`."""
    pause_s = _FIRST_PAUSE_S
    while True:
        yield min(pause_s, pause_s_max)
        pause_s = min(pause_s * _PAUSE_FACTOR, pause_s_max)
