"""Reading the audit trail in slices, in order of time. What a caller may see is not decided here.

A page continues behind the last entry of the one before. A whole selection is found and sorted once
and then fetched in slices: the trail has no index by time, so finding each slice anew would read
the month again for each. Nothing is held in between either way: neither a transaction, which would
keep partitions from being dropped, nor memory.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final, NamedTuple, TypeAlias

import asyncpg

from emvs.alert_states import UNDER_INVESTIGATION
from nmvs.trail_partitions import partitions

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

_START: Final = datetime(1970, 1, 1, tzinfo=UTC)
_END: Final = datetime(9999, 1, 1, tzinfo=UTC)

_INVESTIGATED: Final = ", ".join(f"'{state}'" for state in sorted(UNDER_INVESTIGATION))

# The slice is cut before anything is joined to it. Conditions whose parameter is null hold.
_SLICE: Final = f"""
with slice as (
    select t.* from trail t
    where t.recorded_at >= $1 and t.recorded_at < $2
        and ($3::timestamptz is null
            or (t.recorded_at, t.pack_key, t.transaction_id) > ($3, $4, $5))
        and ($6::uuid is null or t.pack_key = $6)
        and ($7::integer is null or t.location_number = $7)
        and ($8::text is null or t.submitted ->> 'productCode' = $8 or exists (
            select from pack p join batch b using (batch_number)
            where p.pack_key = t.pack_key and b.product_code = $8))
        and (not $9 or exists (
            select from alert a
            where a.pack_key = t.pack_key and a.state in ({_INVESTIGATED})))
        and ($10::smallint[] is null or t.outcome = any($10))
        and (not $11 or t.alert_id is not null)
    order by t.recorded_at, t.pack_key, t.transaction_id
    limit $12
)
select s.*, p.serial_number, b.product_code, b.batch_id, b.expiry, r.scheme,
    l.location, l.name, l.role, l.market, a.hub_code, d.requested_at
from slice s
left join pack p on p.pack_key = s.pack_key
left join batch b on b.batch_number = p.batch_number
left join product r on r.product_code = b.product_code
left join location l on l.location_number = s.location_number
left join alert a on a.alert_id = s.alert_id
left join state_delivery d on s.dialect = 'hub' and d.delivery_id = s.client_transaction_id
order by s.recorded_at, s.pack_key, s.transaction_id
"""  # noqa: S608 - constants.
# With hold: the result outlives its transaction, on the server's disk if it is large.
_OPEN: Final = f"declare audit_trail no scroll cursor with hold for {_SLICE}"
_FIND_S_MAX: Final = 600.0
"""To find and sort a whole selection; some 10 s for two million entries."""


class Place(NamedTuple):
    """An entry's place in the order."""

    recorded_at: datetime
    pack_key: bytes
    transaction_id: bytes


class Selection(NamedTuple):
    """Which entries; what is None does not select."""

    start: datetime | None = None
    end: datetime | None = None
    """The first instant that does not belong to it."""
    after: Place | None = None
    pack_key: bytes | None = None
    location_number: int | None = None
    product_code: str | None = None
    investigated_packs_only: bool = False
    outcomes: Sequence[int] | None = None
    alerts_only: bool = False


async def slices(
    pool: Pool, selection: Selection, rows_max: int
) -> AsyncIterator[list[asyncpg.Record]]:
    """Yield the entries of a selection, at most `rows_max` at a time, none of them empty."""
    after = selection.after
    for start, end in await windows(pool, selection):
        while True:
            rows = await pool.fetch(_SLICE, *_parameters(selection, start, end, after), rows_max)
            if rows:
                after = place_of(rows[-1])
                yield rows
            if len(rows) < rows_max:
                break


async def whole(
    pool: Pool, selection: Selection, rows_max: int
) -> AsyncIterator[list[asyncpg.Record]]:
    """Yield all entries of a selection as they are now, at most `rows_max` at a time."""
    start, end = selection.start or _START, selection.end or _END
    async with pool.acquire() as connection:
        try:
            found = _parameters(selection, start, end, selection.after)
            await connection.execute(_OPEN, *found, None, timeout=_FIND_S_MAX)
            fetch = await connection.prepare(f"fetch {rows_max} from audit_trail")
            while rows := await fetch.fetch():
                yield rows
            await connection.execute("close audit_trail")
        except BaseException:
            connection.terminate()  # The next one who gets it must not find the cursor open.
            raise


def _parameters(
    selection: Selection, start: datetime, end: datetime, after: Place | None
) -> tuple[object, ...]:
    return (
        start,
        end,
        *(after or (None, None, None)),
        selection.pack_key,
        selection.location_number,
        selection.product_code,
        selection.investigated_packs_only,
        selection.outcomes,
        selection.alerts_only,
    )


def place_of(row: asyncpg.Record) -> Place:
    """Return the place of an entry."""
    return Place(row["recorded_at"], row["pack_key"], row["transaction_id"])


async def state_of_pack(pool: Pool, pack_key: bytes) -> int:
    """Return the number of a pack's state, 0 if it is not stored."""
    state: int | None = await pool.fetchval("select state from pack where pack_key = $1", pack_key)
    return state or 0


async def windows(pool: Pool, selection: Selection) -> list[tuple[datetime, datetime]]:
    """Return the time to read in pieces, of which each touches one month's partition at most.

    Sorting a month for a slice is bearable, sorting years is not. One pack is found by its key.
    """
    start, end = selection.start or _START, selection.end or _END
    if selection.after is not None:
        start = max(start, selection.after.recorded_at)
    cuts = {start, end}
    if selection.pack_key is None:
        for partition in await partitions(pool):
            cuts |= {cut for cut in (partition.start, partition.end) if start < cut < end}
    edges = sorted(cuts) if start < end else []
    return list(pairwise(edges))
