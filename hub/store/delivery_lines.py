"""Queries on the lines of the outbox: which delivery is a system's next, and what waits."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from hub.store.connections import Connection, Queryable, Row, changed_count


@dataclass(frozen=True, slots=True)
class WaitingDelivery:
    """A delivery whose turn comes; its body is read when it does."""

    number: int
    request_number: int | None
    """None of changes that a national system has sent; so are the next two."""
    message_type: str | None
    received_at_ms: int | None
    kind: str
    created_at_ms: int
    product_code: str | None = None
    """None of changes, which are of many products."""
    batch_id: str | None = None
    """None of what is about a whole product."""


@dataclass(frozen=True, slots=True)
class QueueRow:
    """What waits for one national system."""

    system: str
    waiting_count: int
    oldest_at_ms: int
    attempts: int
    """Of the first in line."""
    last_error: str | None


async def waiting_counts(database: Queryable) -> dict[str, int]:
    """Return how many deliveries wait, by national system."""
    rows = await database.fetch(
        "select system, count(*) as waiting from delivery where status = 'Waiting' group by system"
    )
    return {row["system"]: row["waiting"] for row in rows}


async def waiting_count(database: Queryable, system: str) -> int:
    """Return how many deliveries wait for a national system."""
    count: int = await database.fetchval(
        "select count(*) from delivery where status = 'Waiting' and system = $1", system
    )
    return count


_ALWAYS_MS = 2**62
_WAITING = (
    "select d.number, request_number, message_type, received_at_ms, kind, created_at_ms,"
    " product_code, batch_id from delivery d left join request on request.number = request_number"
    " where system = $1 and status = 'Waiting'"
)
_BEFORE = (
    " not exists (select from delivery b join request r on r.number = b.request_number"
    " where b.system = $1 and b.status = 'Waiting' and b.number < d.number"
    " and r.product_code = any($3::text[])"
)
# What is about a batch waits for what is held of this batch and for what is about the product
# before it; what is about a product waits for everything that is held of it; a change waits for
# products and packs before it, as it may be of these packs.
_NOT_HELD = (
    " and case when kind = 'changes' then not $5"
    f" and {_BEFORE} and b.kind in ('products', 'packs'))"
    " when batch_id is null then product_code <> all($3::text[])"
    " else not exists (select from unnest($3::text[], $4::text[]) h (product_code, batch_id)"
    " where h.product_code = request.product_code"
    " and (h.batch_id is null or h.batch_id = request.batch_id))"
    f" and {_BEFORE} and r.product_code = request.product_code and r.batch_id is null) end"
)

# What is not due yet holds back what is of the same product, and changes.
_DUE = (
    " and d.due_at_ms <= $6 and not exists (select from delivery b"
    " join request r on r.number = b.request_number where b.system = $1 and b.status = 'Waiting'"
    " and b.number < d.number and b.due_at_ms > $6 and b.due_at_ms > 0"
    " and (d.kind = 'changes' or r.product_code = request.product_code))"
)


async def next_waiting(
    database: Queryable,
    system: str,
    count_max: int,
    *,
    held: Collection[tuple[str, str | None]] = (),
    changes_held: bool = False,
    now_ms: int | None = None,
) -> list[WaitingDelivery]:
    """Return the first in a national system's line, without those that are held or wait for one.

    `held` are products, or batches of products. With `now_ms`, those that are due by then.
    """
    rows = await database.fetch(
        f"{_WAITING}{_NOT_HELD}{_DUE} order by d.number limit $2",
        system,
        count_max,
        [product_code for product_code, _ in held],
        [batch_id for _, batch_id in held],
        changes_held,
        _ALWAYS_MS if now_ms is None else now_ms,
    )
    return [_waiting(row) for row in rows]


async def next_due_ms(database: Queryable, system: str, now_ms: int) -> int | None:
    """Return when the next delivery that is not due yet will be."""
    at_ms: int | None = await database.fetchval(
        "select min(due_at_ms) from delivery where system = $1 and status = 'Waiting'"
        " and due_at_ms > $2 and due_at_ms > 0",
        system,
        now_ms,
    )
    return at_ms


async def waiting_since(
    database: Queryable,
    system: str,
    *,
    created_until_ms: int,
    but_kinds: Sequence[str],
    product_code: str | None,
    batch_id: str | None,
    count_max: int,
) -> list[WaitingDelivery]:
    """Return the first in a national system's line that were put there until a time, of one batch,
    one product or all, and not of some kinds."""
    rows = await database.fetch(
        f"{_WAITING} and created_at_ms <= $2 and kind <> all($3::text[])"
        " and ($4::text is null or product_code = $4)"
        " and ($5::text is null or batch_id = $5) order by d.number limit $6",
        system,
        created_until_ms,
        list(but_kinds),
        product_code,
        batch_id,
        count_max,
    )
    return [_waiting(row) for row in rows]


def _waiting(row: Row) -> WaitingDelivery:
    return WaitingDelivery(**{name: row[name] for name in WaitingDelivery.__slots__})


async def lock_last_changes(connection: Connection, system: str) -> tuple[int, bytes] | None:
    """Return number and body of the last in a national system's line if it carries changes."""
    row = await connection.fetchrow(
        "select number, kind, body from delivery where system = $1 and status = 'Waiting'"
        " order by number desc limit 1 for update",
        system,
    )
    return (row["number"], row["body"]) if row and row["kind"] == "changes" else None


async def put_body(connection: Connection, number: int, body: bytes) -> None:
    """Give a delivery of changes a body that holds more of them."""
    await connection.execute("update delivery set body = $2 where number = $1", number, body)


async def drop_changes(database: Queryable, number: int, sent_bytes: int) -> bool:
    """Delete a delivery of changes, unless it has grown since it was sent; tell which."""
    status = await database.execute(
        "delete from delivery where number = $1 and request_number is null"
        " and octet_length(body) = $2",
        number,
        sent_bytes,
    )
    return changed_count(status) == 1


async def queues(database: Queryable) -> list[QueueRow]:
    """Return each line that is not empty."""
    rows = await database.fetch(
        "select system, waiting_count, oldest_at_ms, attempts, last_error from"
        " (select system, count(*) as waiting_count, min(number) as first,"
        " min(created_at_ms) as oldest_at_ms from delivery where status = 'Waiting'"
        " group by system) as line"
        " join (select number, attempts, last_error from delivery) as head on number = first"
        " order by system"
    )
    return [QueueRow(**{name: row[name] for name in QueueRow.__slots__}) for row in rows]
