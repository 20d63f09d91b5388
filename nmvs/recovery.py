"""What to do when a write failed: memory is ahead of disk, so nobody is served until it is not.

The packs concerned are read again from the database, which alone knows what became durable; a
write whose answer was lost may well have been. Then service resumes by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

import asyncpg

from emvs.errors import UnavailableError
from emvs.infra.database import CONNECTION_ERRORS
from emvs.infra.logs import get_logger
from nmvs.ledger import Entry, Ledger
from nmvs.pack_index import PackIndex
from nmvs.store import Store

_RETRY_S_FIRST: Final = 0.05
_RETRY_S_MAX: Final = 2.0
_KEYS_PER_QUERY: Final = 5_000

_log = get_logger(__name__)


class Recovery:
    """Knows whether the system serves, and brings it back when it does not."""

    TROUBLE = (*CONNECTION_ERRORS, asyncpg.PostgresError, UnavailableError)
    """What a request may meet while the database is away."""

    def __init__(self, store: Store, index: PackIndex) -> None:
        self._store = store
        self._index = index
        self._ledger: Ledger | None = None
        self.failure: str | None = None
        self.recovery_count = 0
        self._serving = asyncio.Event()

    @property
    def is_serving(self) -> bool:
        """Whether memory is known to equal the database."""
        return self._serving.is_set()

    def start(self, ledger: Ledger) -> None:
        """Serve from now on: the packs are loaded and `ledger` is open."""
        self._ledger = ledger
        self._serving.set()

    async def wait_until_serving(self, timeout_s: float) -> bool:
        """Return whether the system serves, or does so within the time."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._serving.wait()
        except TimeoutError:
            return False
        return True

    async def on_write_failed(self, entries: list[Entry], error: BaseException) -> None:
        """Bring the system back after a failed write; returns when it serves again."""
        self._serving.clear()
        self.failure = repr(error)
        _log.error("write failed", action="write_failed", error=repr(error), entries=len(entries))
        keys = {entry.pack_key for entry in entries if entry.change is not None}
        wait_s = _RETRY_S_FIRST
        while True:
            try:
                await self._reopen(keys)
                break
            except Recovery.TROUBLE as again:
                self.failure = repr(again)
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, _RETRY_S_MAX)
        self.recovery_count += 1
        self.failure = None
        self._serving.set()
        _log.info("serving again", action="recovered", packs=len(keys))

    async def _reopen(self, keys: Iterable[bytes]) -> None:
        assert self._ledger is not None
        await self._ledger.open()
        await self._reload(list(keys))

    async def _reload(self, keys: Sequence[bytes]) -> None:
        """Read packs from the database into the index again; nobody decides meanwhile."""
        for start in range(0, len(keys), _KEYS_PER_QUERY):
            stored = await self._store.packs(keys[start : start + _KEYS_PER_QUERY])
            for key, pack in stored.items():
                row = self._index.find(key)
                if row >= 0:
                    self._index.set(
                        row,
                        pack.state,
                        pack.set_by,
                        pack.set_at_s,
                        pack.repeat_count,
                        pack.version,
                    )
