"""The key ring in the database: loaded at the start, turned when the system's clock says so.

A key is stored before it signs, so that tokens survive a restart. If the database is away when a
new key is due, the old one goes on signing.
"""

from __future__ import annotations

import asyncio
from typing import Final

import asyncpg

from emvs.infra.clock import Clock
from emvs.infra.database import CONNECTION_ERRORS, Database
from emvs.infra.logs import get_logger
from nmvs.rest.key_ring import KeyRing, StoredKey, make_key

_RETRY_S: Final = 10
"""After a failure the next attempt is so much later (our choice)."""

_log = get_logger(__name__)


class SigningKeys:
    """Sees to it that the ring's newest key is not too old."""

    def __init__(self, database: Database, clock: Clock, *, life_s: int, overlap_s: int) -> None:
        self._database = database
        self._clock = clock
        self.ring = KeyRing((), life_s=life_s, overlap_s=overlap_s)
        self._turning = asyncio.Lock()
        self._retry_at_s = 0

    async def load(self) -> None:
        """Read the stored keys; make one if there is none that may sign."""
        rows = await self._database.pool.fetch(
            "select key_id, pem, made_at_s from signing_key order by made_at_s"
        )
        for row in rows:
            self.ring.add(StoredKey(*row))
        await self._turn()

    async def refresh(self) -> None:
        """Make a new key if one is due, and drop those that prove nothing any more."""
        now_s = self._clock.now_s()
        if not self.ring.is_due(now_s) or now_s < self._retry_at_s:
            return
        async with self._turning:
            try:
                await self._turn()
            except (*CONNECTION_ERRORS, asyncpg.PostgresError) as error:
                self._retry_at_s = now_s + _RETRY_S
                _log.warning("no new signing key", action="key_failed", error=repr(error))

    async def _turn(self) -> None:
        now_s = self._clock.now_s()
        pool = self._database.pool
        if self.ring.is_due(now_s):
            key = make_key(now_s)
            await pool.execute("insert into signing_key values ($1, $2, $3)", *key)
            self.ring.add(key)
            _log.info("signing key made", action="signing_key_made", key_id=key.key_id)
        if retired := self.ring.forget_retired(now_s):
            await pool.execute("delete from signing_key where key_id = any($1)", retired)
