"""What the store's functions run on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"
Queryable: TypeAlias = "Pool | Connection"
Row: TypeAlias = "asyncpg.Record"

ACQUIRE_S_MAX = 10.0
"""A request that gets no connection in this time is answered with 503."""


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """Give a connection with a transaction open, committed at the end if nothing was raised."""
    async with pool.acquire(timeout=ACQUIRE_S_MAX) as connection, connection.transaction():
        yield connection


@asynccontextmanager
async def snapshot(pool: Pool) -> AsyncIterator[Connection]:
    """Give a connection whose queries all see the database as it was at the first of them."""
    async with (
        pool.acquire(timeout=ACQUIRE_S_MAX) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        yield connection


def changed_count(status: Any) -> int:
    """Return the number in a command's status, such as "UPDATE 3"."""
    return int(str(status).rpartition(" ")[2])


class Rows(NamedTuple):
    """Rows of a table, in constant SQL."""

    table: str
    key: str
    due: str
    """Condition, in which `$1` is a time."""


async def delete_some(database: Queryable, rows: Rows, before_ms: int, count_max: int) -> int:
    """Delete rows that are due by a time, at most so many; return how many."""
    status = await database.execute(
        f"delete from {rows.table} where ({rows.key}) in"  # noqa: S608 - constants.
        f" (select {rows.key} from {rows.table} where {rows.due} limit $2)",
        before_ms,
        count_max,
    )
    return changed_count(status)
