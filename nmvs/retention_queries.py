"""What retention asks of the database, in slices: every statement names its packs or its bound.

No rule stands here: what is due is `emvs.retention`'s, the order of steps `nmvs.retention`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple, TypeAlias

import asyncpg

from emvs.pack import Pack
from emvs.states import State

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

_ALERTS_AT_ONCE: Final = 5_000
_DELIVERIES_AT_ONCE: Final = 5_000


class UploadedBatch(NamedTuple):
    """A batch with what its retention depends on."""

    number: int
    expiry: str
    first_uploaded_at: datetime


async def batches_uploaded_until(
    pool: Pool, latest: datetime, *, after_number: int, limit: int
) -> list[UploadedBatch]:
    """Return batches uploaded until `latest`, in order of their numbers."""
    rows = await pool.fetch(
        "select batch_number, expiry, first_uploaded_at from batch"
        " where first_uploaded_at <= $1 and batch_number > $2 order by batch_number limit $3",
        latest,
        after_number,
        limit,
    )
    return [UploadedBatch(*row) for row in rows]


async def delete_packs(pool: Pool, pack_keys: Sequence[bytes]) -> None:
    """Delete packs with everything that was recorded about them."""
    async with pool.acquire() as connection, connection.transaction():
        for table in ("pack", "alert", "trail"):
            await connection.execute(
                f"delete from {table} where pack_key = any($1::uuid[])",  # noqa: S608 - see above.
                pack_keys,
            )


async def stored_packs(pool: Pool, pack_keys: Sequence[bytes]) -> dict[bytes, Pack]:
    """Return those of the packs that are stored.

    A deletion whose answer was lost may still be under way: its end is waited for.
    """
    rows = await pool.fetch(
        "select pack_key, state, set_by, set_at_s, repeat_count, version, batch_number"
        " from pack where pack_key = any($1::uuid[]) for share",
        pack_keys,
    )
    return {row[0]: Pack(State(row[1]), *row[2:]) for row in rows}


async def keys_of_batches(pool: Pool, numbers: Sequence[int], limit: int) -> list[bytes]:
    """Return keys of packs that are stored of these batches. Reads the whole table."""
    rows = await pool.fetch(
        "select pack_key from pack where batch_number = any($1::integer[]) limit $2", numbers, limit
    )
    return [row[0] for row in rows]


async def delete_batches(pool: Pool, numbers: Sequence[int]) -> None:
    """Delete batches, of which no pack is stored any more."""
    await pool.execute("delete from batch where batch_number = any($1::integer[])", numbers)


async def delete_alerts_without_pack(pool: Pool, before: datetime) -> None:
    """Delete alerts raised before `before` about packs that are not stored."""
    while True:
        deleted = await pool.execute(
            "delete from alert where alert_id = any(array(select alert_id from alert a"
            " where raised_at < $1"
            " and not exists (select from pack p where p.pack_key = a.pack_key) limit $2))",
            before,
            _ALERTS_AT_ONCE,
        )
        if deleted == "DELETE 0":
            return


async def delete_old_deliveries(pool: Pool, before: datetime, *, kept_count: int) -> None:
    """Delete answers to deliveries that came before `before`, but never the last `kept_count`."""
    while True:
        deleted = await pool.execute(
            "delete from delivery where delivery_id = any(array(select delivery_id from delivery"
            " where received_at < $1 and received_at < (select received_at from delivery"
            " order by received_at desc offset $2 limit 1)"
            " limit $3))",
            before,
            kept_count - 1,
            _DELIVERIES_AT_ONCE,
        )
        if deleted == "DELETE 0":
            return
