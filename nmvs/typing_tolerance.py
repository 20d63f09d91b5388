"""How often each location has typed wrong identifiers of a product. In memory, bounded.

Nothing is stored: after a restart every location has its whole tolerance again, and so has one
whose counter had to make room (our choice: a lost counter delays an alert by a few attempts, and
every attempt is in the audit trail). The rule is in `emvs.typing_tolerance`.
"""

from __future__ import annotations

from collections import OrderedDict

from emvs.limits import TYPING_ERROR_COUNTERS_MAX
from emvs.outcomes import Outcome
from emvs.typing_tolerance import is_tolerated


class TypingErrors:
    """Counters by location and product, the longest untouched one first."""

    def __init__(self, tolerance: int, counters_max: int = TYPING_ERROR_COUNTERS_MAX) -> None:
        self._tolerance = tolerance
        self._counters_max = counters_max
        self._counters: OrderedDict[tuple[int, str], int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._counters)

    def forgive(self, location: int, product_code: str, outcome: Outcome) -> bool:
        """Count a typed request that would raise an alert; return whether it is forgiven."""
        key = (location, product_code)
        before = self._counters.get(key, 0)
        if not is_tolerated(outcome, attempts_before=before, tolerance=self._tolerance):
            return False
        self._counters[key] = before + 1
        self._counters.move_to_end(key)
        if len(self._counters) > self._counters_max:
            self._counters.popitem(last=False)
        return True

    def take_back(self, location: int, product_code: str) -> None:
        """Count one less: what was counted was not recorded."""
        key = (location, product_code)
        before = self._counters.get(key, 0)
        if before > 1:
            self._counters[key] = before - 1
        else:
            self._counters.pop(key, None)

    def forget(self, location: int, product_code: str) -> None:
        """Start anew: the location has found a pack of the product."""
        self._counters.pop((location, product_code), None)
