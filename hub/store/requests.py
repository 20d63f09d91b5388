"""Queries on requests: taken in, looked at, told about."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from emvs.obp_messages import Defect
from hub.paging import Page
from hub.store.connections import Connection, Queryable, Row, changed_count
from hub.store.notices import put_step_notice
from hub.uploads import Upload


@dataclass(frozen=True, slots=True)
class RequestRow:
    """A request without its content."""

    number: int
    transaction_id: str
    organisation_id: str
    client_id: str
    message_type: str
    received_at_ms: int
    digest: bytes
    serial_count: int
    product_code: str | None
    batch_id: str | None
    product_version: int | None


@dataclass(frozen=True, slots=True)
class UncheckedRequest:
    """A request whose turn it is, with its content."""

    row: RequestRow
    message: bytes
    serials: bytes | None


@dataclass(frozen=True, slots=True)
class Remarks:
    """What the hub has to say about a request."""

    defects: list[Defect]
    defect_count: int
    warnings: list[Defect]


def _to_row(row: Row) -> RequestRow:
    return RequestRow(**{name: row[name] for name in RequestRow.__slots__})


async def insert_request(
    connection: Connection, upload: Upload, *, organisation_id: str, client_id: str, at_ms: int
) -> RequestRow | None:
    """Store a request; return None if there is one with its transaction id."""
    number = await connection.fetchval(
        "insert into request (transaction_id, organisation_id, client_id, message_type,"
        " received_at_ms, digest, message, serial_count, product_code, batch_id)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
        " on conflict (transaction_id) do nothing returning number",
        upload.transaction_id,
        organisation_id,
        client_id,
        upload.message_type,
        at_ms,
        upload.digest,
        upload.message,
        upload.serial_count,
        upload.product_code,
        upload.batch_id,
    )
    if number is None:
        return None
    if upload.serials is not None:
        await connection.execute(
            "insert into request_serials (request_number, serials) values ($1, $2)",
            number,
            upload.serials,
        )
    return await find_request(connection, number=number)


async def find_request(
    database: Queryable, *, transaction_id: str | None = None, number: int | None = None
) -> RequestRow | None:
    """Return the request with the sender's transaction id or the hub's number."""
    row = await database.fetchrow(
        "select * from request_row where transaction_id = $1 or number = $2",
        transaction_id,
        number,
    )
    return _to_row(row) if row else None


async def unchecked_count(database: Queryable) -> int:
    """Return how many requests wait to be looked at."""
    count: int = await database.fetchval("select count(*) from request where not checked")
    return count


async def lock_next_unchecked(connection: Connection) -> UncheckedRequest | None:
    """Return the oldest request not looked at, locked against a second worker."""
    row = await connection.fetchrow(
        "select number, message from request where not checked order by number limit 1 for update"
    )
    return None if row is None else await _unchecked(connection, row)


async def lock_unchecked(connection: Connection, number: int) -> UncheckedRequest | None:
    """Return one that was not looked at, locked likewise."""
    row = await connection.fetchrow(
        "select number, message from request where not checked and number = $1 for update", number
    )
    return None if row is None else await _unchecked(connection, row)


async def _unchecked(connection: Connection, row: Row) -> UncheckedRequest:
    found = await find_request(connection, number=row["number"])
    assert found is not None, "requests are never deleted"
    serials = await serials_of(connection, found.number)
    return UncheckedRequest(found, row["message"], serials)


async def serials_of(database: Queryable, number: int) -> bytes | None:
    """Return a request's serial numbers as a JSON array, None once they are dropped."""
    serials: bytes | None = await database.fetchval(
        "select serials from request_serials where request_number = $1", number
    )
    return serials


async def finish_check(
    connection: Connection, number: int, *, product_version: int | None, remarks: Remarks
) -> None:
    """Note that a request was looked at, and what there is to say."""
    await connection.execute(
        "update request set checked = true, product_version = $2, defects = $3,"
        " defect_count = $4, warnings = $5 where number = $1",
        number,
        product_version,
        msgspec.json.encode(remarks.defects).decode(),
        remarks.defect_count,
        msgspec.json.encode(remarks.warnings).decode(),
    )


async def add_step(connection: Connection, number: int, status: str, at_ms: int) -> None:
    """Add a step to a request's history, and tell its sender. The caller holds the row locked."""
    await connection.execute(
        "insert into request_step (request_number, position, status, at_ms)"
        " select $1, count(*), $2, $3 from request_step where request_number = $1",
        number,
        status,
        at_ms,
    )
    await put_step_notice(connection, number, status, at_ms)


async def drop_serials(connection: Connection, number: int) -> None:
    """Drop a request's serial numbers (Art. 33: the hub stores none), unless a report on them is
    still to be made, which then drops them (`hub.store.quality`)."""
    await connection.execute(
        "delete from request_serials where request_number = $1 and not exists"
        " (select from serial_quality where request_number = $1 and report is null)",
        number,
    )


async def remarks_on(database: Queryable, number: int) -> Remarks:
    """Return what the hub has to say about a request."""
    row = await database.fetchrow(
        "select defects, defect_count, warnings from request where number = $1", number
    )
    assert row is not None, "requests are never deleted"
    return Remarks(
        msgspec.json.decode(row["defects"], type=list[Defect]),
        row["defect_count"],
        msgspec.json.decode(row["warnings"], type=list[Defect]),
    )


async def steps_of(database: Queryable, number: int) -> list[tuple[str, int]]:
    """Return a request's steps, each with its time in milliseconds."""
    rows = await database.fetch(
        "select status, at_ms from request_step where request_number = $1 order by position",
        number,
    )
    return [(row["status"], row["at_ms"]) for row in rows]


async def list_requests(
    database: Queryable, organisation_id: str, page: Page
) -> list[tuple[RequestRow, str | None]]:
    """Return a page of an organisation's requests, each with its last step."""
    rows = await database.fetch(
        "select *, (select status from request_step"  # noqa: S608 - constants.
        " where request_number = number order by position desc limit 1) as last_step"
        f" from request_row where organisation_id = $1 and {page.beyond('number', '$2')}"
        f" {page.by('number')} limit $3",
        organisation_id,
        page.bound,
        page.limit,
    )
    return [(_to_row(row), row["last_step"]) for row in rows]


async def forget_serials_in_remarks(database: Queryable, before_ms: int, count_max: int) -> int:
    """Drop the serial numbers from remarks older than a time; return how many had some.

    Only values go: which rule was broken where, and which market rejected the packs, stays.
    """
    status = await database.execute(
        "update request set defects = (select jsonb_agg("
        " case when defect->>'field' like 'serialNumbers[%'"
        " then jsonb_set(defect, '{value}', 'null') else defect end order by position)"
        " from jsonb_array_elements(defects) with ordinality as listed (defect, position))"
        " where number in (select number from request where received_at_ms < $1 and defects"
        """ @? '$[*] ? (@.field starts with "serialNumbers[" && @.value != null)' limit $2)""",
        before_ms,
        count_max,
    )
    return changed_count(status)


async def drop_messages(database: Queryable, before_ms: int, count_max: int) -> int:
    """Drop the content of requests older than a time that wait for nothing; return how many."""
    status = await database.execute(
        "update request set message = '' where number in (select number from request"
        " where message <> '' and received_at_ms < $1 and checked and not exists"
        " (select from delivery where request_number = request.number and status = 'Waiting')"
        " limit $2)",
        before_ms,
        count_max,
    )
    return changed_count(status)
