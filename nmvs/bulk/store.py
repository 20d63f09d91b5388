"""Every query about bulk requests. Rows become values here; no rule, no wire format."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg
import orjson

from emvs.infra.database import Database
from emvs.states import Operation
from nmvs.bulk.jobs import Job

_JOB: Final = (
    "job_id, kind, location_number, organisation, operation, item_count, slice_count, header,"
    " accepted_at, expires_at, done_at, fetched_at"
)
_SLICES_AT_ONCE: Final = 16
"""Slices sent together: some two megabytes."""
_TRANSFER_S_MAX: Final = 300.0


class WaitingJob(NamedTuple):
    """A job that is not done, and its first slice without results; None if all have some."""

    job: Job
    next_slice: int | None


class Trace(NamedTuple):
    """What the audit trail says of a request that was recorded."""

    transaction_id: str
    at_ms: int
    outcome: int
    state_after: int
    intermarket: bool
    alert_id: str | None
    hub_code: str | None


class BulkStore:
    """Queries on one national system's schema."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def _pool(self) -> asyncpg.Pool[asyncpg.Record]:
        return self._database.pool

    async def put(self, job: Job, slices: Sequence[bytes]) -> None:
        """Store a job with its items; when this returns, all of it is durable."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(
                f"insert into bulk_job ({_JOB})"  # noqa: S608 - a constant.
                " values ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9, $10, $11, $12)",
                job.job_id.bytes,
                *job[1:7],
                orjson.dumps(job.header).decode(),
                *job[8:],
            )
            for start in range(0, len(slices), _SLICES_AT_ONCE):
                await connection.executemany(
                    "insert into bulk_slice (job_id, slice_number, items) values ($1, $2, $3)",
                    [
                        (job.job_id.bytes, number, items)
                        for number, items in enumerate(
                            slices[start : start + _SLICES_AT_ONCE], start
                        )
                    ],
                    timeout=_TRANSFER_S_MAX,
                )

    async def forget(self, job_id: UUID) -> None:
        """Delete a job, whether or not there is one."""
        await self._pool.execute("delete from bulk_job where job_id = $1", job_id.bytes)

    async def waiting(self) -> list[WaitingJob]:
        """Return the jobs that are not done, oldest first."""
        rows = await self._pool.fetch(
            f"select {_JOB}, (select min(s.slice_number) from bulk_slice s"  # noqa: S608 - a constant.
            " where s.job_id = j.job_id and s.results is null) as next_slice"
            " from bulk_job j where done_at is null order by accepted_at, job_id"
        )
        return [WaitingJob(_job(row), row["next_slice"]) for row in rows]

    async def items(self, job_id: UUID, slice_number: int) -> bytes:
        """Return the items of a slice."""
        items: bytes = await self._pool.fetchval(
            "select items from bulk_slice where job_id = $1 and slice_number = $2",
            job_id.bytes,
            slice_number,
        )
        return items

    async def put_results(
        self, job_id: UUID, slice_number: int, results: bytes, done_at: datetime | None
    ) -> None:
        """Store what came of a slice; `done_at` is given with the last one."""
        await self._pool.execute(
            "with worked as (update bulk_slice set results = $3"
            " where job_id = $1 and slice_number = $2)"
            " update bulk_job set done_at = $4 where job_id = $1 and $4::timestamptz is not null",
            job_id.bytes,
            slice_number,
            results,
            done_at,
        )

    async def mark_done(self, job_id: UUID, done_at: datetime) -> None:
        """Note that all slices of a job have results."""
        await self._pool.execute(
            "update bulk_job set done_at = $2 where job_id = $1", job_id.bytes, done_at
        )

    async def job(self, job_id: UUID) -> Job | None:
        """Return a job, done or not."""
        row = await self._pool.fetchrow(
            f"select {_JOB} from bulk_job where job_id = $1",  # noqa: S608 - a constant.
            job_id.bytes,
        )
        return None if row is None else _job(row)

    async def open_jobs_of(
        self,
        organisation: str,
        kinds: Sequence[str],
        now: datetime,
        limit: int,
        *,
        location_number: int | None,
        client: str | None,
    ) -> list[Job]:
        """Return the jobs of an organisation that were not fetched and have not expired, oldest
        first; of one location, and of none but one client, if these are given."""
        rows = await self._pool.fetch(
            f"select {_JOB} from bulk_job where organisation = $1 and kind = any($2::text[])"  # noqa: S608 - a constant.
            " and fetched_at is null and expires_at > $3"
            " and ($5::integer is null or location_number = $5)"
            " and ($6::text is null or coalesce(header ->> 'client', $6) = $6)"
            " order by accepted_at, job_id limit $4",
            organisation,
            list(kinds),
            now,
            limit,
            location_number,
            client,
        )
        return [_job(row) for row in rows]

    async def slice_of(self, job_id: UUID, slice_number: int) -> tuple[bytes, bytes] | None:
        """Return items and results of a slice; None if it was purged."""
        row = await self._pool.fetchrow(
            "select items, results from bulk_slice where job_id = $1 and slice_number = $2",
            job_id.bytes,
            slice_number,
        )
        return None if row is None else (row["items"], row["results"])

    async def note_fetched(self, job_id: UUID, at: datetime) -> None:
        """Note when a result was first given out."""
        await self._pool.execute(
            "update bulk_job set fetched_at = $2 where job_id = $1 and fetched_at is null",
            job_id.bytes,
            at,
        )

    async def item_counts(self) -> dict[str, int]:
        """Return how many items are stored, by organisation."""
        rows = await self._pool.fetch(
            "select organisation, sum(item_count) as items from bulk_job group by organisation"
        )
        return {row["organisation"]: int(row["items"]) for row in rows}

    async def purge_one(self, now: datetime) -> tuple[str, int] | None:
        """Delete one job whose results have expired; return its organisation and item count, None
        if there was none."""
        row = await self._pool.fetchrow(
            "delete from bulk_job where job_id = (select job_id from bulk_job"
            " where done_at is not null and expires_at <= $1 order by expires_at limit 1)"
            " returning organisation, item_count",
            now,
            timeout=_TRANSFER_S_MAX,
        )
        return None if row is None else (row["organisation"], row["item_count"])

    async def traces(
        self, pack_keys: Sequence[bytes], transaction_ids: Sequence[str]
    ) -> list[Trace]:
        """Return those of these requests that were recorded."""
        rows = await self._pool.fetch(
            "select t.transaction_id, t.recorded_at, t.outcome, t.state_after, t.alert_id,"
            " coalesce((t.submitted ->> 'intermarket')::boolean, false) as intermarket, a.hub_code"
            " from unnest($1::uuid[], $2::uuid[]) as w (pack_key, transaction_id)"
            " join trail t using (pack_key, transaction_id)"
            " left join alert a on a.alert_id = t.alert_id",
            pack_keys,
            [bytes.fromhex(transaction_id) for transaction_id in transaction_ids],
        )
        return [
            Trace(
                row["transaction_id"].hex(),
                round(row["recorded_at"].timestamp() * 1000),
                row["outcome"],
                row["state_after"],
                row["intermarket"],
                row["alert_id"],
                row["hub_code"],
            )
            for row in rows
        ]


def _job(row: Any) -> Job:
    return Job(
        UUID(bytes=row["job_id"]),
        row["kind"],
        row["location_number"],
        row["organisation"],
        Operation(row["operation"]) if row["operation"] else None,
        row["item_count"],
        row["slice_count"],
        orjson.loads(row["header"]),
        row["accepted_at"],
        row["expires_at"],
        row["done_at"],
        row["fetched_at"],
    )
