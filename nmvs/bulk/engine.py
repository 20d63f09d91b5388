"""Bulk requests as a dialect sees them: submit, ask whether it is done, read the results.

A job is accepted when it is stored with all its items, so whoever got a ticket may go away. The
rest is the worker's; what is kept and for how long is decided here.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid4

from emvs.errors import AllowanceSpentError, OverloadedError, UnavailableError
from emvs.infra.clock import Clock
from emvs.infra.logs import get_logger
from emvs.states import Operation
from nmvs.bulk.fair_queue import Progress
from nmvs.bulk.jobs import EQUIPMENT, Job, Slices, Worked, worked_items
from nmvs.bulk.pacing import Pacer
from nmvs.bulk.settings import BulkSettings, SharedWithin
from nmvs.bulk.store import BulkStore
from nmvs.bulk.traces import Traces
from nmvs.bulk.worker import Worker
from nmvs.catalogue import Catalogue
from nmvs.directory import Directory
from nmvs.operations import Operations
from nmvs.participants import Participant
from nmvs.recovery import Recovery

_PURGE_PERIOD_S: Final = 3600.0
_RETRY_S: Final = 1.0
_LIST_COUNT_MAX: Final = 1_000
"""Open jobs that are listed, the oldest ones (our choice: nobody has so many)."""

_log = get_logger(__name__)


class Submission(NamedTuple):
    """What a dialect has parsed."""

    kind: str
    participant: Participant
    items: Slices
    operation: Operation | None = None
    """Of all items that name none themselves."""
    header: Mapping[str, Any] = MappingProxyType({})


class Bulk:
    """All bulk requests of a national system. `load` before anything is served, then `run`."""

    def __init__(
        self,
        *,
        operations: Operations,
        recovery: Recovery,
        directory: Directory,
        catalogue: Catalogue,
        store: BulkStore,
        traces: Traces,
        clock: Clock,
        settings: BulkSettings,
    ) -> None:
        self.settings = settings
        self._catalogue = catalogue
        self._store = store
        self._clock = clock
        self._worker = Worker(
            operations=operations,
            recovery=recovery,
            directory=directory,
            store=store,
            traces=traces,
            clock=clock,
            settings=settings,
            on_done=self._note_done,
        )
        self._unfinished: dict[UUID, Progress] = {}
        self._waiting_jobs: Counter[str] = Counter()
        self._kept_items: Counter[str] = Counter()
        self._unsure: list[UUID] = []
        """Jobs of which nobody was told, but which may have been stored."""
        self._purge_bell = asyncio.Event()
        self._purge_bell.set()

    async def load(self) -> None:
        """Take up the jobs that were not done when the last process ended."""
        for waiting in await self._store.waiting():
            job = waiting.job
            at = job.slice_count if waiting.next_slice is None else waiting.next_slice
            self._take(Progress(job, at, in_doubt=True))
        self._kept_items = Counter(await self._store.item_counts())
        if self._unfinished:
            _log.info("bulk jobs taken up", action="bulk_loaded", jobs=len(self._unfinished))

    async def run(self) -> None:
        """Work and purge until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._worker.run())
            tasks.create_task(self._purge_for_ever())

    def pacer(self) -> Pacer:
        """Return what paces a dialect's own long work, such as parsing."""
        return Pacer(self._worker.single_count, busy_share=self.settings.busy_share)

    def check_room(self, participant: Participant, item_count: int = 1) -> None:
        """Raise OverloadedError if so many items more are too many for now."""
        settings, organisation = self.settings, participant.organisation
        if self._waiting_jobs[organisation] >= settings.jobs_waiting_per_organisation_max:
            raise AllowanceSpentError(
                f"{self._waiting_jobs[organisation]} bulk requests of the organisation wait",
                retry_after_s=round(settings.eta_s_max),
            )
        if self._worker.items_waiting_count + item_count > settings.items_waiting_max:
            raise OverloadedError(
                "too many packs wait to be worked through",
                retry_after_s=round(settings.eta_s_max),
            )
        if self._kept_items[organisation] + item_count > settings.items_per_organisation_max:
            raise AllowanceSpentError(
                "too many results of the organisation are kept", retry_after_s=3600
            )

    async def submit(self, submission: Submission) -> Job:
        """Return the job, durable with all its items.

        Raises OverloadedError, or UnavailableError and what the database raises: nothing was
        accepted then, and nothing will be done.
        """
        participant, items = submission.participant, submission.items
        self.check_room(participant, items.item_count)
        slices = items.finish()
        now = self._clock.now()
        header = dict(submission.header)
        if participant.equipment:
            header[EQUIPMENT] = participant.equipment
        job = Job(
            uuid4(),
            submission.kind,
            participant.number,
            participant.organisation,
            submission.operation,
            items.item_count,
            len(slices),
            header,
            now,
            now + timedelta(seconds=self.settings.keep_results_s),
        )
        # Counted before it is stored: others are being stored meanwhile.
        self._kept_items[job.organisation] += job.item_count
        self._waiting_jobs[job.organisation] += 1
        try:
            await self._store.put(job, slices)
        except BaseException:
            self._kept_items[job.organisation] -= job.item_count
            self._waiting_jobs[job.organisation] -= 1
            self._unsure.append(job.job_id)
            self._purge_bell.set()
            raise
        self._waiting_jobs[job.organisation] -= 1
        self._take(Progress(job))
        return job

    def _take(self, progress: Progress) -> None:
        job = progress.job
        self._unfinished[job.job_id] = progress
        self._waiting_jobs[job.organisation] += 1
        self._worker.add(progress)

    def _note_done(self, job: Job) -> None:
        del self._unfinished[job.job_id]
        self._waiting_jobs[job.organisation] -= 1
        _log.info("bulk done", action="bulk_done", job=str(job.job_id), items=job.item_count)

    async def find(self, job_id: UUID, participant: Participant, kind: str) -> Job | None:
        """Return a job that the participant may see; None if there is none, or none any more."""
        progress = self._unfinished.get(job_id)
        job = progress.job if progress else await self._store.job(job_id)
        if job is None or job.kind != kind or not self._may_see(job, participant):
            return None
        return None if job.expires_at <= self._clock.now() else job

    def _may_see(self, job: Job, participant: Participant) -> bool:
        if self.settings.shared_within is SharedWithin.LOCATION:
            return job.location_number == participant.number
        return job.organisation == participant.organisation

    async def open_jobs_of(
        self, participant: Participant, kinds: Sequence[str], client: str | None = None
    ) -> list[Job]:
        """Return the jobs that the participant may see and nobody has fetched yet, oldest first,
        done or not; with `client` none that name another client in their header."""
        is_shared = self.settings.shared_within is SharedWithin.ORGANISATION
        return await self._store.open_jobs_of(
            participant.organisation,
            kinds,
            self._clock.now(),
            _LIST_COUNT_MAX,
            location_number=None if is_shared else participant.number,
            client=client,
        )

    def is_ready(self, job: Job) -> bool:
        """Whether the results may be fetched."""
        after = job.accepted_at + timedelta(seconds=self.settings.results_after_s)
        return job.done_at is not None and after <= self._clock.now()

    def eta(self, job: Job) -> datetime:
        """Return when the results are likely to be there: in the future, but not far."""
        settings, now = self.settings, self._clock.now()
        progress = self._unfinished.get(job.job_id)
        not_before = job.accepted_at + timedelta(seconds=settings.results_after_s)
        seconds = (not_before - now).total_seconds()
        if progress is not None:
            seconds = max(seconds, self._worker.seconds_left(progress))
        seconds = min(max(seconds, settings.eta_s_min), settings.eta_s_max)
        return now + timedelta(seconds=seconds)

    async def results(self, job: Job) -> AsyncIterator[list[Worked]]:
        """Yield what came of a job that is ready, in order, a slice at a time.

        Raises UnavailableError if the job is purged meanwhile.
        """
        for number in range(job.slice_count):
            stored = await self._store.slice_of(job.job_id, number)
            if stored is None:
                raise UnavailableError("the results have expired")
            yield worked_items(job, number, *stored, self._catalogue)
        if job.fetched_at is None:
            await self._store.note_fetched(job.job_id, self._clock.now())

    def ring(self) -> None:
        """Look for what has expired, now."""
        self._purge_bell.set()

    async def _purge_for_ever(self) -> None:
        while True:
            self._purge_bell.clear()
            try:
                await self._purge()
            except Recovery.TROUBLE as error:
                _log.warning("bulk not purged", action="bulk_purge_failed", error=repr(error))
                await asyncio.sleep(_RETRY_S)
                self._purge_bell.set()
                continue
            try:
                async with asyncio.timeout(_PURGE_PERIOD_S):
                    await self._purge_bell.wait()
            except TimeoutError:
                continue

    async def _purge(self) -> None:
        for job_id in self._unsure.copy():
            await self._store.forget(job_id)
            self._unsure.remove(job_id)
        while purged := await self._store.purge_one(self._clock.now()):
            organisation, item_count = purged
            self._kept_items[organisation] -= item_count

    def gauges(self) -> dict[str, tuple[str, Callable[[], float]]]:
        """Return what there is to watch."""
        worker = self._worker
        return {
            "bulk_jobs_waiting": ("Bulk requests not done.", lambda: len(self._unfinished)),
            "bulk_items_waiting": (
                "Packs of bulk requests that wait.",
                lambda: worker.items_waiting_count,
            ),
            "bulk_items_done": (
                "Packs of bulk requests done since the start.",
                lambda: worker.items_done_count,
            ),
        }
