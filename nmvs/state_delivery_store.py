"""Queries on deliveries of manufacturers' operations: begun, recorded, answered. No rule here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from emvs.infra.database import Database


class BegunDelivery(NamedTuple):
    """What is kept of a delivery besides its answer."""

    delivery_id: str
    begun_at: datetime
    location_number: int
    operation: int
    product_code: str
    batch_id: str
    pack_count: int
    reason: str | None
    requested_at: datetime | None


class RecordedPack(NamedTuple):
    """What the audit trail says about one pack of a delivery."""

    at: datetime
    outcome: int
    state_after: int
    alert_id: str | None


class StateDeliveryStore:
    """Queries of `nmvs.state_deliveries`; the answer itself is in `nmvs.delivery_store`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, delivery: BegunDelivery) -> bool:
        """Note that a delivery begins; return whether it had begun before."""
        status = await self._database.pool.execute(
            "insert into state_delivery values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
            " on conflict do nothing",
            *delivery,
        )
        return status == "INSERT 0 0"

    async def recorded(
        self, delivery_id: str, pack_keys: Sequence[bytes]
    ) -> dict[bytes, RecordedPack]:
        """Return those of these packs that the delivery has been carried out on."""
        rows = await self._database.pool.fetch(
            "select pack_key, recorded_at, outcome, state_after, alert_id from trail"
            " where pack_key = any($1::uuid[]) and client_transaction_id = $2 and dialect = 'hub'",
            pack_keys,
            delivery_id,
        )
        return {row[0]: RecordedPack(*row[1:]) for row in rows}
