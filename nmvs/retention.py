"""Purging what the law allows to forget: packs, their audit trail and alerts, their batches.

Runs every hour and whenever the clock was moved. What is due is told by `emvs.retention`; here is
only the order of steps, such that memory and database agree at any moment and after any crash:

1. A due batch is closed: packs uploaded to it meanwhile are put off until it is gone.
2. A slice of its packs leaves the index, at once unknown to every request.
3. What was decided before is written, then the slice is deleted with its trail and alerts.
4. Without packs the batch goes too, so that its identifier may come again.

If step 3 fails, the packs that the database still has return to the index.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np

from emvs.infra.clock import Clock
from emvs.infra.database import Database
from emvs.infra.logs import get_logger
from emvs.retention import purge_after, released_at_latest
from nmvs import retention_queries as queries
from nmvs import trail_partitions
from nmvs.catalogue import Catalogue
from nmvs.early_changes import EarlyChanges
from nmvs.ledger import Ledger
from nmvs.pack_index import SLICE_COUNT_MAX, PackIndex
from nmvs.recovery import Recovery

_PERIOD_S: Final = 3600.0
_RETRY_S_FIRST: Final = 0.1
_RETRY_S_MAX: Final = 60.0
_PACKS_AT_ONCE: Final = 2_048
"""Taken from the index in one go, some 8 ms, and deleted in one transaction."""
_BATCHES_AT_ONCE: Final = 2_000
_DELIVERIES_KEPT: Final = timedelta(days=30)
"""How long the answer to a delivery is kept (our choice)."""
_DELIVERIES_KEPT_COUNT: Final = 1_000
"""So many of the last ones are kept whatever their age. The hub delivers in order and goes on when
it has stored an answer, so the only one it may send again is the last (our choice: some more)."""

_log = get_logger(__name__)


class Retention:
    """Purges what is due. `ring` makes it look at once."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        zone: ZoneInfo,
        catalogue: Catalogue,
        index: PackIndex,
        ledger: Ledger,
        deliveries: asyncio.Lock,
        early: EarlyChanges,
    ) -> None:
        self._early = early
        self._database = database
        self._clock = clock
        self._zone = zone
        self._catalogue = catalogue
        self._index = index
        self._ledger = ledger
        self._deliveries = deliveries
        """Held while a delivery is applied: no pack may come while some go."""
        self._bell = asyncio.Event()
        self._bell.set()
        self._running = False
        self._closed: set[int] = set()
        """Numbers of the batches that are being purged."""
        self.failure: str | None = None
        self.packs_purged_count = 0
        self.batches_purged_count = 0
        self.partitions_dropped_count = 0

    def ring(self) -> None:
        """Look for what is due, now."""
        self._bell.set()

    def report(self) -> dict[str, Any]:
        """Return what was purged since the start, and whether everything due is gone."""
        return {
            "idle": not self._running and not self._bell.is_set(),
            "packsPurged": self.packs_purged_count,
            "batchesPurged": self.batches_purged_count,
            "trailPartitionsDropped": self.partitions_dropped_count,
            "failure": self.failure,
        }

    async def run(self) -> None:
        """Purge whenever something may be due, until cancelled."""
        wait_s = _RETRY_S_FIRST
        while True:
            self._bell.clear()
            self._running = True
            try:
                await self.purge()
            except Exception as error:  # noqa: BLE001 - tried again, and told by `report`.
                self.failure = repr(error)
                _log.warning("not purged", action="purge_failed", error=repr(error))
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, _RETRY_S_MAX)
                continue
            self.failure, wait_s = None, _RETRY_S_FIRST
            self._running = False
            await self._wait()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(_PERIOD_S):
                await self._bell.wait()
        except TimeoutError:
            return

    async def purge(self) -> None:
        """Purge everything that is due now."""
        now = self._clock.now()
        await self._close_due_batches(now)
        if self._closed:
            await self._purge_indexed_packs()
            await self._purge_batches()
        await self._purge_trail(released_at_latest(now))
        await self._early.forget(released_at_latest(now))
        await queries.delete_old_deliveries(
            self._database.pool, now - _DELIVERIES_KEPT, kept_count=_DELIVERIES_KEPT_COUNT
        )

    async def _close_due_batches(self, now: datetime) -> None:
        latest, number = released_at_latest(now), 0
        while found := await queries.batches_uploaded_until(
            self._database.pool, latest, after_number=number, limit=_BATCHES_AT_ONCE
        ):
            number = found[-1].number
            due = {
                batch.number
                for batch in found
                if purge_after(batch.expiry, batch.first_uploaded_at, self._zone) <= now
            }
            if not due:
                continue
            async with self._deliveries:  # None of them is in the middle of an upload.
                self._closed |= due
                for due_number in due:
                    self._catalogue.close_batch(due_number)

    async def _purge_indexed_packs(self) -> None:
        numbers = np.fromiter(self._closed, np.uint32)
        for start in range(0, self._index.rows_stop, SLICE_COUNT_MAX):
            columns = self._index.rows(start, start + SLICE_COUNT_MAX)
            keys = columns.keys[np.isin(columns.batch_numbers, numbers)]
            for first in range(0, len(keys), _PACKS_AT_ONCE):
                part = keys[first : first + _PACKS_AT_ONCE]
                await self._purge_packs([key.tobytes() for key in part])
            await asyncio.sleep(0)

    async def _purge_packs(self, keys: Sequence[bytes]) -> None:
        async with self._deliveries:
            await self._purge_slice(keys)

    async def _purge_slice(self, keys: Sequence[bytes]) -> None:
        indexed = [key for key in keys if self._index.find(key) >= 0]
        self._index.remove_many(b"".join(indexed))
        try:
            await self._ledger.settle()
            await queries.delete_packs(self._database.pool, keys)
        except Recovery.TROUBLE:
            await self._restore(indexed)
            raise
        self.packs_purged_count += len(keys)

    async def _restore(self, keys: Sequence[bytes]) -> None:
        """Index again what the database still has, however long it takes to learn that."""
        wait_s = _RETRY_S_FIRST
        while True:
            try:
                stored = await queries.stored_packs(self._database.pool, keys)
                break
            except Recovery.TROUBLE:
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, _RETRY_S_MAX)
        for key, pack in stored.items():
            self._index.insert(
                key,
                pack.batch_number,
                state=pack.state,
                set_by=pack.set_by,
                set_at_s=pack.set_at_s,
                repeat_count=pack.repeat_count,
                version=pack.version,
            )

    async def _purge_batches(self) -> None:
        pool, numbers = self._database.pool, sorted(self._closed)
        for start in range(0, len(numbers), _BATCHES_AT_ONCE):
            part = numbers[start : start + _BATCHES_AT_ONCE]
            async with self._deliveries:
                # An upload whose commit was not seen left packs that the index does not know.
                while keys := await queries.keys_of_batches(pool, part, _PACKS_AT_ONCE):
                    await self._purge_slice(keys)
                await queries.delete_batches(pool, part)
                for number in part:
                    self._catalogue.remove_batch(number)
                self._closed.difference_update(part)
            self.batches_purged_count += len(part)
        _log.info("batches purged", action="batches_purged", batches=len(numbers))

    async def _purge_trail(self, before: datetime) -> None:
        """Purge what was recorded about packs that are not stored."""
        pool = self._database.pool
        for partition in await trail_partitions.partitions(pool):
            if partition.end > before:
                break
            if await trail_partitions.drop_if_nothing_is_kept(pool, partition):
                self.partitions_dropped_count += 1
            else:
                await trail_partitions.delete_entries_without_pack(pool, partition.name, before)
        await trail_partitions.delete_entries_without_pack(pool, "trail_default", before)
        await queries.delete_alerts_without_pack(pool, before)
