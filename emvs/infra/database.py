"""One system's part of a PostgreSQL server: a pool whose connections see one schema.

No query stands here. Timeouts bound every wait; `CONNECTION_ERRORS` is what the driver raises
when the server is away, so that callers can tell that from a defect of ours.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

import asyncpg

from emvs.errors import ConfigurationError

CONNECTION_ERRORS = (
    OSError,
    asyncio.TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # The server is shutting down or starting up.
    asyncpg.InsufficientResourcesError,
    asyncpg.InternalClientError,
)
"""Raised when the server is away or about to be."""

_LOCK_SQL = "select pg_try_advisory_lock($1, hashtext(current_schema()))"
_LOCK_PAUSE_S = 0.05
_SCHEMA_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


class Database:
    """A pool of connections to one schema, which is created if it is not there."""

    def __init__(
        self, dsn: str, schema: str, *, connections_max: int = 8, command_s_max: float = 60.0
    ) -> None:
        if not _SCHEMA_NAME.fullmatch(schema):
            raise ConfigurationError(f"{schema!r} is not a schema name: a-z, 0-9 and _ only")
        self._dsn = dsn
        self.schema = schema
        self._connections_max = connections_max
        self._command_s_max = command_s_max
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None

    @property
    def pool(self) -> asyncpg.Pool[asyncpg.Record]:
        """The pool; `open` comes first."""
        assert self._pool is not None, "the database is not open"
        return self._pool

    async def open(self) -> None:
        """Create the schema if need be and open the pool."""
        connection = await asyncpg.connect(self._dsn, timeout=10)
        try:
            async with connection.transaction():
                # Two systems starting at once would both find the schema missing.
                await connection.execute("select pg_advisory_xact_lock(7165001)")
                await connection.execute(f'create schema if not exists "{self.schema}"')
        finally:
            await connection.close(timeout=5)
        self._pool = await asyncpg.create_pool(
            self._dsn,
            min_size=1,
            max_size=self._connections_max,
            init=_set_codecs,
            reset=_leave_as_is,
            timeout=10,
            command_timeout=self._command_s_max,
            server_settings={"search_path": self.schema},
        )

    async def connect(self, name: str = "emvs") -> asyncpg.Connection[asyncpg.Record]:
        """Return a connection of its own, outside the pool; the caller closes it.

        `name` is what the server lists it under.
        """
        connection = await asyncpg.connect(
            self._dsn,
            timeout=10,
            command_timeout=self._command_s_max,
            server_settings={"search_path": self.schema, "application_name": name},
        )
        await _set_codecs(connection)
        return connection

    async def close(self) -> None:
        """Close the pool, by force if it does not go in time."""
        if self._pool is None:
            return
        try:
            async with asyncio.timeout(5):
                await self._pool.close()
        except (TimeoutError, *CONNECTION_ERRORS):
            self._pool.terminate()


async def take_schema_lock(
    session: asyncpg.Connection[asyncpg.Record], number: int, *, wait_s_max: float
) -> bool:
    """Take the advisory lock with this number on the session's schema; return whether it was had.

    The session of a process that was killed holds it until its last statement has ended, hence
    the wait. The lock lives as long as the session.
    """
    for _ in range(max(1, round(wait_s_max / _LOCK_PAUSE_S))):
        if await session.fetchval(_LOCK_SQL, number):
            return True
        await asyncio.sleep(_LOCK_PAUSE_S)
    return False


def _same(value: bytes) -> bytes:
    return value


async def _leave_as_is(_: Any) -> None:
    """Spare the round trip that resets a session: ours end what they begin and set nothing."""


async def _set_codecs(connection: Any) -> None:
    # Pack keys travel as sixteen bytes: the driver's own UUID objects cost time and say nothing.
    await connection.set_type_codec(
        "uuid", schema="pg_catalog", encoder=_same, decoder=bytes, format="binary"
    )
