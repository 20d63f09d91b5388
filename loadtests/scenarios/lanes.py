"""Which lane carries what arrives: lanes that have nothing to do wait here for the next moment.

One timer for all of them takes the place of a sleep for each request. Runs on gevent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import gevent

from loadtests.scenarios.arrivals import Arrival, Arrivals
from loadtests.scenarios.mix import Role

_NEVER: Final = float("inf")


class Taken(NamedTuple):
    """An arrival whose moment has come."""

    arrival: Arrival
    waited: bool
    """A lane was there in time: if it is late now, that is the generator's own fault."""


class Lanes:
    """The lanes of one load generator. `now` returns the second of the run."""

    def __init__(self, arrivals: dict[Role, Arrivals], now: Callable[[], float]) -> None:
        self._sources = {role: [arrivals[role]] for role in arrivals}
        self._arrivals = arrivals
        self._now = now
        self._idle: dict[Role, list[Any]] = {role: [] for role in arrivals}
        hub: Any = gevent.get_hub()
        self._hub, self._loop = hub, hub.loop
        self._timer: Any = None
        self._rings_at = _NEVER

    def adopt(self, counts: dict[Role, int]) -> None:
        """Tell how many lanes of each role there are.

        Locust may give one process all lanes of a role; elsewhere the largest role adopts it.
        """
        if counts:
            largest = max(counts, key=lambda role: counts[role])
            self._sources[largest] += [
                source
                for role, sources in self._sources.items()
                for source in sources
                if not counts.get(role)
            ]

    def take(self, role: Role) -> Taken | None:
        """Wait for the next arrival of a role; None if there is none any more."""
        source, at = self._next(role)
        if source is None:
            return None
        idle = self._idle[role]
        if at <= self._now():
            arrival = source.pop()
            return None if arrival is None else Taken(arrival, bool(idle))
        me = gevent.getcurrent()
        idle.append(me)
        self._ring(at)
        try:
            found: Arrival | None = self._hub.switch()
        except BaseException:  # Ended while it waited.
            if me in idle:
                idle.remove(me)
            raise
        return None if found is None else Taken(found, True)

    def drop_all(self) -> int:
        """Take all that is left; return how many of it were due. Idle lanes go on with nothing."""
        now = self._now()
        count = sum(arrivals.drop_all(now) for arrivals in self._arrivals.values())
        self._ring(now)
        return count

    def _next(self, role: Role) -> tuple[Arrivals | None, float]:
        best, earliest = None, _NEVER
        for source in self._sources[role]:
            at = source.next_at()
            if at is not None and at < earliest:
                best, earliest = source, at
        return best, earliest

    def _ring(self, at: float) -> None:
        """See that the timer rings at this second or before."""
        if at >= self._rings_at:
            return
        self._rings_at = at
        if self._timer is not None:
            self._timer.close()
        self._timer = self._loop.timer(max(0.0, at - self._now()))
        self._timer.start(self._on_time, update=True)

    def _on_time(self) -> None:
        """Wake a lane for each arrival whose moment has come. The loop calls this."""
        self._rings_at = -1.0  # Whoever comes to wait meanwhile is seen to below.
        soonest = _NEVER
        for role, idle in self._idle.items():
            while idle:
                source, at = self._next(role)
                if source is None:
                    idle.pop().switch(None)
                elif at <= self._now():
                    idle.pop().switch(source.pop())
                else:
                    soonest = min(soonest, at)
                    break
        self._rings_at = _NEVER
        if soonest < _NEVER:
            self._ring(soonest)
