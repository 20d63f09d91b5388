"""Asking for documents that are made in the background, and fetching them.

Knows who may have which document; knows neither HTTP nor what is in a document.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5
from zoneinfo import ZoneInfo

from emvs.errors import ConflictError, ForbiddenError, NotFoundError, OverloadedError
from emvs.infra.clock import Clock
from nmvs.participants import Participant
from nmvs.reports import limits
from nmvs.reports.definitions import DAILY_SNAPSHOT, REPORT_TYPES, ReportType, Scope, view_of
from nmvs.reports.jobs import Job, JobFilter, JobKind, JobStatus, JobStore
from nmvs.reports.making import Makers
from nmvs.reports.runner import DocumentRunner
from nmvs.reports.settings import ReportSettings
from nmvs.reports.sources import Sources
from nmvs.store import Store

_SNAPSHOT_SETTING: Final = "daily_snapshot_for"
_NOT_FOUND: Final = "there is no such document, or it is no longer kept"


class Documents:
    """Everything that is asked for and made later."""

    def __init__(
        self, sources: Sources, clock: Clock, store: Store, settings: ReportSettings, zone: ZoneInfo
    ) -> None:
        """`zone`: whose midnight begins the day of a snapshot."""
        self.sources = sources
        self.settings = settings
        self.clock = clock
        self._settings_store = store
        self._zone = zone
        self._store = JobStore(sources.pool)
        self._snapshot_for: date | None = None
        self._asking = asyncio.Lock()
        makers = Makers(sources, settings).by_kind()
        # A long report keeps nobody from his list of alerts.
        self._reports = DocumentRunner(
            self._store,
            clock,
            {JobKind.REPORT: makers.pop(JobKind.REPORT)},
            before=self._ask_for_snapshot,
        )
        self._queries = DocumentRunner(self._store, clock, makers)

    @property
    def runners(self) -> tuple[DocumentRunner, ...]:
        """What must run in the background."""
        return self._reports, self._queries

    def ring(self) -> None:
        """Look for what is due: the clock has moved."""
        for runner in self.runners:
            runner.ring()

    async def ask(
        self,
        participant: Participant,
        kind: JobKind,
        parameters: Mapping[str, Any],
        *,
        subject: str = "",
        title: str = "",
        requested_by: str = "",
    ) -> Job:
        """Have a document made; it is stored when this returns.

        Raises OverloadedError if too many wait.
        """
        number = participant.number
        settings, now = self.settings, self.clock.now()
        days = timedelta(days=settings.life_days)
        life = days if kind is JobKind.REPORT else timedelta(hours=settings.query_life_hours)
        job = Job(
            uuid4(),
            kind,
            subject,
            number,
            title[: limits.TEXT_LENGTH_MAX],
            requested_by[: limits.TEXT_LENGTH_MAX],
            dict(parameters),
            now,
            JobStatus.WAITING,
            0,
            now + life,
            {},
        )
        async with self._asking:  # Else many at once would all find room.
            waiting, own = await self._store.waiting_counts(number)
            if waiting >= limits.JOBS_WAITING_MAX or own >= limits.JOBS_WAITING_PER_LOCATION_MAX:
                raise OverloadedError("too many documents wait to be made", retry_after_s=30)
            await self._store.delete_oldest(
                kind,
                number,
                kept=limits.JOBS_KEPT_PER_LOCATION_MAX - 1,
                bytes_kept=limits.BYTES_KEPT_PER_LOCATION_MAX,
            )
            await self._store.put(job)
        self.ring()
        return job

    async def make_again(self, job: Job, parameters: Mapping[str, Any]) -> None:
        """Have a document that was made, made once more. Raises ConflictError if it waits."""
        if job.status is JobStatus.WAITING:
            raise ConflictError("it is being made")
        await self._store.make_again(job.job_id, dict(parameters))
        self.ring()

    async def find(self, participant: Participant, kind: JobKind, identifier: str) -> Job:
        """Return a document that this participant may have. Raises NotFoundError."""
        try:
            job = await self._store.find(UUID(identifier))
        except ValueError:
            job = None
        if job is None or job.kind is not kind or job.expires_at <= self.clock.now():
            raise NotFoundError(_NOT_FOUND)
        own = job.location_number == participant.number
        if not own and not (job.location_number is None and may_read_snapshots(participant)):
            raise NotFoundError(_NOT_FOUND)  # That others have asked is nobody's business.
        if own and kind is JobKind.REPORT and job.status is JobStatus.READY:
            view = view_of(REPORT_TYPES[job.subject], participant.role, participant.organisation)
            if job.facts.get("view") != view:
                raise NotFoundError(_NOT_FOUND)
        return job

    async def listed(
        self,
        participant: Participant,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        subject: str | None = None,
        requested_by: str | None = None,
        title: str | None = None,
    ) -> list[Job]:
        """Return the reports that this participant may have, the newest first."""
        which = JobFilter(
            JobKind.REPORT,
            participant.number,
            may_read_snapshots(participant),
            start,
            end,
            subject,
            requested_by,
            title,
        )
        return await self._store.listed(which, limits.LISTED_MAX)

    async def eta(self) -> datetime:
        """Return when to come back for what waits."""
        waiting, _ = await self._store.waiting_counts(None)
        return self.clock.now() + timedelta(seconds=self.settings.eta_s * max(1, waiting))

    async def content(self, job: Job) -> AsyncGenerator[bytes, None]:
        """Yield a document that is ready, piece by piece. Raises NotFoundError if it goes
        meanwhile."""
        for number in range(job.facts["parts"]):
            part = await self._store.part(job.job_id, number)
            if part is None:
                raise NotFoundError(_NOT_FOUND)
            yield part

    async def _ask_for_snapshot(self, now: datetime) -> None:
        """Have the day's snapshot made once the day has begun. The first one is made on the day
        after the system was set up."""
        today = now.astimezone(self._zone).date()
        if self._snapshot_for is None:
            stored = await self._settings_store.setting(_SNAPSHOT_SETTING, today.isoformat())
            self._snapshot_for = date.fromisoformat(stored)
        if self._snapshot_for >= today:
            return
        # The same id for one day, whatever happens between the two writes.
        identifier = uuid5(NAMESPACE_URL, f"{self.sources.market}/{DAILY_SNAPSHOT}/{today}")
        await self._store.put(
            Job(
                identifier,
                JobKind.REPORT,
                DAILY_SNAPSHOT,
                None,
                f"{DAILY_SNAPSHOT} {today.isoformat()}",
                "System",
                {},
                now,
                JobStatus.WAITING,
                0,
                now + timedelta(days=self.settings.life_days),
                {},
            )
        )
        await self._settings_store.put_setting(_SNAPSHOT_SETTING, today.isoformat())
        self._snapshot_for = today


def may_read_snapshots(participant: Participant) -> bool:
    """Whether the participant may read what the system makes daily."""
    return participant.role in REPORT_TYPES[DAILY_SNAPSHOT].scopes


def scope_of(kind: ReportType, participant: Participant) -> Scope:
    """Return whose data a report holds for a participant. Raises ForbiddenError."""
    scope = kind.scopes.get(participant.role)
    if scope is None:
        raise ForbiddenError(f"role {participant.role} may not have {kind.identifier}")
    return scope
