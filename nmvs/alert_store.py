"""Every query on stored alerts. New ones are written by the ledger; no rule stands here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeAlias

import asyncpg

from emvs.alert_states import AlertChange, AlertState
from emvs.infra.database import Database
from emvs.outcomes import HUB_CODES_FORWARDED

Row: TypeAlias = "asyncpg.Record"


class AlertQuery(NamedTuple):
    """Which alerts: raised from `start` on and before `end`; None filters nothing."""

    start: datetime
    end: datetime
    hub_code: str | None = None
    product_code: str | None = None
    state: AlertState | None = None
    market: str | None = None
    """Market of the location that caused it."""


class StandingAlert(NamedTuple):
    """An alert about to be changed, locked, and its last change."""

    alert_id: str
    state: AlertState
    revision: int
    last_change: AlertChange | None


_FORWARDED: Final = ", ".join(f"'{code}'" for code in sorted(HUB_CODES_FORWARDED))
_NOT_FORWARDED: Final = (
    # The codes stand in the text so that the index on what waits fits.
    f"select alert_id from alert where forwarded_at is null and hub_code in ({_FORWARDED})"  # noqa: S608
    " order by raised_at, alert_id limit $1"
)

Decide = Callable[[StandingAlert], AlertChange | None]

_DETAILS = """
select a.*, l.location, l.name, l.organisation, l.market as location_market,
    p.name as product_name, p.national_code,
    u.location as set_by_location, u.market as set_by_market,
    attempts.supplies, attempts.others, repeats.repeat_count
from alert a
left join location l using (location_number)
left join product p using (product_code)
left join location u on u.location_number = (a.stored ->> 'setBy')::integer
left join lateral (
    select count(*) filter (where t.operation = 2) as supplies,
        count(*) filter (where t.operation between 3 and 9) as others
    from trail t where t.pack_key = a.pack_key and t.recorded_at <= a.raised_at
) attempts on true
left join lateral (
    select count(*) as repeat_count from alert g
    where g.repeat_group = a.repeat_group and a.repeat_group <> ''
) repeats on true
where a.alert_id = any($1::text[])
order by a.raised_at, a.alert_id
"""

_CHANGE = """
with wanted as (
    select * from unnest($1::text[], $2::integer[], $3::text[], $4::text[], $5::text[], $6::text[])
        as w (alert_id, revision, party, state, reason, text)
), changed as (
    update alert a set state = w.state, revision = w.revision, forwarded_at = null
    from wanted w where a.alert_id = w.alert_id
)
insert into alert_change (alert_id, revision, at, party, state, reason, text)
select alert_id, revision, $7, party, state, reason, text from wanted
"""


class AlertStore:
    """Queries on one national system's alerts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def _pool(self) -> asyncpg.Pool[asyncpg.Record]:
        return self._database.pool

    async def ids(self, query: AlertQuery, limit: int) -> list[str]:
        """Return the ids of the alerts asked for, oldest first."""
        rows = await self._pool.fetch(
            "select alert_id from alert where raised_at >= $1 and raised_at < $2"
            " and ($3::text is null or hub_code = $3)"
            " and ($4::text is null or product_code = $4)"
            " and ($5::text is null or state = $5)"
            " and ($6::text is null or initiating_market = $6)"
            " order by raised_at, alert_id limit $7",
            *query,
            limit,
        )
        return [row[0] for row in rows]

    async def details(self, alert_ids: Sequence[str]) -> list[Row]:
        """Return all that is known of these alerts but their histories, oldest first."""
        return await self._pool.fetch(_DETAILS, alert_ids)

    async def histories(self, alert_ids: Iterable[str]) -> dict[str, list[Row]]:
        """Return the changes of each of these alerts in order; no entry means none."""
        rows = await self._pool.fetch(
            "select * from alert_change where alert_id = any($1::text[])"
            " order by alert_id, revision",
            list(alert_ids),
        )
        histories: dict[str, list[Row]] = {}
        for row in rows:
            histories.setdefault(row["alert_id"], []).append(row)
        return histories

    async def change(
        self, alert_ids: Sequence[str], decide: Decide, now: datetime
    ) -> list[tuple[StandingAlert, AlertChange | None]]:
        """Change those of these alerts for which `decide` gives a change, all at one go.

        Returns each alert that exists as it was, with its change.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(
                "select a.alert_id, a.state as current, a.revision, c.* from alert a"
                " left join alert_change c on c.alert_id = a.alert_id and c.revision = a.revision"
                " where a.alert_id = any($1::text[]) order by a.alert_id for update of a",
                alert_ids,
            )
            decided = [(alert, decide(alert)) for alert in map(_standing, rows)]
            wanted = [
                (alert.alert_id, alert.revision + 1, change.party, *change[1:])
                for alert, change in decided
                if change is not None
            ]
            if wanted:
                await connection.execute(_CHANGE, *map(list, zip(*wanted, strict=True)), now)
        return decided

    async def not_forwarded(self, limit: int) -> list[str]:
        """Return the ids of alerts that the hub does not know as they are, oldest first."""
        rows = await self._pool.fetch(_NOT_FORWARDED, limit)
        return [row[0] for row in rows]

    async def mark_forwarded(
        self, revisions: dict[str, int], refusals: dict[str, str], now: datetime
    ) -> None:
        """Store that the hub knows alerts at these revisions; changed since, they stay in line."""
        await self._pool.execute(
            "update alert a set forwarded_at = $4, forward_refusal = w.refusal"
            " from unnest($1::text[], $2::integer[], $3::text[]) as w (alert_id, revision, refusal)"
            " where a.alert_id = w.alert_id and a.revision = w.revision",
            list(revisions),
            list(revisions.values()),
            [refusals.get(alert_id) for alert_id in revisions],
            now,
        )


def _standing(row: Any) -> StandingAlert:
    last = None
    if row["party"] is not None:
        last = AlertChange(row["party"], AlertState(row["state"]), row["reason"], row["text"])
    return StandingAlert(row[0], AlertState(row["current"]), row[2], last)
