"""Queries on reports: the jobs, and what they read of the catalogue."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from emvs.report_messages import ReportNotice, ReportRequest, ReportStatus
from hub.hub_ids import hub_transaction_id
from hub.paging import Page
from hub.store.connections import Connection, Queryable, Row, Rows, changed_count, delete_some
from hub.store.notices import NewNotice, put_notices

MESSAGE_TYPE = "RPRQ"
_COLUMNS = (
    "number, transaction_id, organisation_id, digest, wanted, requested_at_ms, status, made_at_ms,"
    " row_count, is_truncated, error"
)


@dataclass(frozen=True, slots=True)
class ReportRow:
    """A report without its content."""

    number: int
    transaction_id: str
    organisation_id: str
    digest: bytes
    wanted: ReportRequest
    requested_at_ms: int
    status: ReportStatus
    made_at_ms: int | None
    row_count: int
    is_truncated: bool
    error: str | None

    @property
    def report_id(self) -> str:
        """The hub's name of it."""
        return hub_transaction_id(MESSAGE_TYPE, self.requested_at_ms, self.number)


@dataclass(frozen=True, slots=True)
class BatchLine:
    """A batch of an organisation in one market of its product's version."""

    product_code: str
    batch_id: str
    expiry: str
    product_version: int
    market: str
    recalled_at_ms: int | None
    withdrawn_at_ms: int | None


@dataclass(frozen=True, slots=True)
class PacksDelivered:
    """One upload of packs of a batch on its way to one national system."""

    product_code: str
    batch_id: str
    system: str | None
    """None: this upload went to no system."""
    serial_count: int
    status: str | None
    loaded_count: int
    refused_count: int
    digest: bytes | None
    refused_digest: bytes | None


def _row(row: Row) -> ReportRow:
    members = {name: row[name] for name in ReportRow.__slots__}
    members["wanted"] = msgspec.json.decode(row["wanted"], type=ReportRequest)
    members["status"] = ReportStatus(row["status"])
    return ReportRow(**members)


async def insert_report(
    connection: Connection, organisation_id: str, wanted: ReportRequest, digest: bytes, at_ms: int
) -> ReportRow | None:
    """Store a report to be made; None if there is one with its transaction id."""
    row = await connection.fetchrow(
        "insert into report (transaction_id, organisation_id, digest, wanted, requested_at_ms)"  # noqa: S608
        f" values ($1, $2, $3, $4, $5) on conflict do nothing returning {_COLUMNS}",
        wanted.transactionId,
        organisation_id,
        digest,
        msgspec.json.encode(wanted).decode(),
        at_ms,
    )
    return None if row is None else _row(row)


async def find_report(
    database: Queryable, *, transaction_id: str | None = None, number: int | None = None
) -> ReportRow | None:
    """Return a report by the id of its request or its number."""
    row = await database.fetchrow(
        f"select {_COLUMNS} from report where transaction_id = $1 or number = $2",  # noqa: S608
        transaction_id,
        number,
    )
    return None if row is None else _row(row)


async def list_reports(database: Queryable, organisation_id: str, page: Page) -> list[ReportRow]:
    """Return a page of an organisation's reports."""
    rows = await database.fetch(
        f"select {_COLUMNS} from report where organisation_id = $1"  # noqa: S608 - constants.
        f" and {page.beyond('number', '$2')} {page.by('number')} limit $3",
        organisation_id,
        page.bound,
        page.limit,
    )
    return [_row(row) for row in rows]


async def waiting_count(database: Queryable, organisation_id: str) -> int:
    """Return how many reports of an organisation are to be made."""
    count: int = await database.fetchval(
        "select count(*) from report where organisation_id = $1 and status = 'Waiting'",
        organisation_id,
    )
    return count


async def first_waiting(database: Queryable, but_of: list[str]) -> list[ReportRow]:
    """Return the oldest report to be made of each organisation, those named excepted."""
    rows = await database.fetch(
        f"select distinct on (organisation_id) {_COLUMNS} from report"  # noqa: S608
        " where status = 'Waiting' and organisation_id <> all($1::text[])"
        " order by organisation_id, number",
        but_of,
    )
    return [_row(row) for row in rows]


async def finish_report(
    connection: Connection,
    report: ReportRow,
    *,
    content: bytes | None,
    row_count: int,
    is_truncated: bool,
    error: str | None,
    at_ms: int,
) -> None:
    """Store what a report says, or why it could not be made, and tell whoever subscribed."""
    status = ReportStatus.DONE if error is None else ReportStatus.FAILED
    status_text = await connection.execute(
        "update report set status = $2, content = $3, row_count = $4, is_truncated = $5,"
        " error = $6, made_at_ms = $7 where number = $1 and status = 'Waiting'",
        report.number,
        status.value,
        content,
        row_count,
        is_truncated,
        error,
        at_ms,
    )
    if changed_count(status_text) == 0:
        return
    report_type = report.wanted.reportType or ""
    subscribed = await connection.fetchval(
        "select $2 = any(report_types) from organisation where organisation_id = $1",
        report.organisation_id,
        report_type,
    )
    if subscribed:
        told = ReportNotice(
            report.report_id, report.transaction_id, report_type, status, row_count, error
        )
        notice = NewNotice(
            report.organisation_id,
            f"{MESSAGE_TYPE}:{report.number}",
            MESSAGE_TYPE,
            msgspec.json.encode(told),
        )
        await put_notices(connection, [notice], at_ms)


async def content_of(database: Queryable, number: int) -> bytes | None:
    """Return what a report says, None if it is not there or not any more."""
    content: bytes | None = await database.fetchval(
        "select content from report where number = $1", number
    )
    return content


async def forget_contents(database: Queryable, before_ms: int, count_max: int) -> int:
    """Drop the content of reports made before a time; return how many."""
    status = await database.execute(
        "update report set content = null where number in (select number from report"
        " where content is not null and made_at_ms < $1 limit $2)",
        before_ms,
        count_max,
    )
    return changed_count(status)


async def forget_reports(database: Queryable, before_ms: int, count_max: int) -> int:
    """Delete reports made before a time, which may name a pack; return how many."""
    rows = Rows("report", "number", "status <> 'Waiting' and made_at_ms < $1 and content is null")
    return await delete_some(database, rows, before_ms, count_max)


async def product_lines(
    database: Queryable, wanted: ReportRequest, organisation_id: str, count_max: int
) -> list[Row]:
    """Return versions of products in their markets, each with the state of its distribution."""
    return await database.fetch(
        "select product_code, version, market, v.request_number,"
        " version = max(version) over (partition by product_code) as is_latest,"
        " common_part ->> 'name' as name, w.at_ms as withdrawn_at_ms, w.reason,"
        " d.status as distribution, d.last_error"
        " from product join product_version as v using (product_code)"
        " join product_market using (product_code, version)"
        " left join withdrawal as w using (product_code, market)"
        " left join delivery as d"
        " on d.request_number = v.request_number and market = any(d.markets)"
        " where organisation_id = $1 and ($2::text is null or product_code = $2)"
        " and ($3::text[] = '{}' or market = any($3))"
        " order by product_code, version, position limit $4",
        organisation_id,
        wanted.productCode,
        wanted.markets,
        count_max,
    )


async def batch_lines(
    database: Queryable, wanted: ReportRequest, organisation_id: str, count_max: int
) -> list[BatchLine]:
    """Return batches in the markets of their products' versions."""
    rows = await database.fetch(
        "select product_code, batch_id, expiry, product_version, market,"
        " r.at_ms as recalled_at_ms, w.at_ms as withdrawn_at_ms"
        " from product join batch using (product_code)"
        " join product_market as m using (product_code)"
        " left join recall as r using (product_code, batch_id, market)"
        " left join withdrawal as w using (product_code, market)"
        " where organisation_id = $1 and m.version = product_version"
        " and ($2::text is null or product_code = $2) and ($3::text is null or batch_id = $3)"
        " and ($4::text[] = '{}' or market = any($4))"
        " order by product_code, batch_id, position limit $5",
        organisation_id,
        wanted.productCode,
        wanted.batchId,
        wanted.markets,
        count_max,
    )
    return [BatchLine(**dict(row)) for row in rows]


async def packs_delivered(
    database: Queryable, product_codes: list[str], batch_ids: list[str]
) -> list[PacksDelivered]:
    """Return the valid uploads of batches, each once for every national system it goes to."""
    rows = await database.fetch(
        "select product_code, batch_id, d.system, r.serial_count, d.status,"
        " coalesce(d.loaded_count, 0) as loaded_count,"
        " coalesce(d.refused_count, 0) as refused_count, request_digest.digest, d.refused_digest"
        " from unnest($1::text[], $2::text[]) as asked (product_code, batch_id)"
        " join request as r using (product_code, batch_id)"
        " left join request_digest on request_digest.request_number = number"
        " left join delivery as d on d.request_number = r.number"
        " where message_type in ('PPDC', 'PPDM') and exists (select from request_step as s"
        " where s.request_number = r.number and s.status = 'STLD') order by r.number",
        product_codes,
        batch_ids,
    )
    return [PacksDelivered(**dict(row)) for row in rows]
