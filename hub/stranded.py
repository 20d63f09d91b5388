"""What waits for national systems that are not connected: told so, and given up in time.

A system that was taken out of the configuration has no courier. What waits for it must not wait
for ever, as serial numbers do (Delegated Regulation (EU) 2016/161, Art. 33). Recalls, withdrawals
and changes are kept until it is back, as they are for a system that is away.
"""

from __future__ import annotations

import asyncio
from typing import Final

from emvs.infra.clock import Clock
from emvs.infra.logs import get_logger
from hub.config import RetryConfig
from hub.outbox import Outbox
from hub.settling import give_up
from hub.store import deliveries as store
from hub.store import delivery_lines as lines
from hub.store.connections import Pool

PERIOD_S: Final = 600.0

_log = get_logger(__name__)


class Stranded:
    """Looks after the lines that nobody serves."""

    def __init__(self, *, pool: Pool, clock: Clock, outbox: Outbox, retry: RetryConfig) -> None:
        self._pool = pool
        self._clock = clock
        self._outbox = outbox
        self._retry = retry
        self.bell = asyncio.Event()

    async def drain(self) -> None:
        """Note that these lines do not move, and give up what has stood too long."""
        for system in self._outbox.stranded():
            await self._look_after(system)

    async def _look_after(self, system: str) -> None:
        first = await lines.next_waiting(self._pool, system, 1)
        if not first:
            return
        now_ms = self._clock.now_ms()
        text = f"the national system of {system} is not connected"
        since_ms = await store.note_failure(
            self._pool, first[0].number, text, now_ms, is_attempt=False
        )
        until_ms = now_ms - int(self._retry.give_up_after_s * 1000)
        if since_ms > until_ms:
            return
        count = await give_up(
            self._pool, self._outbox, system, text, created_until_ms=until_ms, now_ms=now_ms
        )
        await self._outbox.recount(self._pool, system)
        if count:
            _log.warning("given up", action="stranded_given_up", system=system, count=count)
