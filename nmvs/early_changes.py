"""Changes of other markets to packs that are not here yet: kept, taken over when the packs come.

A market that did not get packs in time gets them again later, perhaps after a pharmacy elsewhere
has supplied one. If the change were dropped, the pack would be active here for ever (Delegated
Regulation (EU) 2016/161, Art. 34(4)). How it is taken over is `nmvs.synchronisation`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final

import msgspec

from emvs.errors import EmvsError
from emvs.infra.clock import Clock
from emvs.infra.database import Database
from emvs.infra.logs import get_logger
from emvs.interconnect import ChangesMessage, StateChange
from emvs.limits import CHANGES_PER_MESSAGE_MAX
from nmvs.recovery import Recovery

_RETRY_S_FIRST: Final = 0.1
_RETRY_S_MAX: Final = 30.0

_log = get_logger(__name__)


class EarlyChanges:
    """Changes that wait for their packs. `packs_came` makes `run` look."""

    def __init__(self, database: Database, clock: Clock, is_here: Callable[[bytes], bool]) -> None:
        """`is_here` tells whether requests find the pack with a key."""
        self._database = database
        self._clock = clock
        self._is_here = is_here
        self.packs_came = asyncio.Event()
        self.packs_came.set()  # The last process may not have come so far.

    async def keep(self, changes: Sequence[tuple[bytes, StateChange]]) -> None:
        """Store changes with the keys of their packs, each once."""
        await self._database.pool.execute(
            "insert into early_change (pack_key, transaction_id, change, received_at)"
            " select *, $4 from unnest($1::uuid[], $2::uuid[], $3::text[]) on conflict do nothing",
            [key for key, _ in changes],
            [bytes.fromhex(change.transactionId) for _, change in changes],
            [msgspec.json.encode(change).decode() for _, change in changes],
            self._clock.now(),
        )

    async def run(self, apply: Callable[[ChangesMessage], Awaitable[object]]) -> None:
        """Have changes taken over whose packs have come, until cancelled."""
        wait_s = _RETRY_S_FIRST
        while True:
            await self.packs_came.wait()
            self.packs_came.clear()
            try:
                while await self._apply_some(apply):
                    wait_s = _RETRY_S_FIRST
            except (EmvsError, *Recovery.TROUBLE) as error:
                _log.warning("early changes wait", action="early_changes_wait", error=repr(error))
                self.packs_came.set()
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, _RETRY_S_MAX)

    async def forget(self, before: datetime) -> None:
        """Delete changes received before a time: their packs never came."""
        await self._database.pool.execute("delete from early_change where received_at < $1", before)

    async def _apply_some(self, apply: Callable[[ChangesMessage], Awaitable[object]]) -> bool:
        rows = await self._database.pool.fetch(
            "select e.pack_key, e.transaction_id, e.change from early_change e"
            " join pack using (pack_key) limit $1",
            CHANGES_PER_MESSAGE_MAX,
        )
        rows = [row for row in rows if self._is_here(row["pack_key"])]
        if not rows:  # Or they are just being loaded: `packs_came` is set after that.
            return False
        await apply(
            ChangesMessage([msgspec.json.decode(row["change"], type=StateChange) for row in rows])
        )
        await self._database.pool.execute(
            "delete from early_change e using unnest($1::uuid[], $2::uuid[])"
            " as t (pack_key, transaction_id)"
            " where e.pack_key = t.pack_key and e.transaction_id = t.transaction_id",
            [row["pack_key"] for row in rows],
            [row["transaction_id"] for row in rows],
        )
        return True
