"""The alerts of a national system: found, opened, changed. The rules are `emvs.alert_states`.

Knows neither HTTP nor SQL.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from emvs.alert_states import (
    REASONS,
    AlertChange,
    AlertParty,
    AlertReason,
    AlertState,
    Refusal,
    refusal,
)
from emvs.alerts import ALERT_ID
from emvs.errors import BadRequestError, ConflictError, EmvsError, ForbiddenError, NotFoundError
from emvs.infra.clock import Clock
from nmvs.alert_store import AlertQuery, AlertStore, Decide, Row, StandingAlert

WINDOW_MAX: Final = timedelta(days=31)
"""A query spans at most a month (European alert management system)."""
ALERTS_PER_QUERY_MAX: Final = 10_000
"""A result with more is cut off, until the full data set is asked for (our choice)."""
ALERTS_PER_FULL_QUERY_MAX: Final = 50_000
QUERIES_KEPT_MAX: Final = 16
"""Results that can still be fetched; the oldest goes first (our choice)."""
PAGE_COUNT_MAX: Final = 6_000
"""Page size mentioned in public."""
PAGE_COUNT: Final = 1_000
IDS_PER_CHANGE_MAX: Final = 500
"""Alerts that one bulk change may list (our choice)."""
CHANGES_PER_ALERT_MAX: Final = 100
"""Length of an alert's history, so that a report to the hub is bounded (our choice)."""

_NOT_FOUND: Final = "there is no alert with this id"
_TOO_MANY_CHANGES: Final = f"an alert is changed at most {CHANGES_PER_ALERT_MAX} times"
_FORBIDDEN: Final = (Refusal.PARTY_WRONG, Refusal.NOT_AT_FAULT)
_OPENED: Final = AlertChange(AlertParty.SYSTEM, AlertState.ACTIVE, AlertReason.FIRST_VIEW)


class AlertView(NamedTuple):
    """An alert with its history."""

    row: Row
    changes: Sequence[Row]


class AlertPage(NamedTuple):
    """A page of a query's result."""

    rows: Sequence[Row]
    page_count: int
    is_truncated: bool
    is_over_limit: bool


class ChangeResult(NamedTuple):
    """What became of a change: `error` is None if the alert now is as wanted."""

    state: AlertState | None
    error: EmvsError | None


@dataclass
class _Result:
    """The alerts that a query found when it was asked: pages of it do not shift."""

    query: AlertQuery
    limit: int
    alert_ids: list[str] = field(default_factory=list)
    has_more: bool = False


class AlertLog:
    """Everything the national organisation, or a manufacturer through the hub, does to alerts."""

    def __init__(self, store: AlertStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._results: OrderedDict[str, _Result] = OrderedDict()
        self.changed_bell = asyncio.Event()
        """Rung when an alert has changed."""

    async def ask(self, query: AlertQuery) -> str:
        """Run a query; return the id under which its pages can be fetched."""
        check_window(query.start, query.end)
        result = _Result(query, ALERTS_PER_QUERY_MAX)
        await self._find(result)
        identifier = secrets.token_hex(16)
        self._results[identifier] = result
        while len(self._results) > QUERIES_KEPT_MAX:
            self._results.popitem(last=False)
        return identifier

    async def lift_truncation(self, identifier: str) -> None:
        """Run a query again without its usual limit."""
        result = self._result(identifier)
        result.limit = ALERTS_PER_FULL_QUERY_MAX
        await self._find(result)

    async def page(self, identifier: str, page: int, page_size: int) -> AlertPage:
        """Return a page of a query's result; pages count from 1."""
        if not 1 <= page_size <= PAGE_COUNT_MAX:
            raise BadRequestError(f"pageSize is from 1 to {PAGE_COUNT_MAX}")
        if page < 1:
            raise BadRequestError("page counts from 1")
        result = self._result(identifier)
        start = (page - 1) * page_size
        return AlertPage(
            await self._store.details(result.alert_ids[start : start + page_size]),
            -(-len(result.alert_ids) // page_size),
            result.has_more,
            result.has_more and result.limit == ALERTS_PER_FULL_QUERY_MAX,
        )

    async def view(self, alert_id: str) -> AlertView:
        """Return an alert with its history. Raises NotFoundError."""
        return (await self.views([_well_formed(alert_id)]))[0]

    async def open(self, alert_id: str) -> AlertView:
        """Return an alert that somebody opens: a new one becomes active."""
        await self._change([_well_formed(alert_id)], _open_if_new)
        return await self.view(alert_id)

    async def views(self, alert_ids: Sequence[str]) -> list[AlertView]:
        """Return alerts with their histories, oldest first. Raises NotFoundError if none exists."""
        rows = await self._store.details(alert_ids)
        if not rows:
            raise NotFoundError(_NOT_FOUND)
        histories = await self._store.histories(alert_ids)
        return [AlertView(row, histories.get(row["alert_id"], ())) for row in rows]

    async def change(self, alert_id: str, change: AlertChange) -> AlertView:
        """Change one alert and return it. Repeating the last change does nothing again.

        Raises NotFoundError, BadRequestError, ForbiddenError, ConflictError.
        """
        error = (await self.change_many([_well_formed(alert_id)], change))[alert_id].error
        if error is not None:
            raise error
        return await self.view(alert_id)

    async def change_many(
        self, alert_ids: Sequence[str], change: AlertChange
    ) -> dict[str, ChangeResult]:
        """Change exactly the alerts listed; return what became of each."""
        if not 1 <= len(alert_ids) <= IDS_PER_CHANGE_MAX:
            raise BadRequestError(f"1 to {IDS_PER_CHANGE_MAX} alerts are changed at a time")
        results = {
            alert_id: ChangeResult(None, NotFoundError(_NOT_FOUND)) for alert_id in alert_ids
        }

        def decide(alert: StandingAlert) -> AlertChange | None:
            if alert.last_change == change:
                results[alert.alert_id] = ChangeResult(alert.state, None)
                return None
            error = _error(alert, change)
            results[alert.alert_id] = ChangeResult(alert.state if error else change.state, error)
            return None if error else change

        known = [alert_id for alert_id in results if ALERT_ID.fullmatch(alert_id)]
        await self._change(known, decide)
        return results

    async def _change(self, alert_ids: Sequence[str], decide: Decide) -> None:
        decided = await self._store.change(alert_ids, decide, self._clock.now())
        if any(change is not None for _, change in decided):
            self.changed_bell.set()

    async def _find(self, result: _Result) -> None:
        found = await self._store.ids(result.query, result.limit + 1)
        result.has_more = len(found) > result.limit
        result.alert_ids = found[: result.limit]

    def _result(self, identifier: str) -> _Result:
        result = self._results.get(identifier)
        if result is None:
            raise NotFoundError("there is no such query, or its result is no longer kept")
        return result


def _open_if_new(alert: StandingAlert) -> AlertChange | None:
    return _OPENED if alert.state is AlertState.NEW else None


def _error(alert: StandingAlert, change: AlertChange) -> EmvsError | None:
    why = refusal(alert.state, change)
    if why is None:
        return ConflictError(_TOO_MANY_CHANGES) if alert.revision >= CHANGES_PER_ALERT_MAX else None
    if why is Refusal.NO_TRANSITION:
        return ConflictError(f"the alert is {alert.state}; it cannot become {change.state}")
    if why in _FORBIDDEN:
        return ForbiddenError(f"{change.party}: {why}")
    if why is Refusal.REASON_OF_OTHERS:
        own = [reason for reason, (parties, _) in REASONS.items() if change.party in parties]
        return BadRequestError(f"{why}; {change.party} gives one of {', '.join(own)}")
    return BadRequestError(why)


def _well_formed(alert_id: str) -> str:
    if not ALERT_ID.fullmatch(alert_id):
        raise NotFoundError(_NOT_FOUND)
    return alert_id


def check_window(start: datetime, end: datetime) -> None:
    """Raise BadRequestError if a query spans nothing, or too long a time."""
    if end <= start:
        raise BadRequestError("endTimestamp is not after startTimestamp")
    if end - start > WINDOW_MAX:
        raise BadRequestError(
            f"the time asked for is longer than {WINDOW_MAX.days} days: ask for one month at a time"
        )
