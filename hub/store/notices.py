"""Queries on notices: what each organisation has to be told, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from emvs.callback_messages import URGENT_TYPES, NoticeStatus, StatusNotice
from emvs.limits import NOTICES_WAITING_MAX
from emvs.obp_messages import Defect
from hub.hub_ids import hub_transaction_id
from hub.market_entries import market_entries
from hub.paging import Page
from hub.store.connections import Connection, Queryable, Row, Rows, changed_count, delete_some
from hub.store.deliveries import deliveries_of

_LOCK: Final = 7_165_011
_DEFECTS_TOLD_MAX: Final = 100
_ATTEMPTS_KEPT: Final = 50
_COLUMNS: Final = (
    "number, organisation_id, message_type, created_at_ms, content, status, attempt_count,"
    " failure_count, next_attempt_at_ms, failing_since_ms, ended_at_ms"
)


@dataclass(frozen=True, slots=True)
class NewNotice:
    """What an organisation has to be told."""

    organisation_id: str
    event_key: str
    """The same event is told an organisation once."""
    message_type: str
    content: bytes
    """JSON object."""


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """A notice."""

    number: int
    organisation_id: str
    message_type: str
    created_at_ms: int
    content: bytes
    status: NoticeStatus
    attempt_count: int
    failure_count: int
    """In a row, since it was last put in line."""
    next_attempt_at_ms: int
    failing_since_ms: int | None
    ended_at_ms: int | None


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One attempt to deliver a notice."""

    at_ms: int
    url: str
    http_status: int | None
    error: str | None
    """None: it was taken."""
    duration_ms: int


def _notice(row: Row) -> NoticeRow:
    members = {name: row[name] for name in NoticeRow.__slots__}
    return NoticeRow(**members | {"status": NoticeStatus(row["status"])})


async def lock_notices(connection: Connection) -> None:
    """Be the only transaction that puts notices in line, until it ends.

    Numbers become visible in their order then, so that a reader who goes on from the last one it
    saw misses nothing.
    """
    await connection.execute("select pg_advisory_xact_lock($1, hashtext(current_schema()))", _LOCK)


async def put_notices(connection: Connection, notices: Sequence[NewNotice], at_ms: int) -> None:
    """Put notices in line, durable with the event they tell of; known ones are left as they are.

    Without a callback endpoint, or while too many wait, a notice is stored only.
    """
    if not notices:
        return
    await lock_notices(connection)
    await connection.execute(
        "insert into notice (organisation_id, event_key, message_type, is_urgent, created_at_ms,"
        " content, status, next_attempt_at_ms)"
        " select organisation_id, event_key, message_type, is_urgent, $6, content, case when exists"
        " (select from callback_endpoint as e"
        " where e.organisation_id = new.organisation_id and is_primary)"
        " and (is_urgent or not exists (select from notice as w"
        " where w.organisation_id = new.organisation_id and w.status = 'Waiting' offset $7))"
        " then 'Waiting' else 'Stored' end, $6"
        " from unnest($1::text[], $2::text[], $3::text[], $4::boolean[], $5::bytea[])"
        " as new (organisation_id, event_key, message_type, is_urgent, content)"
        " on conflict (organisation_id, event_key) do nothing",
        [new.organisation_id for new in notices],
        [new.event_key for new in notices],
        [new.message_type for new in notices],
        [new.message_type in URGENT_TYPES for new in notices],
        [new.content for new in notices],
        at_ms,
        NOTICES_WAITING_MAX - 1,
    )


async def put_step_notice(
    connection: Connection, request_number: int, status: str, at_ms: int
) -> None:
    """Put in line that a request went through a step."""
    row = await connection.fetchrow(
        "select organisation_id, message_type, transaction_id, received_at_ms, product_code,"
        " batch_id, defect_count, defects from request where number = $1",
        request_number,
    )
    assert row is not None, "requests are never deleted"
    content = StatusNotice(
        row["message_type"],
        row["transaction_id"],
        hub_transaction_id(row["message_type"], row["received_at_ms"], request_number),
        status,
        row["product_code"],
        row["batch_id"],
        row["defect_count"],
    )
    defects = msgspec.json.decode(row["defects"], type=list[Defect])
    content.defects = [_without_serial(defect) for defect in defects[:_DEFECTS_TOLD_MAX]]
    if status in {"STDS", "STDF"}:
        deliveries = await deliveries_of(connection, request_number)
        content.markets = market_entries(deliveries, defects, with_serials=False)
    notice = NewNotice(
        row["organisation_id"],
        f"{status}:{request_number}",
        status,
        msgspec.json.encode(content),
    )
    await put_notices(connection, [notice], at_ms)


def _without_serial(defect: Defect) -> Defect:
    # Serial numbers stay in as few places as possible (Art. 33); the position tells which it is.
    return replace(defect, value=None) if defect.field.startswith("serialNumbers[") else defect


async def organisations_due(database: Queryable, now_ms: int) -> list[str]:
    """Return who has an endpoint and a notice whose time has come, the longest due first."""
    rows = await database.fetch(
        "select organisation_id from callback_endpoint as e cross join lateral"
        " (select next_attempt_at_ms from notice as n where n.organisation_id = e.organisation_id"
        " and status = 'Waiting' and next_attempt_at_ms <= $1"
        " order by next_attempt_at_ms limit 1) as first"
        " where is_primary order by next_attempt_at_ms",
        now_ms,
    )
    return [row["organisation_id"] for row in rows]


async def due_notices(
    database: Queryable, organisation_id: str, now_ms: int, count_max: int
) -> list[NoticeRow]:
    """Return an organisation's notices whose time has come: urgent ones first, then in order."""
    rows = await database.fetch(
        f"select {_COLUMNS} from notice where organisation_id = $1"  # noqa: S608 - a constant.
        " and status = 'Waiting' and next_attempt_at_ms <= $2"
        " order by is_urgent desc, number limit $3",
        organisation_id,
        now_ms,
        count_max,
    )
    return [_notice(row) for row in rows]


async def note_attempt(
    connection: Connection,
    notice: NoticeRow,
    attempt: AttemptRow,
    *,
    status: NoticeStatus,
    next_attempt_at_ms: int,
) -> bool:
    """Note an attempt and what follows from it; return whether the notice was in line as before.

    If it was put in line anew meanwhile, or taken out as its endpoint is gone, a failure counts
    for nothing.
    """
    as_before: bool | None = await connection.fetchval(
        "select status = 'Waiting' and next_attempt_at_ms = $2 from notice where number = $1"
        " for update",
        notice.number,
        notice.next_attempt_at_ms,
    )
    if as_before is None:
        return False
    position = await connection.fetchval(
        "update notice set attempt_count = attempt_count + 1 where number = $1"
        " returning attempt_count",
        notice.number,
    )
    if as_before or attempt.error is None:
        await connection.execute(
            "update notice set status = $2, next_attempt_at_ms = $3,"
            " failure_count = case when $5 then failure_count + 1 else 0 end,"
            " failing_since_ms = case when $5 then coalesce(failing_since_ms, $4) end,"
            " ended_at_ms = case when $2 <> 'Waiting' then $4::bigint end where number = $1",
            notice.number,
            status.value,
            next_attempt_at_ms,
            attempt.at_ms,
            attempt.error is not None,
        )
    await _add_attempt(connection, notice.number, attempt, position)
    return as_before


async def _add_attempt(
    connection: Connection, number: int, attempt: AttemptRow, position: int
) -> None:
    await connection.execute(
        "insert into notice_attempt (notice_number, position, at_ms, url, http_status, error,"
        " duration_ms) values ($1, $2, $3, $4, $5, $6, $7)",
        number,
        position,
        attempt.at_ms,
        attempt.url,
        attempt.http_status,
        attempt.error,
        attempt.duration_ms,
    )
    if position > _ATTEMPTS_KEPT:
        await connection.execute(
            "delete from notice_attempt where notice_number = $1 and position <= $2",
            number,
            position - _ATTEMPTS_KEPT,
        )


async def list_notices(
    database: Queryable,
    organisation_id: str,
    page: Page,
    *,
    message_type: str | None,
    status: NoticeStatus | None,
) -> list[tuple[NoticeRow, AttemptRow | None]]:
    """Return a page of an organisation's notices, each with the last attempt at it; None filters
    nothing."""
    rows = await database.fetch(
        f"select {_COLUMNS}, a.* from notice left join lateral"  # noqa: S608 - constants.
        " (select at_ms, url, http_status, error, duration_ms from notice_attempt"
        " where notice_number = number order by position desc limit 1) as a on true"
        f" where organisation_id = $1 and {page.beyond('number', '$2')}"
        " and ($4::text is null or message_type = $4) and ($5::text is null or status = $5)"
        f" {page.by('number')} limit $3",
        organisation_id,
        page.bound,
        page.limit,
        message_type,
        status,
    )
    return [
        (
            _notice(row),
            None
            if row["at_ms"] is None
            else AttemptRow(**{name: row[name] for name in AttemptRow.__slots__}),
        )
        for row in rows
    ]


async def find_notice(
    database: Queryable, organisation_id: str, number: int
) -> tuple[NoticeRow, list[AttemptRow]] | None:
    """Return an organisation's notice with the attempts at it that are kept, oldest first."""
    row = await database.fetchrow(
        f"select {_COLUMNS} from notice where number = $1 and organisation_id = $2",  # noqa: S608
        number,
        organisation_id,
    )
    if row is None:
        return None
    attempts = await database.fetch(
        "select at_ms, url, http_status, error, duration_ms from notice_attempt"
        " where notice_number = $1 order by position",
        number,
    )
    return _notice(row), [AttemptRow(**dict(attempt)) for attempt in attempts]


async def put_in_line_again(
    database: Queryable,
    organisation_id: str,
    now_ms: int,
    *,
    number: int | None = None,
    after: int = 0,
    statuses: Sequence[NoticeStatus] = (),
    message_types: Sequence[str] = (),
    count_max: int = NOTICES_WAITING_MAX,
) -> int:
    """Have notices sent anew, as if for the first time: the one with this number, or those after a
    number that have these statuses (and types, if any are named). Return how many."""
    changed = await database.execute(
        "update notice set status = 'Waiting', failure_count = 0, failing_since_ms = null,"
        " ended_at_ms = null, next_attempt_at_ms = $2 where number in"
        " (select number from notice where organisation_id = $1 and ($3::bigint is null"
        " or number = $3) and number > $4 and (number = $3 or status = any($5::text[]))"
        " and (cardinality($6::text[]) = 0 or message_type = any($6)) order by number limit $7)",
        organisation_id,
        now_ms,
        number,
        after,
        list(statuses),
        list(message_types),
        count_max,
    )
    return changed_count(changed)


async def stop_waiting(connection: Connection, organisation_id: str) -> None:
    """Send nothing more of what waits: there is no callback endpoint left."""
    await connection.execute(
        "update notice set status = 'Stored' where organisation_id = $1 and status = 'Waiting'",
        organisation_id,
    )


async def waiting_count(database: Queryable, organisation_id: str) -> int:
    """Return how many notices wait for an organisation's endpoint."""
    count: int = await database.fetchval(
        "select count(*) from notice where organisation_id = $1 and status = 'Waiting'",
        organisation_id,
    )
    return count


async def forget_notices(database: Queryable, before_ms: int, count_max: int) -> int:
    """Drop notices made before a time that do not wait, recalls and withdrawals excepted; return
    how many. Those have `forget_urgent_notices`."""
    rows = Rows("notice", "number", "status <> 'Waiting' and not is_urgent and created_at_ms < $1")
    return await delete_some(database, rows, before_ms, count_max)


async def forget_urgent_notices(database: Queryable, before_ms: int, count_max: int) -> int:
    """Drop recalls and withdrawals told before a time, even if nobody has taken them; return how
    many."""
    rows = Rows("notice", "number", "is_urgent and created_at_ms < $1")
    return await delete_some(database, rows, before_ms, count_max)
