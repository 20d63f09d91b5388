"""One process for each schema: a lock on the database that this one holds while it works.

Two hubs on one schema would tell each national system everything twice and out of order, and know
nothing of each other's clients. The lock lives as long as a session, so it has a connection of its
own; it is lost with PostgreSQL and taken again when that is back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

import asyncpg

from emvs.errors import ConfigurationError
from emvs.infra.database import CONNECTION_ERRORS, Database, take_schema_lock

PERIOD_S: Final = 10.0
"""How often it is looked at whether the session still lives."""
_CHECK_S_MAX: Final = 5.0
_LOCK_NUMBER: Final = 7165004

Session: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


class Ownership:
    """The lock of this process on its schema.

    `wait_s_max` is how long the session of a killed predecessor may take to end.
    """

    def __init__(self, database: Database, *, wait_s_max: float) -> None:
        self._database = database
        self._wait_s_max = wait_s_max
        self._session: Session | None = None
        self._held = asyncio.Event()
        self.bell = asyncio.Event()
        """Rings when the lock is lost."""

    @property
    def is_held(self) -> bool:
        """Whether this process may work."""
        return self._held.is_set()

    async def hold(self) -> None:
        """Return when the lock is held, as before or again.

        Raises ConfigurationError if another process has it, CONNECTION_ERRORS.
        """
        if self._session is not None and not self._session.is_closed():
            await self._check(self._session)
            return
        self._held.clear()
        session = await self._database.connect("emvs-hub-owner")
        try:
            await self._lock(session)
        except BaseException:
            session.terminate()
            raise
        session.add_termination_listener(self._on_lost)
        self._session = session
        self._held.set()

    async def release(self) -> None:
        """Give the lock back."""
        session, self._session = self._session, None
        self._held.clear()
        if session is None or session.is_closed():
            return
        session.remove_termination_listener(self._on_lost)
        try:
            await session.close(timeout=_CHECK_S_MAX)
        except CONNECTION_ERRORS:
            session.terminate()

    def guarded(self, work: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """Return work that begins only while the lock is held."""

        async def run() -> None:
            await self._held.wait()
            await work()

        return run

    async def _check(self, session: Session) -> None:
        try:
            await session.fetchval("select 1", timeout=_CHECK_S_MAX)
        except CONNECTION_ERRORS:
            session.terminate()
            raise

    async def _lock(self, session: Session) -> None:
        if not await take_schema_lock(session, _LOCK_NUMBER, wait_s_max=self._wait_s_max):
            raise ConfigurationError(
                f"another process serves schema {self._database.schema}: stop it, or use a schema"
                " of your own"
            )

    def _on_lost(self, _: Any) -> None:
        self._held.clear()
        self.bell.set()
