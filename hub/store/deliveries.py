"""Queries on deliveries: put into the outbox, tried, ended, told about.

Their order is `hub.store.delivery_lines`'.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from emvs.interconnect import RefusedSerial
from emvs.obp_messages import MarketStatus, UnloadedPack
from emvs.state_deliveries import StatesResult
from hub.store.connections import Connection, Queryable, changed_count
from hub.store.delivery_lines import WaitingDelivery


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """What one national system has to be told."""

    system: str
    markets: Sequence[str]
    kind: str
    body: bytes
    """JSON; of packs everything but the serial numbers."""
    due_at_ms: int = 0
    """Not told before, by the system's clock."""


@dataclass(frozen=True, slots=True)
class DeliveryEnd:
    """How a delivery ended."""

    status: MarketStatus
    error: str | None = None
    loaded_count: int = 0
    refused_count: int = 0
    refused: Sequence[UnloadedPack] = ()
    """The first of them."""
    further: Sequence[RefusedSerial] = ()
    """All of them as they were answered, if there are more than the first."""
    packs: StatesResult | None = None
    """Of state updates and verifications, if they were answered."""
    refused_digest: bytes | None = None
    """Over the serial numbers of packs that were not loaded (`emvs.batch_digest`)."""


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A delivery as a request's status shows it."""

    system: str
    markets: list[str]
    status: MarketStatus
    attempts: int
    last_error: str | None
    settled_at_ms: int | None
    loaded_count: int
    refused_count: int
    refused: list[UnloadedPack]
    outcomes: dict[str, int]
    created_at_ms: int
    due_at_ms: int


async def insert_deliveries(
    connection: Connection,
    request_number: int | None,
    deliveries: Sequence[NewDelivery],
    at_ms: int,
) -> None:
    """Put deliveries at the end of their systems' lines."""
    await connection.executemany(
        "insert into delivery (request_number, system, markets, kind, body, created_at_ms,"
        " due_at_ms) values ($1, $2, $3, $4, $5, $6, $7)",
        [
            (
                request_number,
                new.system,
                list(new.markets),
                new.kind,
                new.body,
                at_ms,
                new.due_at_ms,
            )
            for new in deliveries
        ],
    )


async def body_of(database: Queryable, number: int) -> bytes:
    """Return a delivery's body without serial numbers."""
    body: bytes = await database.fetchval("select body from delivery where number = $1", number)
    return body


async def note_failure(
    database: Queryable, number: int, error: str, at_ms: int, *, is_attempt: bool = True
) -> int:
    """Note an attempt that did not succeed, or why none is made; return since when it is so.

    The delivery stays where it is. `at_ms` counts if nothing was noted before.
    """
    since_ms: int = await database.fetchval(
        "update delivery set attempts = attempts + $4, last_error = $2,"
        " failing_since_ms = coalesce(failing_since_ms, $3) where number = $1"
        " returning failing_since_ms",
        number,
        error,
        at_ms,
        int(is_attempt),
    )
    return since_ms


async def settle(
    connection: Connection, delivery: WaitingDelivery, end: DeliveryEnd, at_ms: int
) -> bool:
    """Note how a delivery ended and drop its body; return whether it was waiting until now.

    Locks the request first: of two markets that end at once, the later one sees the earlier. An
    attempt that was answered is counted here; one that failed has been (`note_failure`).
    """
    await connection.execute(
        "select 1 from request where number = $1 for update", delivery.request_number
    )
    status = await connection.execute(
        "update delivery set status = $2, last_error = $3, settled_at_ms = $4, loaded_count = $5,"
        " refused_count = $6, refused_serials = $7, attempts = attempts + $8, body = '',"
        " refused_digest = $9"
        " where number = $1 and status = 'Waiting'",
        delivery.number,
        end.status.value,
        end.error,
        at_ms,
        end.loaded_count,
        end.refused_count,
        msgspec.json.encode(end.refused).decode(),
        0 if end.status is MarketStatus.FAILED else 1,
        end.refused_digest,
    )
    return changed_count(status) == 1


async def statuses_of(database: Queryable, request_number: int) -> list[MarketStatus]:
    """Return the status of each delivery of a request."""
    rows = await database.fetch(
        "select status from delivery where request_number = $1", request_number
    )
    return [MarketStatus(row["status"]) for row in rows]


async def deliveries_of(database: Queryable, request_number: int) -> list[DeliveryRow]:
    """Return the deliveries of a request in their order."""
    rows = await database.fetch(
        "select * from delivery where request_number = $1 order by number", request_number
    )
    return [
        DeliveryRow(
            row["system"],
            row["markets"],
            MarketStatus(row["status"]),
            row["attempts"],
            row["last_error"],
            row["settled_at_ms"],
            row["loaded_count"],
            row["refused_count"],
            msgspec.json.decode(row["refused_serials"], type=list[UnloadedPack]),
            msgspec.json.decode(row["outcomes"], type=dict[str, int]),
            row["created_at_ms"],
            row["due_at_ms"],
        )
        for row in rows
    ]


async def forget_refused_serials(database: Queryable, before_ms: int, count_max: int) -> int:
    """Drop the serial numbers from answers older than a time; return how many had some."""
    status = await database.execute(
        "update delivery set refused_serials = '[]' where number in (select number from delivery"
        " where refused_serials <> '[]' and settled_at_ms < $1 limit $2)",
        before_ms,
        count_max,
    )
    return changed_count(status)
