"""Making reports: one function a kind, from what the hub has and what the markets answer.

An organisation sees what it owns, and of a pack's trail what it did itself (Delegated Regulation
(EU) 2016/161, Art. 38).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any, Final, NamedTuple

from emvs.markets import MARKETS
from emvs.report_messages import ReportRequest
from emvs.states import PACK_STATES
from hub.alert_filters import read_filter
from hub.audit import PackAudits
from hub.reports import store
from hub.reports.market_counts import Counts, MarketCounts, count_of, reason_of
from hub.reports.reconciliation import reconcile
from hub.reports.store import BatchLine, PacksDelivered
from hub.reports.tables import Row, Table
from hub.serial_digests import SerialDigests
from hub.store.alerts import list_alerts
from hub.store.connections import Pool
from hub.times import utc

_STATES: Final = tuple(state.name for state in PACK_STATES)
_BATCH: Final = ("productCode", "batchId", "expiry", "productVersion", "market", "system")
_BATCHES_COUNTED_MAX: Final = 2_000
"""Rows of a report for which markets read their packs: ten readings (our choice)."""
_ALERTS_PAGE: Final = 500
_CENTRAL_MARKET: Final = "EU"
"""Under which national systems record what organisations of the hub do."""
_AUDIT: Final = (
    "recordedBy",
    "at",
    "transactionId",
    "clientTransactionId",
    "operation",
    "outcome",
    "stateBefore",
    "stateAfter",
    "productCode",
    "serialNumber",
    "batchId",
    "expiry",
    "alertId",
    "alertCode",
)
_ALERT: Final = (
    "alertId",
    "code",
    "state",
    "raisedAt",
    "eventAt",
    "raisingMarket",
    "initiatingMarket",
    "operation",
    "sourceProcess",
    "productCode",
    "serialNumber",
    "batchId",
    "expiry",
    "storedBatchId",
    "storedExpiry",
    "storedState",
)


class Sources(NamedTuple):
    """What reports are made from."""

    pool: Pool
    counts: MarketCounts
    audits: PackAudits
    digests: SerialDigests
    rows_max: int


async def make_table(sources: Sources, wanted: ReportRequest, organisation_id: str) -> Table:
    """Return a report that passed `hub.reports.requests`."""
    return await _KINDS[wanted.reportType or ""](sources, wanted, organisation_id)


async def _product_status(sources: Sources, wanted: ReportRequest, owner: str) -> Table:
    found = await store.product_lines(sources.pool, wanted, owner, sources.rows_max + 1)
    columns = (
        "productCode",
        "version",
        "isLatest",
        "name",
        "market",
        "status",
        "distribution",
        "lastError",
        "withdrawnAt",
        "withdrawalReason",
    )
    rows = [
        {
            "productCode": row["product_code"],
            "version": row["version"],
            "isLatest": row["is_latest"],
            "name": row["name"],
            "market": row["market"],
            "status": "Placed" if row["withdrawn_at_ms"] is None else "Withdrawn",
            "distribution": row["distribution"],
            "lastError": row["last_error"],
            "withdrawnAt": _time(row["withdrawn_at_ms"]),
            "withdrawalReason": row["reason"],
        }
        for row in found
    ]
    return _cut(sources, columns, rows)


async def _market(sources: Sources, wanted: ReportRequest, owner: str) -> Table:
    products = await store.product_lines(sources.pool, wanted, owner, sources.rows_max + 1)
    batches = await store.batch_lines(sources.pool, wanted, owner, sources.rows_max + 1)
    of_product: dict[tuple[str, str, int], list[BatchLine]] = {}
    for line in batches:
        key = (line.market, line.product_code, line.product_version)
        of_product.setdefault(key, []).append(line)
    rows = []
    for row in sorted(products, key=lambda one: (one["market"], one["product_code"])):
        key = (row["market"], row["product_code"], row["version"])
        shown = {
            "market": row["market"],
            "productCode": row["product_code"],
            "productVersion": row["version"],
            "name": row["name"],
            "withdrawnAt": _time(row["withdrawn_at_ms"]),
        }
        lines = of_product.get(key, [])
        if not lines and wanted.batchId is None:
            rows.append(shown)
        rows += [
            shown
            | {
                "batchId": line.batch_id,
                "expiry": line.expiry,
                "recalledAt": _time(line.recalled_at_ms),
            }
            for line in lines
        ]
    columns = ("market", "productCode", "productVersion", "name", "withdrawnAt")
    table = _cut(sources, (*columns, "batchId", "expiry", "recalledAt"), rows)
    table.is_truncated |= max(len(products), len(batches)) > sources.rows_max
    return table


async def _batch_status(sources: Sources, wanted: ReportRequest, owner: str) -> Table:
    lines, is_truncated = await _batches(sources, wanted, owner)
    counts = await sources.counts.of(lines)
    columns = (*_BATCH, "recalledAt", "withdrawnAt", "held", *_STATES, "notAnswered")
    rows = []
    for line in lines:
        found = count_of(counts, MARKETS[line.market].system, line)
        shown = _of_batch(line) | {
            "recalledAt": _time(line.recalled_at_ms),
            "withdrawnAt": _time(line.withdrawn_at_ms),
            "notAnswered": reason_of(counts, MARKETS[line.market].system),
        }
        if found is not None:
            shown |= {"held": sum(found.states.values())} | _states(found.states)
        rows.append(shown)
    return Table(columns, rows, is_truncated)


async def _reconciliation(sources: Sources, wanted: ReportRequest, owner: str) -> Table:
    lines, is_truncated = await _batches(sources, wanted, owner)
    names = list({(line.product_code, line.batch_id): None for line in lines})
    # The markets are asked last: what the hub reads before that has reached them already.
    asked = [name[0] for name in names], [name[1] for name in names]
    await sources.digests.keep_of(sources.pool, *asked)
    uploads = await store.packs_delivered(sources.pool, *asked)
    counts = await sources.counts.of(lines)
    sent: dict[tuple[str, str, str | None], list[PacksDelivered]] = {}
    for upload in uploads:
        sent.setdefault((upload.product_code, upload.batch_id, upload.system), []).append(upload)
    columns = (
        *_BATCH,
        "result",
        *("sent", "waiting", "failed", "refused", "loaded", "held", "missing", "extra"),
        *_STATES,
        "notAnswered",
    )
    rows = [_reconciled(line, sent, counts) for line in lines]
    return Table(columns, rows, is_truncated)


def _reconciled(
    line: BatchLine,
    sent: Mapping[tuple[str, str, str | None], list[PacksDelivered]],
    counts: Counts,
) -> Row:
    system = MARKETS[line.market].system
    of_market = sent.get((line.product_code, line.batch_id, system), [])
    found = count_of(counts, system, line)
    result = reconcile(of_market, found)
    shown = _of_batch(line) | {"result": result.result} | asdict(result)
    if found is not None:
        shown |= _states(found.states)
    return shown | {"notAnswered": reason_of(counts, system)}


async def _pack_audit(sources: Sources, wanted: ReportRequest, owner: str) -> Table:
    history = await sources.audits.history(wanted.productCode or "", wanted.serialNumber or "")
    location = f"{_CENTRAL_MARKET}-{int(owner, 36)}"
    own = [
        {column: entry.get(column) for column in _AUDIT}
        for entry in history["entries"]
        if entry.get("market") == _CENTRAL_MARKET and entry.get("location") == location
    ]
    own += [
        {"recordedBy": answer["market"], "outcome": f"not answered: {answer['reason']}"}
        for answer in history["notAnswered"]
    ]
    table = _cut(sources, _AUDIT, own)
    table.is_truncated |= any(market["truncated"] for market in history["markets"])
    return table


async def _alerts(sources: Sources, wanted: ReportRequest, owner: str) -> Table:
    query = {"productCode": wanted.productCode, "from": wanted.since, "to": wanted.until}
    given = {name: text for name, text in query.items() if text}
    asked = read_filter({**given, "limit": str(_ALERTS_PAGE)})
    rows: list[Row] = []
    while True:
        page = await list_alerts(sources.pool, asked, organisation_id=owner)
        for alert in page:
            shown = {name: getattr(alert.report, name) for name in _ALERT}
            shown |= {name: _time(shown[name]) for name in ("raisedAt", "eventAt")}
            shown["code"] = f"#{shown['code']}"
            is_wanted = not wanted.markets or alert.report.raisingMarket in wanted.markets
            if is_wanted and wanted.batchId in {None, alert.report.batchId}:
                rows.append(shown)
        if len(page) < _ALERTS_PAGE or len(rows) > sources.rows_max:
            return _cut(sources, _ALERT, rows)
        asked = asked._replace(page=asked.page._replace(after=page[-1].position))


_KINDS: Final[dict[str, Callable[[Sources, ReportRequest, str], Awaitable[Table]]]] = {
    "PRODUCT_STATUS": _product_status,
    "BATCH_STATUS": _batch_status,
    "PACK_AUDIT": _pack_audit,
    "MARKET": _market,
    "ALERT": _alerts,
    "RECONCILIATION": _reconciliation,
}


async def _batches(
    sources: Sources, wanted: ReportRequest, owner: str
) -> tuple[list[BatchLine], bool]:
    count_max = min(sources.rows_max, _BATCHES_COUNTED_MAX)
    lines = await store.batch_lines(sources.pool, wanted, owner, count_max + 1)
    return lines[:count_max], len(lines) > count_max


def _of_batch(line: BatchLine) -> Row:
    return {
        "productCode": line.product_code,
        "batchId": line.batch_id,
        "expiry": line.expiry,
        "productVersion": line.product_version,
        "market": line.market,
        "system": MARKETS[line.market].system,
    }


def _states(states: dict[str, int]) -> Row:
    return {name: states.get(name, 0) for name in _STATES}


def _cut(sources: Sources, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> Table:
    return Table(columns, rows[: sources.rows_max], len(rows) > sources.rows_max)


def _time(at_ms: int | None) -> str | None:
    return None if at_ms is None else utc(at_ms)
