"""What Locust is told of requests: once a second in bulk, as its own workers tell their master.

Its event for each request costs more than the request's way through this package. Failures are told
one by one, and so is everything where somebody else listens.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from locust.env import Environment
from locust.stats import RequestStats, StatsEntry, bucket_response_time

_NO_CONTEXT: Final[dict[str, Any]] = {}


class UnexpectedAnswerError(Exception):
    """What Locust shows as a failure."""


class _Tally:
    """Expected answers of one name since they were told last."""

    def __init__(self) -> None:
        self.milliseconds: list[float] = []
        self.length = 0


class Teller:
    """Tells one environment's statistics."""

    def __init__(self, environment: Environment) -> None:
        events: Any = environment.events  # Without annotations in Locust.
        self._stats: RequestStats = environment.stats
        self._fire: Callable[..., None] = events.request.fire
        # Locust's runner is one listener; a locustfile of somebody else's may have more.
        self._is_heard = len(events.request._handlers) > 1  # noqa: SLF001 - it has no other name.
        self._tallies: dict[tuple[str, str], _Tally] = {}

    def add(self, method: str, name: str, took_s: float, length: int, failure: str) -> None:
        """Take a request; `failure` is empty if its answer was expected."""
        if failure or self._is_heard:
            self._fire(
                request_type=method,
                name=name,
                response_time=took_s * 1000.0,
                response_length=length,
                exception=UnexpectedAnswerError(failure) if failure else None,
                context=_NO_CONTEXT,
            )
            return
        key = name, method
        tally = self._tallies.get(key)
        if tally is None:
            tally = self._tallies[key] = _Tally()
        tally.milliseconds.append(took_s * 1000.0)
        tally.length += length

    def tell(self) -> None:
        """Tell what has come together since the last call."""
        tallies, self._tallies = self._tallies, {}
        for (name, method), tally in tallies.items():
            entry = _entry_of(self._stats, name, method, tally)
            self._stats.entries[name, method].extend(entry)
            self._stats.total.extend(entry)


def _entry_of(stats: RequestStats, name: str, method: str, tally: _Tally) -> StatsEntry:
    now = time.time()
    took = np.array(tally.milliseconds)
    entry = StatsEntry(stats, name, method)
    entry.num_requests = len(took)
    entry.total_response_time = float(took.sum())  # type: ignore[assignment] # Locust adds floats.
    entry.min_response_time = float(took.min())  # type: ignore[assignment]
    entry.max_response_time = float(took.max())  # type: ignore[assignment]
    entry.total_content_length = tally.length
    entry.num_reqs_per_sec[int(now)] = len(took)
    entry.last_request_timestamp = now
    values, counts = np.unique(np.rint(took), return_counts=True)
    for value, count in zip(values.tolist(), counts.tolist(), strict=True):
        entry.response_times[bucket_response_time(value)] += count
    return entry
