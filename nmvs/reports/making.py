"""How each kind of document is made: the banner, the lines, and whose data they are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from emvs.alert_states import AlertState
from emvs.errors import ForbiddenError
from nmvs.alert_log import ALERTS_PER_FULL_QUERY_MAX, ALERTS_PER_QUERY_MAX
from nmvs.alert_store import AlertQuery
from nmvs.participants import Participant
from nmvs.reports import activity, exceptions, standing
from nmvs.reports.csv_tables import Cell, banner_lines, table_lines, utc_text
from nmvs.reports.definitions import (
    DAILY_SNAPSHOT,
    EXCEPTIONS_AUDIT_TRAIL,
    ORGANISATIONS_SUMMARY,
    REPORT_TYPES,
    USER_ACTIVITY,
    Scope,
    period_of,
    view_of,
)
from nmvs.reports.jobs import Job, JobKind
from nmvs.reports.product_data import product_lines
from nmvs.reports.runner import Maker, Piece
from nmvs.reports.settings import ReportSettings
from nmvs.reports.sources import Sources

Lines = AsyncIterator[list[list[Cell]]]


class Makers:
    """Makes documents out of what there is."""

    def __init__(self, sources: Sources, settings: ReportSettings) -> None:
        self._sources = sources
        self._encoding = settings.encoding

    def by_kind(self) -> dict[JobKind, Maker]:
        """Return the maker of each kind."""
        return {
            JobKind.REPORT: self.report,
            JobKind.PRODUCT_DATA: self.product_data,
            JobKind.ALERTS: self.alerts,
        }

    async def report(self, job: Job) -> AsyncIterator[Piece]:
        """Yield a report as CSV, in the encoding that the market has set."""
        facts: dict[str, str] = {"encoding": self._encoding}
        if job.subject != DAILY_SNAPSHOT:
            asker = self._participant(job)
            facts["view"] = view_of(REPORT_TYPES[job.subject], asker.role, asker.organisation)
        yield Piece(b"", facts=facts)
        async for text, row_count in self._report_texts(job):
            yield Piece(text.encode(self._encoding, "replace"), row_count)

    async def product_data(self, job: Job) -> AsyncIterator[Piece]:
        """Yield products as elements of a JSON array."""
        codes = job.parameters.get("productCodes")
        async for piece in product_lines(self._sources.pool, codes):
            yield piece

    async def alerts(self, job: Job) -> AsyncIterator[Piece]:
        """Yield the ids of alerts, oldest first: what a query finds stays the same on all pages."""
        asked = job.parameters
        limit = ALERTS_PER_FULL_QUERY_MAX if asked.get("full") else ALERTS_PER_QUERY_MAX
        state = asked.get("state")
        query = AlertQuery(
            datetime.fromisoformat(asked["start"]),
            datetime.fromisoformat(asked["end"]),
            asked.get("hubCode"),
            asked.get("productCode"),
            AlertState(state) if state else None,
            asked.get("market"),
        )
        found = await self._sources.alerts.ids(query, limit + 1)
        kept = found[:limit]
        facts = {"truncated": len(found) > limit}
        yield Piece("\n".join(kept).encode(), len(kept), facts)

    async def _report_texts(self, job: Job) -> AsyncIterator[tuple[str, int]]:
        yield banner_lines(self._banner(job)), 0
        if job.subject == DAILY_SNAPSHOT:
            async for text, row_count in standing.snapshot(self._sources):
                yield text, row_count
            return
        columns, lines = self._table(job)
        yield table_lines([columns]), 0
        async for part in lines:
            yield table_lines(part), len(part)

    def _banner(self, job: Job) -> tuple[str, str, str]:
        """Return the three lines in front (our wording; that there are three is known)."""
        asked = "; ".join(f"{name} {_plain(value)}" for name, value in job.parameters.items())
        title = f"{job.subject}: {job.title}" if job.title else job.subject
        by = f" by {job.requested_by}" if job.requested_by else ""
        return (
            title,
            f"Market {self._sources.market}; requested {utc_text(job.requested_at)}{by}",
            asked or "No parameters",
        )

    def _table(self, job: Job) -> tuple[tuple[str, ...], Lines]:
        """Return a report's columns and lines, of what the asker may see and no more."""
        sources = self._sources
        participant = self._participant(job)
        own = REPORT_TYPES[job.subject].scopes[participant.role] is Scope.OWN
        if job.subject == ORGANISATIONS_SUMMARY:
            organisation = participant.organisation if own else None
            return (
                standing.ORGANISATION_COLUMNS,
                standing.organisation_rows(sources, organisation),
            )
        period = period_of(job.parameters)
        if job.subject == EXCEPTIONS_AUDIT_TRAIL:
            synthetic = bool(job.parameters.get("syntheticMonitoring"))
            return (
                exceptions.COLUMNS,
                exceptions.rows(sources, participant, period, synthetic=synthetic),
            )
        number = participant.number if own else None
        if job.subject == USER_ACTIVITY:
            return activity.ACTIVITY_COLUMNS, activity.activity_rows(sources, period, number)
        return activity.METRIC_COLUMNS, activity.metric_rows(sources, period, number)

    def _participant(self, job: Job) -> Participant:
        """Return who asked, as they are now: they may have lost a role meanwhile."""
        asker = job.location_number and self._sources.directory.by_number(job.location_number)
        if not asker or asker.role not in REPORT_TYPES[job.subject].scopes:
            raise ForbiddenError("who asked for the report may not have it any more")
        return asker


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
