"""Queries on EPCIS captures and the requests they became."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from hub.epcis.event_keys import Repeat
from hub.paging import Page
from hub.store.connections import Connection, Queryable, Row


@dataclass(frozen=True, slots=True)
class CaptureRow:
    """A capture."""

    number: int
    capture_id: str
    organisation_id: str
    behaviour: str
    created_at_ms: int
    event_count: int
    errors: list[dict[str, Any]]
    repeat_count: int
    repeats: list[Repeat]
    """The first of them."""
    digest: bytes | None
    """Of the document."""


@dataclass(frozen=True, slots=True)
class CaptureRequestRow:
    """A request that a capture became."""

    transaction_id: str
    message_type: str
    serial_count: int
    product_code: str | None
    batch_id: str | None
    checked: bool
    last_step: str | None
    checked_at_ms: int | None
    """When it was found valid or not."""
    defects: list[dict[str, Any]]
    """The first of them."""
    defect_count: int
    first_event: int | None
    """Position in the document of the first event that it was made of."""


async def insert_capture(connection: Connection, capture: CaptureRow) -> int:
    """Store a capture and return its number; the one given is not used."""
    number: int = await connection.fetchval(
        "insert into epcis_capture (capture_id, organisation_id, behaviour, created_at_ms,"
        " event_count, errors, repeat_count, repeats, digest)"
        " values ($1, $2, $3, $4, $5, $6::text::jsonb, $7, $8::text::jsonb, $9) returning number",
        capture.capture_id,
        capture.organisation_id,
        capture.behaviour,
        capture.created_at_ms,
        capture.event_count,
        msgspec.json.encode(capture.errors).decode(),
        capture.repeat_count,
        msgspec.json.encode(capture.repeats).decode(),
        capture.digest,
    )
    return number


async def insert_capture_requests(
    connection: Connection,
    number: int,
    requests: Sequence[tuple[int, int]],
    *,
    is_rollback: bool,
) -> None:
    """Note which requests a capture became, each with the position of its first event."""
    await connection.executemany(
        "insert into epcis_capture_request"
        " (request_number, capture_number, is_rollback, first_event) values ($1, $2, $3, $4)",
        [
            (request_number, number, is_rollback, first_event)
            for request_number, first_event in requests
        ],
    )


async def rollback_group(database: Queryable, request_number: int) -> list[int]:
    """Return the requests that are loaded together with this one or not at all; none if it stands
    alone."""
    rows = await database.fetch(
        "select o.request_number from epcis_capture_request m"
        " join epcis_capture_request o using (capture_number)"
        " where m.request_number = $1 and m.is_rollback order by 1",
        request_number,
    )
    return [row[0] for row in rows] if len(rows) > 1 else []


async def find_capture(database: Queryable, capture_id: str) -> CaptureRow | None:
    """Return a capture."""
    row = await database.fetchrow("select * from epcis_capture where capture_id = $1", capture_id)
    return _capture(row) if row else None


async def find_repeated(
    database: Queryable, organisation_id: str, digest: bytes, behaviour: str
) -> str | None:
    """Return the id of an organisation's last capture of the same document of which no request is
    invalid."""
    capture_id: str | None = await database.fetchval(
        "select capture_id from epcis_capture where organisation_id = $1 and digest = $2"
        " and behaviour = $3 and not exists (select from epcis_capture_request as c"
        " join request_step as s using (request_number)"
        " where c.capture_number = number and s.status = 'STIV') order by number desc limit 1",
        organisation_id,
        digest,
        behaviour,
    )
    return capture_id


async def list_captures(database: Queryable, organisation_id: str, page: Page) -> list[CaptureRow]:
    """Return a page of an organisation's captures."""
    rows = await database.fetch(
        "select * from epcis_capture where organisation_id = $1"  # noqa: S608 - constants.
        f" and {page.beyond('number', '$2')} {page.by('number')} limit $3",
        organisation_id,
        page.bound,
        page.limit,
    )
    return [_capture(row) for row in rows]


async def requests_of(database: Queryable, number: int) -> list[CaptureRequestRow]:
    """Return the requests a capture became, in their order."""
    rows = await database.fetch(
        "select r.transaction_id, r.message_type, r.serial_count, r.product_code, r.batch_id,"
        " r.checked, s.status as last_step, f.at_ms as checked_at_ms, r.defects::text as defects,"
        " r.defect_count, c.first_event"
        " from epcis_capture_request c join request r on r.number = c.request_number"
        " left join lateral (select status from request_step"
        " where request_number = r.number order by position desc limit 1) s on true"
        " left join request_step f on f.request_number = r.number and f.position = 0"
        " where c.capture_number = $1 order by r.number",
        number,
    )
    return [
        CaptureRequestRow(
            **{name: row[name] for name in CaptureRequestRow.__slots__ if name != "defects"},
            defects=msgspec.json.decode(row["defects"]),
        )
        for row in rows
    ]


async def is_batch_coming(
    database: Queryable, organisation_id: str, product_code: str, batch_id: str
) -> bool:
    """Tell whether a request of an organisation that nobody has looked at yet makes this batch."""
    found: bool = await database.fetchval(
        "select exists (select from request where not checked and message_type = 'PPDC'"
        " and organisation_id = $1 and product_code = $2 and batch_id = $3)",
        organisation_id,
        product_code,
        batch_id,
    )
    return found


async def manufacturer_of(database: Queryable, product_code: str) -> Any:
    """Return the marketing authorisation holder in a product's first market, None if unknown."""
    text: str | None = await database.fetchval(
        "select market_part::text from product_market where product_code = $1"
        " order by version desc, position limit 1",
        product_code,
    )
    return msgspec.json.decode(text).get("marketingAuthorisationHolder") if text else None


def _capture(row: Row) -> CaptureRow:
    return CaptureRow(
        row["number"],
        row["capture_id"],
        row["organisation_id"],
        row["behaviour"],
        row["created_at_ms"],
        row["event_count"],
        msgspec.json.decode(row["errors"]),
        row["repeat_count"],
        msgspec.json.decode(row["repeats"], type=list[Repeat]),
        row["digest"],
    )
