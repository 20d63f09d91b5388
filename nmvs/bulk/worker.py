"""Working through jobs, slice by slice, beside the single requests.

A slice's packs are performed in small groups that share a commit; its results are stored before
the next slice of any job begins. Whatever goes wrong in between leaves one slice in doubt, and
what of it was done is asked of the audit trail before anything is done again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from emvs.infra.clock import Clock
from emvs.infra.logs import get_logger
from emvs.outcomes import Outcome
from nmvs.bulk.fair_queue import FairQueue, Progress
from nmvs.bulk.jobs import (
    EQUIPMENT,
    SLICE_COUNT_MAX,
    Job,
    decode_items,
    encode_answers,
    in_groups,
    operation_of,
    request_of,
    transaction_id_of,
)
from nmvs.bulk.pacing import Pacer
from nmvs.bulk.settings import BulkSettings
from nmvs.bulk.store import BulkStore
from nmvs.bulk.traces import Traces
from nmvs.directory import Directory
from nmvs.operations import Operations
from nmvs.participants import Participant
from nmvs.recovery import Recovery
from nmvs.requests import Answer, PackRequest

_ATTEMPTS_MAX: Final = 5
"""How often a pack is tried while the system serves; after that a defect of ours is the answer."""
_RETRY_S_FIRST: Final = 0.02
_RETRY_S_MAX: Final = 2.0
_RECOVERY_S: Final = 60.0
_RATE_FIRST: Final = 2_000.0
"""Packs per second, until it is measured."""
_RATE_WEIGHT: Final = 0.1

_log = get_logger(__name__)

Requests = dict[int, PackRequest]


class Worker:
    """Works through the jobs in line. `run` it in one task."""

    def __init__(
        self,
        *,
        operations: Operations,
        recovery: Recovery,
        directory: Directory,
        store: BulkStore,
        traces: Traces,
        clock: Clock,
        settings: BulkSettings,
        on_done: Callable[[Job], None],
    ) -> None:
        self._operations = operations
        self._recovery = recovery
        self._directory = directory
        self._store = store
        self._traces = traces
        self._clock = clock
        self._settings = settings
        self._on_done = on_done
        self._queue = FairQueue()
        self._arrived = asyncio.Event()
        self._asked_count = 0
        """Packs asked of `operations` so far."""
        self._pacer = Pacer(self.single_count, busy_share=settings.busy_share)
        self.items_done_count = 0
        """Since the start."""
        self.items_waiting_count = 0
        self.rate = _RATE_FIRST
        """Packs per second, of late."""

    def add(self, progress: Progress) -> None:
        """Put a job in line."""
        self._queue.add(progress)
        self.items_waiting_count += progress.items_left
        self._arrived.set()

    def single_count(self) -> int:
        """Return how many requests were answered that were not this worker's."""
        return self._operations.metrics.total_count - self._asked_count

    def seconds_left(self, progress: Progress) -> float:
        """Return about how long until a job is done."""
        return self._queue.items_until(progress) / self.rate

    async def run(self) -> None:
        """Work until cancelled."""
        wait_s = _RETRY_S_FIRST
        while True:
            if not self._queue:
                self._arrived.clear()
                await self._arrived.wait()
            progress = self._queue.take_turn()
            try:
                await self._work(progress)
                wait_s = _RETRY_S_FIRST
            except Recovery.TROUBLE as error:
                _log.warning("bulk waits", action="bulk_waits", error=repr(error))
            except Exception:  # noqa: BLE001 - a defect of ours; other jobs have their turns.
                _log.exception(
                    "bulk slice failed", action="bulk_failed", job=str(progress.job.job_id)
                )
            else:
                continue
            progress.in_doubt = True
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, _RETRY_S_MAX)

    async def _work(self, progress: Progress) -> None:
        """Do a job's next slice, if there is one left."""
        job, number = progress.job, progress.next_slice
        loop = asyncio.get_running_loop()
        if number >= job.slice_count:
            now = self._clock.now()
            await self._store.mark_done(job.job_id, now)
            self._finish(progress, job._replace(done_at=now))
            return
        started_s, left = loop.time(), progress.items_left
        answers = await self._answers(progress)
        done_at = self._clock.now() if number + 1 == job.slice_count else None
        await self._store.put_results(job.job_id, number, encode_answers(answers), done_at)
        progress.next_slice, progress.in_doubt = number + 1, False
        count = left - progress.items_left
        self.items_done_count += count
        self.items_waiting_count -= count
        rate = count / max(loop.time() - started_s, 1e-3)
        self.rate += (rate - self.rate) * _RATE_WEIGHT
        if done_at is not None:
            self._finish(progress, job._replace(done_at=done_at))

    def _finish(self, progress: Progress, job: Job) -> None:
        self._queue.remove(progress)
        self._on_done(job)

    async def _answers(self, progress: Progress) -> list[Answer | None]:
        """Return what comes of a slice's items; None for one that is defective."""
        job, number = progress.job, progress.next_slice
        items = decode_items(await self._store.items(job.job_id, number))
        first = number * SLICE_COUNT_MAX
        answers: dict[int, Answer] = {}
        requests: Requests = {}
        participant = self._participant(job)
        for position, item in enumerate(items, first):
            if item.defect:
                continue
            if participant is None or operation_of(job, item) not in participant.permitted:
                refused = self._operations.answer(Outcome.NOT_PERMITTED)
                self._asked_count += 1
                identifier = transaction_id_of(job.job_id, position)
                answers[position] = refused._replace(transaction_id=identifier)
                continue
            requests[position] = request_of(
                job, position, item, participant, local_only=not self._settings.intermarket
            )
        if progress.in_doubt:
            answers |= await self._traces.answers(requests)
        left = [numbered for numbered in requests.items() if numbered[0] not in answers]
        self._pacer.start()
        for group in in_groups(left, self._settings.packs_at_once):
            # From here on the slice is in doubt, whatever happens to this task.
            progress.in_doubt = True
            answers |= await self._perform(dict(group))
            await self._pacer.rest()
        return [answers.get(position) for position in range(first, first + len(items))]

    def _participant(self, job: Job) -> Participant | None:
        """Return the location as whose a job was accepted, its equipment named. Whether it is
        admitted still is not asked: what was accepted is done."""
        known = self._directory.by_number(job.location_number)
        return known and known._replace(equipment=job.header.get(EQUIPMENT, ""))

    async def _perform(self, requests: Requests) -> dict[int, Answer]:
        """Perform requests about different packs, each of them once."""
        answers: dict[int, Answer] = {}
        attempts, wait_s = 0, _RETRY_S_FIRST
        while True:
            self._asked_count += len(requests)
            given = await asyncio.gather(*map(self._operations.perform, requests.values()))
            said = dict(zip(requests, given, strict=True))
            failed = {at for at, answer in said.items() if answer.outcome is Outcome.UNAVAILABLE}
            put_off = {at for at, answer in said.items() if answer.outcome is Outcome.OVERLOADED}
            answers |= {at: said[at] for at in said.keys() - failed - put_off}
            if failed:
                attempts += self._recovery.is_serving
                await self._until_serving()
                # A write that failed may have been durable.
                found = await self._traces.answers({at: requests[at] for at in failed})
                answers |= found
                failed -= found.keys()
                if attempts >= _ATTEMPTS_MAX:
                    answers |= {at: said[at] for at in failed}
                    failed = set()
            if not failed and not put_off:
                return answers
            requests = {at: requests[at] for at in sorted(failed | put_off)}
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, _RETRY_S_MAX)

    async def _until_serving(self) -> None:
        while not await self._recovery.wait_until_serving(_RECOVERY_S):
            _log.warning("bulk waits", action="bulk_waits", error=self._recovery.failure)
