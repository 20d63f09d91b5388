"""Asking for reports and retrieving them: `RPRQ`, `RRRQ`. They are made by `hub.reports.maker`."""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from emvs.errors import BadRequestError, ConflictError, NotFoundError, OverloadedError
from emvs.infra.clock import Clock
from emvs.markets import MARKETS
from emvs.report_messages import (
    REPORT_TYPES,
    Report,
    ReportFormat,
    ReportRequest,
    ReportRetrieval,
    ReportStatus,
)
from hub.alert_filters import read_filter, read_time_ms
from hub.config import ReportConfig
from hub.hub_ids import request_number
from hub.identity import store as identity
from hub.intermarket import is_plausible
from hub.organisations import Client
from hub.paging import Page
from hub.reception import check_transaction_id
from hub.reports import store
from hub.reports.maker import ReportMaker
from hub.reports.store import ReportRow
from hub.store.connections import Pool, transaction
from hub.times import utc

RETRIEVE: Final = "RRRQ"
_RETRY_AFTER_S: Final = 10


class Reports:
    """Takes requests for reports, and gives the reports out."""

    def __init__(
        self, *, pool: Pool, clock: Clock, config: ReportConfig, maker: ReportMaker
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._config = config
        self.maker = maker

    async def request(self, client: Client, wanted: ReportRequest) -> Report:
        """Store a report to be made: `RPRQ`; a repeated request is answered with the same report.

        Raises BadRequestError or ForbiddenError, ConflictError if the transaction id stands on
        another request, OverloadedError if too many wait.
        """
        check_transaction_id(wanted.transactionId, store.MESSAGE_TYPE, client)
        _check(wanted)
        digest = hashlib.sha256(msgspec.json.encode(wanted)).digest()
        async with transaction(self._pool) as connection:
            await identity.lock_organisation(connection, client.organisation_id)
            row = await store.find_report(connection, transaction_id=wanted.transactionId)
            if row is None:
                waiting = await store.waiting_count(connection, client.organisation_id)
                if waiting >= self._config.waiting_per_organisation_max:
                    raise OverloadedError(
                        f"{waiting} reports of your organisation wait to be made",
                        retry_after_s=_RETRY_AFTER_S,
                    )
                now_ms = self._clock.now_ms()
                row = await store.insert_report(
                    connection, client.organisation_id, wanted, digest, now_ms
                )
        if row is None or row.digest != digest:
            raise ConflictError("this transaction id stands on another message already")
        self.maker.bell.set()
        return self._shown(row)

    async def retrieve(self, client: Client, message: ReportRetrieval) -> tuple[Report, bytes]:
        """Return a report and its content, empty unless it is done: `RRRQ`.

        A repeated transaction id is answered with the same report as it stands then. Raises
        BadRequestError, ForbiddenError, NotFoundError, or ConflictError if the id stands on another
        message.
        """
        check_transaction_id(message.transactionId, RETRIEVE, client)
        found = await self.find(client, message.reportId or "")
        digest = hashlib.sha256(msgspec.json.encode(message)).digest()
        async with transaction(self._pool) as connection:
            await identity.lock_organisation(connection, client.organisation_id)
            known = await identity.known_answer(connection, message.transactionId)
            if known is None:
                await identity.put_answer(
                    connection,
                    message.transactionId,
                    organisation_id=client.organisation_id,
                    digest=digest,
                    answer="{}",
                    at_ms=self._clock.now_ms(),
                )
            elif known[1] != digest:
                raise ConflictError("this transaction id stands on another message already")
        return found

    async def find(self, client: Client, report_id: str) -> tuple[Report, bytes]:
        """Return a report and its content by either of its ids. Raises NotFoundError."""
        row = None
        if report_id.isalnum() and report_id.isascii():
            row = await store.find_report(
                self._pool, transaction_id=report_id, number=request_number(report_id)
            )
        if (
            row is None
            or row.organisation_id != client.organisation_id
            or report_id not in {row.transaction_id, row.report_id}
        ):
            raise NotFoundError("your organisation has no report with this id")
        content = None
        if row.status is ReportStatus.DONE:
            content = await store.content_of(self._pool, row.number)
            if content is None:
                raise NotFoundError("the report was kept until it was too old: ask for a new one")
        return self._shown(row), content or b""

    async def recent(self, client: Client, page: Page) -> list[Report]:
        """Return some of the organisation's reports without content."""
        rows = await store.list_reports(self._pool, client.organisation_id, page)
        return [self._shown(row) for row in rows]

    def _shown(self, row: ReportRow) -> Report:
        made = row.made_at_ms
        return Report(
            reportId=row.report_id,
            transactionId=row.transaction_id,
            reportType=row.wanted.reportType or "",
            format=ReportFormat(row.wanted.format or ReportFormat.JSON),
            status=row.status,
            requestedAt=utc(row.requested_at_ms),
            madeAt=None if made is None else utc(made),
            keptUntil=None if made is None else utc(made + self._config.kept_ms),
            rowCount=row.row_count,
            truncated=row.is_truncated,
            error=row.error,
        )


def _check(wanted: ReportRequest) -> None:
    """Raise BadRequestError unless a report can be made of what is wanted."""
    if wanted.reportType not in REPORT_TYPES:
        raise BadRequestError(f"reportType is one of {', '.join(REPORT_TYPES)} - at `$.reportType`")
    if wanted.format not in {None, *ReportFormat}:
        raise BadRequestError(f"format is {' or '.join(ReportFormat)} - at `$.format`")
    for name in ("productCode", "batchId", "serialNumber"):
        text = getattr(wanted, name)
        if text is not None and not is_plausible(text):
            raise BadRequestError(f"{name} has 1 to 40 characters - at `$.{name}`")
    if len(wanted.markets) > len(MARKETS):
        raise BadRequestError(f"there are {len(MARKETS)} markets - at `$.markets`")
    for position, market in enumerate(wanted.markets):
        if market not in MARKETS:
            raise BadRequestError(
                f"no market of the EMVS has this code - at `$.markets[{position}]`"
            )
    is_audit = wanted.reportType == "PACK_AUDIT"
    if is_audit and not (wanted.productCode and wanted.serialNumber):
        raise BadRequestError("a pack audit wants productCode and serialNumber")
    if wanted.serialNumber is not None and not is_audit:
        raise BadRequestError("serialNumber goes with PACK_AUDIT alone - at `$.serialNumber`")
    _check_alert_filters(wanted)


def _check_alert_filters(wanted: ReportRequest) -> None:
    if wanted.reportType == "ALERT":
        times = {"since": wanted.since, "until": wanted.until}
        for name in times:
            read_time_ms({name: text for name, text in times.items() if text}, name)
        if wanted.productCode:
            read_filter({"productCode": wanted.productCode})
    elif wanted.since or wanted.until:
        raise BadRequestError("since and until go with ALERT alone")
