"""Time as the systems see it. Nothing else in the servers asks the machine what time it is."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


def machine_now_s() -> int:
    """Return the machine's own time, for what others hold against theirs: whole seconds since 1970
    UTC. A clock that a tester has moved means nothing to them."""
    return int(time.time())


class Clock(Protocol):
    """Tells the time; comes from the composition root."""

    def now_s(self) -> int:
        """Return whole seconds since 1970 UTC."""
        ...

    def now_ms(self) -> int:
        """Return milliseconds since 1970 UTC."""
        ...

    def now(self) -> datetime:
        """Return the time as an aware datetime in UTC."""
        ...


class MovableClock:
    """The machine's clock plus an offset that a tester may enlarge."""

    def __init__(self, offset_s: int = 0) -> None:
        self.offset_s = offset_s

    def advance(self, seconds: int) -> None:
        """Move the clock forward by whole seconds."""
        self.offset_s += seconds

    def now_s(self) -> int:
        """Return whole seconds since 1970 UTC."""
        return int(time.time()) + self.offset_s

    def real_now(self) -> datetime:
        """Return the machine's own time, for what the machine's other programs check."""
        return self.now() - timedelta(seconds=self.offset_s)

    def now_ms(self) -> int:
        """Return milliseconds since 1970 UTC."""
        return time.time_ns() // 1_000_000 + self.offset_s * 1000

    def now(self) -> datetime:
        """Return the time as an aware datetime in UTC, to the millisecond."""
        return datetime.fromtimestamp(self.now_ms() / 1000, UTC)
