"""What the hub's deliveries write: products, batches, packs, recalls, withdrawals, and the answer.

Each in one transaction with the answer, so that a delivery is applied once. No rule here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Final

import asyncpg

from emvs.infra.database import Database
from emvs.scanner_hints import Shape

_COPY_S_MAX: Final = 600.0
_JOIN_SERIAL_SHAPE = (
    "update batch set serial_length_min = least(serial_length_min, $3),"
    " serial_length_max = greatest(serial_length_max, $4),"
    " serial_kinds = coalesce(serial_kinds, 0) | $5::smallint"
    " where product_code = $1 and batch_id = $2"
)
_PUT_DELIVERY = (
    "insert into delivery (delivery_id, result, received_at) values ($1, $2, $3)"
    " on conflict do nothing"
)


class DeliveryStore:
    """Writes what was delivered to one national system."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def _pool(self) -> asyncpg.Pool[asyncpg.Record]:
        return self._database.pool

    async def delivery_result(self, delivery_id: str) -> str | None:
        """Return the stored answer to a delivery, as JSON, if it was worked through."""
        value: str | None = await self._pool.fetchval(
            "select result::text from delivery where delivery_id = $1", delivery_id
        )
        return value

    async def put_delivery(self, delivery_id: str, result: str, now: datetime) -> None:
        """Store the answer to a delivery that changes nothing else."""
        await self._pool.execute(_PUT_DELIVERY, delivery_id, result, now)

    async def put_product(
        self,
        delivery_id: str,
        result: str,
        now: datetime,
        product: tuple[object, ...],
        markets: list[str],
    ) -> None:
        """Store a product version and the answer to its delivery. `product` holds code, scheme,
        version, name, common name, national code, the rest of the master data as JSON, id and
        name of the marketing authorisation holder, and the designated wholesalers as JSON;
        `markets` are those of the version."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(
                "insert into product (product_code, scheme, version, name, common_name,"
                " national_code, article_fields, holder_id, holder_name, wholesalers)"
                " values ($1, $2, $3, $4, $5, $6, $7::text::jsonb, $8, $9, $10::text::jsonb)"
                " on conflict (product_code)"
                " do update set version = excluded.version, name = excluded.name,"
                " common_name = excluded.common_name, national_code = excluded.national_code,"
                " article_fields = excluded.article_fields, holder_id = excluded.holder_id,"
                " holder_name = excluded.holder_name, wholesalers = excluded.wholesalers"
                " where excluded.version >= product.version",
                *product,
            )
            await connection.execute(
                "insert into product_version (product_code, version, markets) values ($1, $2, $3)"
                " on conflict (product_code, version) do update set markets = excluded.markets",
                product[0],
                product[2],
                markets,
            )
            await connection.execute(_PUT_DELIVERY, delivery_id, result, now)

    async def put_recall(
        self, delivery_id: str, result: str, now: datetime, batch: tuple[str, str], reason: str
    ) -> None:
        """Store a recall of (product code, batch id) and the answer to its delivery."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(
                "update batch set recalled_at = coalesce(recalled_at, $3), recall_reason = $4"
                " where product_code = $1 and batch_id = $2",
                *batch,
                now,
                reason,
            )
            await connection.execute(_PUT_DELIVERY, delivery_id, result, now)

    async def put_withdrawal(
        self, delivery_id: str, result: str, now: datetime, product_code: str, reason: str
    ) -> None:
        """Store a product's withdrawal and the answer to its delivery."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(
                "update product set withdrawn_at = coalesce(withdrawn_at, $2),"
                " withdrawal_reason = $3 where product_code = $1",
                product_code,
                now,
                reason,
            )
            await connection.execute(_PUT_DELIVERY, delivery_id, result, now)

    async def put_packs(
        self,
        delivery_id: str,
        now: datetime,
        batch: tuple[str, str, int, str, int],
        rows: AsyncIterator[bytes],
        outcome: Callable[[], tuple[str, Shape | None]],
    ) -> None:
        """Store packs of a batch and the answer to their delivery. `batch` holds product code,
        batch id, number, expiry and product version; `rows` gives (pack key, serial number,
        batch number) in the binary form of COPY; `outcome`, asked when all rows were taken, gives
        the answer as JSON and the shape of the serial numbers."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(
                "insert into batch (product_code, batch_id, batch_number, expiry,"
                " product_version, first_uploaded_at) values ($1, $2, $3, $4, $5, $6)"
                " on conflict (product_code, batch_id) do nothing",
                *batch,
                now,
            )
            await connection.copy_to_table(
                "pack",
                source=rows,
                columns=["pack_key", "serial_number", "batch_number"],
                format="binary",
                timeout=_COPY_S_MAX,
            )
            result, serial_shape = outcome()
            if serial_shape is not None:
                await connection.execute(_JOIN_SERIAL_SHAPE, *batch[:2], *serial_shape)
            await connection.execute(_PUT_DELIVERY, delivery_id, result, now)
