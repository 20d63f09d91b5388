"""Every query of a national system outside the ledger's hot path: one method each.

Rows become values here; no SQL elsewhere, no rule here.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Sequence
from datetime import datetime
from typing import Any

import asyncpg

from emvs.infra.database import Database
from emvs.pack import Pack
from emvs.scanner_hints import Shape
from emvs.states import State
from nmvs.trail_partitions import ensure_partitions

_COPY_S_MAX = 600.0
_PACK_COLUMNS = "pack_key, state, set_by, set_at_s, repeat_count, version, batch_number"


class Store:
    """Queries on one national system's schema."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def _pool(self) -> asyncpg.Pool[asyncpg.Record]:
        return self._database.pool

    async def setting(self, name: str, default: str) -> str:
        """Return a value of the system table; the first caller's default becomes the value."""
        await self._pool.execute(
            "insert into system (name, value) values ($1, $2) on conflict do nothing", name, default
        )
        value: str = await self._pool.fetchval("select value from system where name = $1", name)
        return value

    async def put_setting(self, name: str, value: str) -> None:
        """Store a value of the system table."""
        await self._pool.execute(
            "insert into system (name, value) values ($1, $2)"
            " on conflict (name) do update set value = excluded.value",
            name,
            value,
        )

    async def products(self) -> list[asyncpg.Record]:
        """Return all products."""
        return await self._pool.fetch("select * from product")

    async def product_versions(self) -> list[asyncpg.Record]:
        """Return all versions of products with their markets."""
        return await self._pool.fetch("select product_code, version, markets from product_version")

    async def batches(self) -> list[asyncpg.Record]:
        """Return all batches, in order of their numbers."""
        return await self._pool.fetch("select * from batch order by batch_number")

    async def packs(self, pack_keys: Iterable[bytes]) -> dict[bytes, Pack]:
        """Return what is stored of these packs."""
        rows = await self._pool.fetch(
            f"select {_PACK_COLUMNS} from pack where pack_key = any($1::uuid[])",  # noqa: S608 - a constant.
            list(pack_keys),
        )
        return {row[0]: Pack(State(row[1]), *row[2:]) for row in rows}

    async def outgoing_changes(self, limit: int) -> list[tuple[bytes, bytes, str]]:
        """Return pack key, transaction id and JSON of the first changes the hub must be told."""
        rows = await self._pool.fetch(
            "select pack_key, transaction_id, change from outgoing_change"
            " order by at_ms, transaction_id limit $1",
            limit,
        )
        return [tuple(row) for row in rows]

    async def forget_outgoing_changes(
        self, pack_keys: Sequence[bytes], transaction_ids: Sequence[bytes]
    ) -> None:
        """Delete changes that the hub has been told."""
        await self._pool.execute(
            "delete from outgoing_change o using unnest($1::uuid[], $2::uuid[])"
            " as t (pack_key, transaction_id)"
            " where o.pack_key = t.pack_key and o.transaction_id = t.transaction_id",
            pack_keys,
            transaction_ids,
        )

    async def recorded_transactions(
        self, pack_keys: Sequence[bytes], transaction_ids: Sequence[bytes]
    ) -> set[bytes]:
        """Return those of these transactions that stand in the trail of their packs."""
        rows = await self._pool.fetch(
            "select t.transaction_id from unnest($1::uuid[], $2::uuid[])"
            " as a (pack_key, transaction_id)"
            " join trail t using (pack_key, transaction_id)",
            pack_keys,
            transaction_ids,
        )
        return {row[0] for row in rows}

    async def pack_count_estimate(self) -> int:
        """Return about how many packs are stored: to count them takes a third as long as to read
        them all."""
        count: int = await self._pool.fetchval(
            "select (case when reltuples > 0 and relpages > 0 then reltuples / relpages else 60 end"
            " * (pg_relation_size(oid) / current_setting('block_size')::integer))::bigint"
            " from pg_class where oid = 'pack'::regclass"
        )
        return count

    async def client_transaction_of(self, pack_key: bytes, outcome: int) -> str | None:
        """Return the client's id of the last request about a pack that ended in `outcome`."""
        value: str | None = await self._pool.fetchval(
            "select client_transaction_id from trail where pack_key = $1 and outcome = $2"
            " order by recorded_at desc limit 1",
            pack_key,
            outcome,
        )
        return value

    async def trail(self, pack_key: bytes, limit: int) -> list[asyncpg.Record]:
        """Return the audit trail of one pack, oldest first."""
        return await self._pool.fetch(
            "select t.recorded_at, t.transaction_id, t.operation, t.outcome, t.state_before,"
            " t.state_after, t.manual, t.dialect, t.client_transaction_id, t.alert_id, t.submitted,"
            " l.location, l.name, l.role, l.market from trail t left join location l"
            " using (location_number) where t.pack_key = $1"
            " order by t.recorded_at, t.transaction_id limit $2",
            pack_key,
            limit,
        )

    async def alerts(self, since: datetime, limit: int) -> list[asyncpg.Record]:
        """Return alerts raised from `since` on, oldest first."""
        return await self._pool.fetch(
            "select a.*, l.location, l.name from alert a left join location l"
            " using (location_number) where raised_at >= $1 order by raised_at limit $2",
            since,
            limit,
        )

    async def ensure_trail_partitions(self, months: Iterable[tuple[datetime, datetime]]) -> bool:
        """Make the trail partitions of months that have none; tell if all have one."""
        return await ensure_partitions(self._pool, months)

    async def copy_packs_out(self, on_chunk: Callable[[bytes], Coroutine[Any, Any, None]]) -> None:
        """Copy all packs out in binary form, each chunk awaited by `on_chunk`."""
        connection = await self._database.connect()
        try:
            await connection.copy_from_query(
                f"select {_PACK_COLUMNS} from pack",  # noqa: S608 - a constant.
                output=on_chunk,
                format="binary",
                timeout=3600,
            )
        except BaseException:
            connection.terminate()  # In the midst of a COPY it would not listen.
            raise
        await connection.close(timeout=5)

    async def non_fmd_products(self) -> list[str]:
        """Return the codes of products outside the scope of verification."""
        rows = await self._pool.fetch("select product_code from non_fmd_product")
        return [row[0] for row in rows]

    async def put_non_fmd_product(self, product_code: str, now: datetime) -> None:
        """Store a product outside the scope."""
        await self._pool.execute(
            "insert into non_fmd_product values ($1, $2) on conflict do nothing", product_code, now
        )

    async def delete_non_fmd_product(self, product_code: str) -> None:
        """Take a product off the list."""
        await self._pool.execute(
            "delete from non_fmd_product where product_code = $1", product_code
        )

    async def exempted_batches(self) -> list[tuple[str, str]]:
        """Return product code and batch id of each exempted batch."""
        rows = await self._pool.fetch("select product_code, batch_id from exempted_batch")
        return [(row[0], row[1]) for row in rows]

    async def put_exempted_batch(self, product_code: str, batch_id: str, now: datetime) -> None:
        """Store an exempted batch."""
        await self._pool.execute(
            "insert into exempted_batch values ($1, $2, $3) on conflict do nothing",
            product_code,
            batch_id,
            now,
        )

    async def delete_exempted_batch(self, product_code: str, batch_id: str) -> None:
        """End a batch's exemption."""
        await self._pool.execute(
            "delete from exempted_batch where product_code = $1 and batch_id = $2",
            product_code,
            batch_id,
        )


def stored_serial_shape(batch: asyncpg.Record) -> Shape | None:
    """Return the shape of the serial numbers of a stored batch."""
    if batch["serial_kinds"] is None:
        return None
    return Shape(batch["serial_length_min"], batch["serial_length_max"], batch["serial_kinds"])
