"""Queries on what is made of serial numbers beside an upload: reports and digests."""

from __future__ import annotations

import msgspec

from emvs.serial_quality import SerialQuality
from hub.store.connections import Connection, Queryable


async def want_report(connection: Connection, request_number: int) -> None:
    """Note that an upload is to be looked at: its serial numbers are kept until it was."""
    await connection.execute(
        "insert into serial_quality (request_number) values ($1) on conflict do nothing",
        request_number,
    )


async def next_unreported(database: Queryable) -> int | None:
    """Return the request that has waited longest for its report."""
    number: int | None = await database.fetchval(
        "select request_number from serial_quality where report is null"
        " order by request_number limit 1"
    )
    return number


async def put_report(
    connection: Connection, request_number: int, report: SerialQuality | None
) -> None:
    """Store a report, and drop the serial numbers if no market waits for them any more.

    Locks the request, as settling a delivery does: one of the two sees the other.
    """
    await connection.execute("select 1 from request where number = $1 for update", request_number)
    await connection.execute(
        "update serial_quality set report = $2 where request_number = $1",
        request_number,
        msgspec.json.encode(report).decode(),
    )
    await connection.execute(
        "delete from request_serials where request_number = $1 and not exists"
        " (select from delivery where request_number = $1 and status = 'Waiting')",
        request_number,
    )


async def report_of(database: Queryable, request_number: int) -> SerialQuality | None:
    """Return the report on an upload, if there is one."""
    text: str | None = await database.fetchval(
        "select report::text from serial_quality where request_number = $1", request_number
    )
    return None if text is None else msgspec.json.decode(text, type=SerialQuality | None)


async def undigested_batch(
    database: Queryable, request_number: int
) -> tuple[str | None, str | None] | None:
    """Return product code and batch id of an upload, None if its digest is stored."""
    row = await database.fetchrow(
        "select product_code, batch_id from request where number = $1 and not exists"
        " (select from request_digest where request_number = $1)",
        request_number,
    )
    return None if row is None else (row["product_code"], row["batch_id"])


async def undigested(
    database: Queryable, product_codes: list[str], batch_ids: list[str]
) -> list[int]:
    """Return the valid uploads of batches whose digest is still to be made."""
    rows = await database.fetch(
        "select number from unnest($1::text[], $2::text[]) as asked (product_code, batch_id)"
        " join request using (product_code, batch_id)"
        " join serial_quality on request_number = number"
        " where report is null and not exists"
        " (select from request_digest as d where d.request_number = number) order by number",
        product_codes,
        batch_ids,
    )
    return [row["number"] for row in rows]


async def put_digest(database: Queryable, request_number: int, digest: bytes) -> None:
    """Store the digest over an upload's serial numbers (`emvs.batch_digest`)."""
    await database.execute(
        "insert into request_digest (request_number, digest) values ($1, $2)"
        " on conflict do nothing",
        request_number,
        digest,
    )
