"""When to ask again: never at once, ever more seldom, and never before the system wants it.

Figures: a sensible hint for bulks of the SOAP systems is to start at 5 s and to double up to 60 s.
"""

from __future__ import annotations

import random
from typing import Final

FIRST_POLL_S: Final = 5.0
LONGEST_POLL_S: Final = 60.0
_WISH_S_MAX: Final = 600.0
"""A wish to wait longer than this is not believed (our choice)."""
_JITTER: Final = 0.2


class Waits:
    """A series of waits that doubles, each a little longer by chance than it need be."""

    def __init__(self, first_s: float, longest_s: float) -> None:
        self._next_s = first_s
        self._longest_s = longest_s

    def next_s(self, wished_s: float | None = None) -> float:
        """Return the next wait. `wished_s`: what the system asks for."""
        wait_s = max(self._next_s, min(wished_s or 0.0, _WISH_S_MAX))
        self._next_s = min(2 * self._next_s, self._longest_s)
        # That tills which lost the system together don't come back together.
        return wait_s * (1 + _JITTER * random.random())  # noqa: S311
