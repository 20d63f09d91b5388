"""How many may do something at once: all together, and each of them, so that one leaves room for
the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from emvs.errors import AllowanceSpentError, OverloadedError


class Turns:
    """Counts who is at it."""

    def __init__(self, what: str, *, count_max: int, count_of_one_max: int) -> None:
        """`what` stands in the texts of the errors: "large requests are being read"."""
        self._what = what
        self._count_max = count_max
        self._count_of_one_max = count_of_one_max
        self._under_way: Counter[str] = Counter()

    def check(self, who: str) -> None:
        """Raise AllowanceSpentError or OverloadedError if there is no turn for them now."""
        if self._under_way[who] >= self._count_of_one_max:
            raise AllowanceSpentError(f"other {self._what} for this client")
        if self._under_way.total() >= self._count_max:
            raise OverloadedError(f"other {self._what}")

    @contextmanager
    def take(self, who: str) -> Iterator[None]:
        """Take a turn. Raises as `check` does."""
        self.check(who)
        self._under_way[who] += 1
        try:
            yield
        finally:
            self._under_way[who] -= 1
            if not self._under_way[who]:
                del self._under_way[who]
