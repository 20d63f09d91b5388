"""Queries on alerts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from emvs.alert_messages import AlertReport
from hub.alert_filters import AlertFilter
from hub.store.connections import Connection, Queryable, Row, Rows, changed_count, delete_some

_COLUMNS = "position, number, system, organisation_id, received_at_ms, report::text"
_LOCK = 7_165_010


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """An alert, and where it stands in its owner's list."""

    position: int
    number: int
    system: str
    organisation_id: str | None
    """The owner's; None if the product code belongs to nobody here."""
    received_at_ms: int
    report: AlertReport


async def put_reports(
    connection: Connection, system: str, reports: Sequence[AlertReport], now_ms: int
) -> None:
    """Store reports of a national system; those that are out of date change nothing."""
    # Positions become visible in their order, so that a reader who goes on from the last position
    # it saw misses nothing: one transaction at a time draws them.
    await connection.execute("select pg_advisory_xact_lock($1)", _LOCK)
    await connection.executemany(
        "insert into alert (alert_id, position, system, organisation_id, code, product_code,"
        " state, revision, received_at_ms, changed_at_ms, report)"
        " values ($1, nextval('alert_position'), $2,"
        " (select organisation_id from product where product_code = $3), $4, $3, $5, $6, $7, $7,"
        " $8::jsonb)"
        " on conflict (alert_id) do update set position = excluded.position,"
        " organisation_id = coalesce(alert.organisation_id, excluded.organisation_id),"
        " state = excluded.state, revision = excluded.revision,"
        " changed_at_ms = excluded.changed_at_ms, report = excluded.report"
        " where alert.revision < excluded.revision and alert.system = excluded.system",
        [
            (
                report.alertId,
                system,
                report.productCode,
                report.code,
                report.state,
                report.revision,
                now_ms,
                msgspec.json.encode(report).decode(),
            )
            for report in reports
        ],
    )


async def find_alert(
    database: Queryable, alert_id: str, organisation_id: str
) -> StoredAlert | None:
    """Return an alert of an organisation."""
    row = await database.fetchrow(
        f"select {_COLUMNS} from alert where alert_id = $1 and organisation_id = $2",  # noqa: S608 - a constant.
        alert_id,
        organisation_id,
    )
    return None if row is None else _stored(row)


async def owned_alerts(
    database: Queryable, alert_ids: Sequence[str]
) -> dict[str, tuple[str, StoredAlert]]:
    """Return those of the alerts whose product belongs to somebody, each with that organisation."""
    rows = await database.fetch(
        f"select organisation_id, {_COLUMNS} from alert"  # noqa: S608 - a constant.
        " where alert_id = any($1::text[]) and organisation_id is not null",
        list(alert_ids),
    )
    found = [(row["organisation_id"], _stored(row)) for row in rows]
    return {alert.report.alertId: (owner, alert) for owner, alert in found}


async def list_alerts(
    database: Queryable,
    wanted: AlertFilter,
    *,
    organisation_id: str | None,
    ownerless: bool = False,
) -> list[StoredAlert]:
    """Return a page of alerts, by position, of one organisation, of nobody or of all."""
    page = wanted.page
    rows = await database.fetch(
        f"select {_COLUMNS} from alert where {page.beyond('position', '$1')}"  # noqa: S608 - constants.
        " and ($3::text is null or code = $3) and ($4::text is null or product_code = $4)"
        " and ($5::text is null or state = $5) and ($6::text is null or left(alert_id, 2) = $6)"
        " and ($7::bigint is null or (report ->> 'raisedAt')::bigint >= $7)"
        " and ($8::bigint is null or (report ->> 'raisedAt')::bigint < $8)"
        " and ($9::text is null or organisation_id = $9)"
        f" and (not $10 or organisation_id is null) {page.by('position')} limit $2",
        page.bound,
        page.limit,
        *wanted[1:],
        organisation_id,
        ownerless,
    )
    return [_stored(row) for row in rows]


async def adopt_alerts(connection: Connection, product_code: str, organisation_id: str) -> None:
    """Give alerts on a product code that was nobody's to its owner, at the end of its list."""
    await connection.execute("select pg_advisory_xact_lock($1)", _LOCK)
    await connection.execute(
        "update alert set organisation_id = $2, position = nextval('alert_position')"
        " where product_code = $1 and organisation_id is null",
        product_code,
        organisation_id,
    )


async def delete_old_alerts(database: Queryable, before_ms: int, count_max: int) -> int:
    """Delete alerts that have not changed since a time; return how many."""
    rows = Rows("alert", "alert_id", "changed_at_ms < $1")
    return await delete_some(database, rows, before_ms, count_max)


async def forget_serials_of_closed(database: Queryable, before_ms: int, count_max: int) -> int:
    """Drop the serial numbers of alerts closed before a time; return how many had one."""
    status = await database.execute(
        "update alert set report = report || '{\"serialNumber\": null}'::jsonb"
        " where alert_id in (select alert_id from alert"
        " where state = 'Closed' and report ->> 'serialNumber' is not null"
        " and changed_at_ms < $1 limit $2)",
        before_ms,
        count_max,
    )
    return changed_count(status)


def _stored(row: Row) -> StoredAlert:
    report = msgspec.json.decode(row["report"], type=AlertReport)
    return StoredAlert(
        row["position"],
        row["number"],
        row["system"],
        row["organisation_id"],
        row["received_at_ms"],
        report,
    )
