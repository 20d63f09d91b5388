"""Forgetting serial numbers that stand in old answers: defects of uploads, packs not loaded, and
alerts long closed.

Delegated Regulation (EU) 2016/161, Art. 33(2): the hub holds everything except serial numbers. A
manufacturer needs those in an answer for a while; how long is a setting.
"""

from __future__ import annotations

import asyncio
from typing import Final

from emvs.infra.clock import Clock
from hub.store.alerts import forget_serials_of_closed
from hub.store.connections import Pool
from hub.store.deliveries import forget_refused_serials
from hub.store.requests import forget_serials_in_remarks

PERIOD_S: Final = 3600.0


class Retention:
    """Forgets what is older than `answers_kept_s`."""

    def __init__(self, *, pool: Pool, clock: Clock, answers_kept_s: float) -> None:
        self._pool = pool
        self._clock = clock
        self._answers_kept_s = answers_kept_s
        self.bell = asyncio.Event()

    async def drain(self) -> None:
        """Forget what is due."""
        before_ms = self._clock.now_ms() - int(self._answers_kept_s * 1000)
        await forget_refused_serials(self._pool, before_ms)
        await forget_serials_in_remarks(self._pool, before_ms)
        await forget_serials_of_closed(self._pool, before_ms)
