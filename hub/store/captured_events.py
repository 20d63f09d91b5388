"""Queries on the events that EPCIS captures have taken."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hub.epcis.event_keys import EventKey, KnownEvent
from hub.store.connections import Connection, Queryable, Rows, delete_some


class CapturedEvent(NamedTuple):
    """An event and the requests that its packs are in."""

    key: EventKey
    request_numbers: list[int]


async def known_events(
    database: Queryable, organisation_id: str, keys: Sequence[bytes]
) -> dict[bytes, KnownEvent]:
    """Return which of these events an organisation had captured before, by key; those of requests
    that are invalid are not among them."""
    rows = await database.fetch(
        "select key, epcis_event.digest, capture_id from epcis_event"
        " join epcis_capture on number = capture_number"
        " where epcis_event.organisation_id = $1 and key = any($2::bytea[])"
        " and not exists (select from request_step as s"
        " where s.request_number = any(request_numbers) and s.status = 'STIV')",
        organisation_id,
        keys,
    )
    return {row["key"]: KnownEvent(row["digest"], row["capture_id"]) for row in rows}


async def put_events(
    connection: Connection,
    organisation_id: str,
    capture_number: int,
    events: Iterable[CapturedEvent],
    at_ms: int,
) -> None:
    """Note which events a capture takes; what was noted of them before is forgotten."""
    rows = [
        (organisation_id, one.key.key, one.key.digest, capture_number, one.request_numbers, at_ms)
        for one in events
    ]
    await connection.execute(
        "delete from epcis_event where organisation_id = $1 and key = any($2::bytea[])",
        organisation_id,
        [row[1] for row in rows],
    )
    columns = ("organisation_id", "key", "digest", "capture_number", "request_numbers", "at_ms")
    await connection.copy_records_to_table("epcis_event", records=rows, columns=columns)


async def forget_events(database: Queryable, before_ms: int, count_max: int) -> int:
    """Forget events captured before a time; return how many."""
    rows = Rows("epcis_event", "organisation_id, key", "at_ms < $1")
    return await delete_some(database, rows, before_ms, count_max)
