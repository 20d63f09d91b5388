"""Documents that are being made or kept: what one is, and every query on them. No rule here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

import asyncpg
import orjson

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

_COLUMNS = (
    "job_id, kind, subject, location_number, title, requested_by, parameters, requested_at,"
    " status, attempt_count, expires_at, facts"
)


class JobKind(StrEnum):
    """What is made."""

    REPORT = "report"
    PRODUCT_DATA = "product_data"
    ALERTS = "alerts"


class JobStatus(StrEnum):
    """How far it is."""

    WAITING = "waiting"
    READY = "ready"
    FAILED = "failed"


class Job(NamedTuple):
    """A document, asked for and perhaps made."""

    job_id: UUID
    kind: JobKind
    subject: str
    """Of a report its type, else empty."""
    location_number: int | None
    """Who asked; None is the system itself."""
    title: str
    requested_by: str
    parameters: dict[str, Any]
    requested_at: datetime
    status: JobStatus
    attempt_count: int
    expires_at: datetime
    facts: dict[str, Any]
    """What its maker told of the result; `failure` if there is none."""


class JobFilter(NamedTuple):
    """Which documents; what is None does not select."""

    kind: JobKind
    location_number: int
    with_system: bool = False
    """Those that the system itself made, too."""
    start: datetime | None = None
    end: datetime | None = None
    subject: str | None = None
    requested_by: str | None = None
    title: str | None = None


class JobStore:
    """Queries on the documents of one national system."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def put(self, job: Job) -> None:
        """Store a new document that is to be made; one that is known stays as it is."""
        await self._pool.execute(
            "insert into background_job (job_id, kind, subject, location_number, title,"
            " requested_by, parameters, requested_at, expires_at)"
            " values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing",
            job.job_id.bytes,
            job.kind,
            job.subject,
            job.location_number,
            job.title,
            job.requested_by,
            orjson.dumps(job.parameters).decode(),
            job.requested_at,
            job.expires_at,
        )

    async def find(self, job_id: UUID) -> Job | None:
        """Return a document, None if there is none with this id."""
        row = await self._pool.fetchrow(
            f"select {_COLUMNS} from background_job where job_id = $1",  # noqa: S608 - a constant.
            job_id.bytes,
        )
        return None if row is None else _job(row)

    async def first_waiting(self, kinds: Sequence[JobKind]) -> Job | None:
        """Return the document that waits longest, None if none does."""
        row = await self._pool.fetchrow(
            f"select {_COLUMNS} from background_job"  # noqa: S608 - a constant.
            " where status = 'waiting' and kind = any($1::text[])"
            " order by requested_at, job_id limit 1",
            list(kinds),
        )
        return None if row is None else _job(row)

    async def waiting_counts(self, location_number: int | None) -> tuple[int, int]:
        """Return how many documents wait, and how many of them are this location's."""
        row = await self._pool.fetchrow(
            "select count(*), count(*) filter (where location_number = $1) from background_job"
            " where status = 'waiting'",
            location_number,
        )
        assert row is not None
        return row[0], row[1]

    async def listed(self, which: JobFilter, limit: int) -> list[Job]:
        """Return documents, the newest first."""
        rows = await self._pool.fetch(
            f"select {_COLUMNS} from background_job"  # noqa: S608 - a constant.
            " where kind = $1 and (location_number = $2 or ($3 and location_number is null))"
            " and ($4::timestamptz is null or requested_at >= $4)"
            " and ($5::timestamptz is null or requested_at < $5)"
            " and ($6::text is null or subject = $6)"
            " and ($7::text is null or requested_by = $7)"
            " and ($8::text is null or title = $8)"
            " order by requested_at desc, job_id limit $9",
            *which,
            limit,
        )
        return [_job(row) for row in rows]

    async def begin(self, job_id: UUID) -> bool:
        """Forget what an earlier attempt left, and count this one; False if the document has
        gone meanwhile."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(
                "delete from background_job_part where job_id = $1", job_id.bytes
            )
            done: str = await connection.execute(
                "update background_job set attempt_count = attempt_count + 1 where job_id = $1",
                job_id.bytes,
            )
        return done == "UPDATE 1"

    async def put_part(self, job_id: UUID, number: int, content: bytes) -> None:
        """Store a piece; pieces count from 0."""
        await self._pool.execute(
            "insert into background_job_part (job_id, part_number, content) values ($1, $2, $3)",
            job_id.bytes,
            number,
            content,
        )

    async def part(self, job_id: UUID, number: int) -> bytes | None:
        """Return a piece, None behind the last one."""
        content: bytes | None = await self._pool.fetchval(
            "select content from background_job_part where job_id = $1 and part_number = $2",
            job_id.bytes,
            number,
        )
        return content

    async def end(self, job_id: UUID, status: JobStatus, facts: dict[str, Any]) -> None:
        """Mark a document made, or given up."""
        await self._pool.execute(
            "update background_job set status = $2, facts = $3 where job_id = $1",
            job_id.bytes,
            status,
            orjson.dumps(facts).decode(),
        )

    async def make_again(self, job_id: UUID, parameters: dict[str, Any]) -> None:
        """Have a document made once more, with other parameters."""
        await self._pool.execute(
            "update background_job set status = 'waiting', attempt_count = 0, parameters = $2"
            " where job_id = $1",
            job_id.bytes,
            orjson.dumps(parameters).decode(),
        )

    async def delete_expired(self, now: datetime) -> int:
        """Delete what has expired, some at a time; return how many were deleted."""
        deleted: str = await self._pool.execute(
            "delete from background_job where job_id = any(array(select job_id from background_job"
            " where expires_at <= $1 order by expires_at limit 20))",
            now,
        )
        return int(deleted.removeprefix("DELETE "))

    async def delete_oldest(
        self, kind: JobKind, location_number: int, *, kept: int, bytes_kept: int
    ) -> None:
        """Delete a location's oldest documents of a kind that are not waiting, but for so many
        and so many bytes of them."""
        await self._pool.execute(
            "delete from background_job where job_id = any(array("
            "select job_id from (select job_id, row_number() over newest as place,"
            " sum(coalesce((facts ->> 'bytes')::bigint, 0)) over newest as total"
            " from background_job where location_number = $1 and kind = $2 and status <> 'waiting'"
            " window newest as (order by requested_at desc, job_id)) kept"
            " where place > $3 or total > $4))",
            location_number,
            kind,
            kept,
            bytes_kept,
        )


def _job(row: Any) -> Job:
    return Job(
        UUID(bytes=row["job_id"]),
        JobKind(row["kind"]),
        row["subject"],
        row["location_number"],
        row["title"],
        row["requested_by"],
        orjson.loads(row["parameters"]),
        row["requested_at"],
        JobStatus(row["status"]),
        row["attempt_count"],
        row["expires_at"],
        orjson.loads(row["facts"]) if row["facts"] else {},
    )
