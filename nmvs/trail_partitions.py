"""The monthly partitions of the audit trail: making them in time, dropping them when it is over.

The default partition takes entries of months without a partition, so no entry is ever refused;
but PostgreSQL makes no partition for a range of which the default holds entries. They are moved if
they are few; a month of which the default holds many stays there.

Making and dropping wait as little as possible, as readers and the ledger would wait behind them.
What is to be kept and for how long is `emvs.retention`'s.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final, NamedTuple, TypeAlias

import asyncpg

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

_NAME: Final = re.compile(r"trail_(\d{4})_(\d{2})")
_DROP_LOCK_MS_MAX: Final = 100
"""Every write of the ledger waits behind a drop that waits: rather try again in an hour."""
_MAKE_LOCK_MS_MAX: Final = 100
"""The same for making one: everybody who reads the trail waits behind the lock on the default."""
_MAKE_ATTEMPTS_MAX: Final = 10
_MAKE_MS_MAX: Final = 2_000
"""A statement under that lock that takes longer, as the default is large, is given up."""
_MAKE_PAUSE_S: Final = 0.1
"""Those who waited behind one attempt get on before the next."""
_MOVED_ROWS_MAX: Final = 20_000
"""Entries moved out of the default, some tenths of a second in which nobody reads or adds there."""
_SLICE_ROWS: Final = 5_000
_FIRST_KEY: Final = bytes(16)


class Partition(NamedTuple):
    """A month of the audit trail."""

    name: str
    start: datetime
    end: datetime


def next_month(start: datetime) -> datetime:
    """Return the beginning of the month after the one that begins at `start`."""
    return datetime(start.year + start.month // 12, start.month % 12 + 1, 1, tzinfo=UTC)


async def ensure_partitions(pool: Pool, months: Iterable[tuple[datetime, datetime]]) -> bool:
    """Make a partition for each month that has none yet; tell whether all are there.

    One that could not be made in short attempts is left for the next call.
    """
    complete = True
    for start, end in months:
        name = f"trail_{start:%Y_%m}"
        if not await _exists(pool, name):
            complete &= await _make_if_free(pool, name, start, end)
    return complete


async def _make_if_free(pool: Pool, name: str, start: datetime, end: datetime) -> bool:
    for attempt in range(_MAKE_ATTEMPTS_MAX):
        if attempt:
            await asyncio.sleep(_MAKE_PAUSE_S)
        try:
            async with pool.acquire() as connection, connection.transaction():
                await connection.execute(f"set local lock_timeout = {_MAKE_LOCK_MS_MAX}")
                await connection.execute(f"set local statement_timeout = {_MAKE_MS_MAX}")
                return await _make(connection, name, start, end)
        except asyncpg.LockNotAvailableError:
            continue
        except asyncpg.QueryCanceledError:
            break
    return False


async def _exists(connection: Pool | asyncpg.pool.PoolConnectionProxy, name: str) -> bool:
    there: bool = await connection.fetchval("select to_regclass($1) is not null", name)
    return there


async def _make(
    connection: asyncpg.pool.PoolConnectionProxy, name: str, start: datetime, end: datetime
) -> bool:
    """Make a partition; tell whether it is there.

    Raises LockNotAvailableError if somebody is in the way.
    """
    # Nobody may add an entry to the default between the move and the end. Attaching, unlike
    # `create table … partition of`, lets the ledger write to the other partitions meanwhile.
    await connection.execute("lock table trail_default in access exclusive mode")
    if await _exists(connection, name):
        return True
    first, last = f"'{start:%Y-%m-%d}+00'", f"'{end:%Y-%m-%d}+00'"
    here = f"recorded_at >= {first} and recorded_at < {last}"
    many: bool = await connection.fetchval(
        f"select count(*) > {_MOVED_ROWS_MAX} from"  # noqa: S608 - figures and dates, made here.
        f" (select from trail_default where {here} limit {_MOVED_ROWS_MAX + 1}) as entries"
    )
    if many:
        return False
    await connection.execute(
        f'create table "{name}" (like trail including defaults including constraints'
        " including indexes)"
    )
    await connection.execute(
        f"with moved as (delete from trail_default where {here} returning *)"  # noqa: S608
        f' insert into "{name}" select * from moved'
    )
    await connection.execute(
        f'alter table trail attach partition "{name}" for values from ({first}) to ({last})'
    )
    return True


async def partitions(pool: Pool) -> list[Partition]:
    """Return all partitions but the default, in order of time."""
    rows = await pool.fetch(
        "select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid"
        " where i.inhparent = to_regclass('trail') order by c.relname"
    )
    found = []
    for row in rows:
        if match := _NAME.fullmatch(row["relname"]):
            start = datetime(int(match[1]), int(match[2]), 1, tzinfo=UTC)
            found.append(Partition(row["relname"], start, next_month(start)))
    return found


async def drop_if_nothing_is_kept(pool: Pool, partition: Partition) -> bool:
    """Drop a partition none of whose entries belongs to a stored pack; tell whether it is gone."""
    keeps: bool = await pool.fetchval(
        f'select exists (select from "{partition.name}" t'  # noqa: S608 - a name of ours.
        " where exists (select from pack p where p.pack_key = t.pack_key))"
    )
    if keeps:
        return False
    try:
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute(f"set local lock_timeout = {_DROP_LOCK_MS_MAX}")
            await connection.execute(f'drop table "{partition.name}"')
    except asyncpg.LockNotAvailableError:
        return False
    return True


async def delete_entries_without_pack(pool: Pool, name: str, before: datetime) -> None:
    """Delete from one partition what was recorded before `before` about packs not stored."""
    after = _FIRST_KEY
    while True:
        upto: bytes | None = await pool.fetchval(
            f'select pack_key from "{name}" where pack_key > $1'  # noqa: S608 - a name of ours.
            f" order by pack_key offset {_SLICE_ROWS - 1} limit 1",
            after,
        )
        await pool.execute(
            f'delete from "{name}" t where pack_key > $1'  # noqa: S608 - a name of ours.
            " and ($2::uuid is null or pack_key <= $2) and recorded_at < $3"
            " and not exists (select from pack p where p.pack_key = t.pack_key)",
            after,
            upto,
            before,
        )
        if upto is None:
            return
        after = upto
