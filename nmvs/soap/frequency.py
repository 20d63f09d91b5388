"""How often each client may ask: one bucket for all users of a client login id."""

from __future__ import annotations

from typing import Final

from nmvs.rate_plans import RatePlan, TokenBucket

_BUCKETS_MAX: Final = 500_000
"""As many as there may be logins."""


class Frequency:
    """Counts the requests of clients whose login is good."""

    def __init__(self, plan: RatePlan) -> None:
        self._plan = plan
        self._buckets: dict[str, TokenBucket] = {}

    def allows(self, client_login_id: str, now_ms: int) -> bool:
        """Take one request of a client into account; tell whether it may be answered."""
        bucket = self._buckets.get(client_login_id)
        if bucket is None:
            if len(self._buckets) >= _BUCKETS_MAX:
                del self._buckets[next(iter(self._buckets))]
            bucket = self._buckets[client_login_id] = TokenBucket(self._plan)
        return not bucket.take(now_ms)
