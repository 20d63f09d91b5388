"""Reports that count the audit trail: who asked how often, and what came of how many requests.

The trail is read a month at a time, and only sums leave the database.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final

from emvs.outcomes import OUTCOMES, Outcome
from emvs.states import Operation
from nmvs.audit_queries import Selection, windows
from nmvs.reports.csv_tables import Cell
from nmvs.reports.definitions import Period
from nmvs.reports.limits import AGGREGATE_S_MAX
from nmvs.reports.sources import Pool, Sources

_ROWS_AT_ONCE: Final = 500
_OPERATIONS: Final = ("Verify", "Supply", "Decommission", "Reactivate")

ACTIVITY_COLUMNS: Final = (
    "Market",
    "Organisation",
    "Location",
    "Name",
    "Role",
    *(f"Number of {name} Requests" for name in _OPERATIONS),
    "Total Requests",
    "Last Request (UTC)",
)
METRIC_COLUMNS: Final = (
    "Date (UTC)",
    "Transaction Type",
    "Result",
    "Category Level",
    "Interface",
    "Number of Transactions",
)

_BY_LOCATION: Final = """
select location_number, operation, count(*), max(recorded_at) from trail
where recorded_at >= $1 and recorded_at < $2 and ($3::integer is null or location_number = $3)
group by location_number, operation
"""
_BY_DAY: Final = """
select to_char(recorded_at at time zone 'UTC', 'YYYY-MM-DD'), operation, outcome, dialect, count(*)
from trail
where recorded_at >= $1 and recorded_at < $2 and ($3::integer is null or location_number = $3)
group by 1, 2, 3, 4
"""
_LOCATIONS: Final = """
select location_number, market, organisation, location, name, role from location
where location_number = any($1::integer[]) order by location_number
"""


async def activity_rows(
    sources: Sources, period: Period, location_number: int | None
) -> AsyncIterator[list[list[Cell]]]:
    """Yield a line for each location that asked for anything; None for all locations."""
    counts: Counter[tuple[int, str]] = Counter()
    last: dict[int, datetime] = {}
    for start, end in await _months(sources.pool, period):
        for number, operation, count, at in await sources.pool.fetch(
            _BY_LOCATION, start, end, location_number, timeout=AGGREGATE_S_MAX
        ):
            counts[number, _kind(Operation(operation))] += count
            last[number] = max(at, last.get(number, at))
    numbers = sorted(last)
    for first in range(0, len(numbers), _ROWS_AT_ONCE):
        rows = await sources.pool.fetch(_LOCATIONS, numbers[first : first + _ROWS_AT_ONCE])
        lines: list[list[Cell]] = []
        for number, *who in rows:
            each = [counts[number, kind] for kind in _OPERATIONS]
            lines.append([*who, *each, sum(each), last[number]])
        yield lines


async def metric_rows(
    sources: Sources, period: Period, location_number: int | None
) -> AsyncIterator[list[list[Cell]]]:
    """Yield a line for each day, operation, result and interface."""
    for start, end in await _months(sources.pool, period):
        rows = await sources.pool.fetch(
            _BY_DAY, start, end, location_number, timeout=AGGREGATE_S_MAX
        )
        # A month has at most some thousand sums.
        yield [
            [
                day,
                Operation(operation).name,
                Outcome(outcome).name,
                OUTCOMES[Outcome(outcome)].level,
                dialect,
                count,
            ]
            for day, operation, outcome, dialect, count in sorted(rows, key=tuple)
        ]


async def _months(pool: Pool, period: Period) -> list[tuple[datetime, datetime]]:
    return await windows(pool, Selection(period.start, period.end))


def _kind(operation: Operation) -> str:
    if operation is Operation.VERIFY:
        return "Verify"
    if operation is Operation.SUPPLY:
        return "Supply"
    return "Reactivate" if operation.is_undo else "Decommission"
