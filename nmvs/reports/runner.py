"""Making documents, one after another, and deleting those that have expired.

A document is stored in pieces while it is made and is ready with its last one. If the process
ends before, the next one begins it anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeAlias

from emvs.errors import EmvsError
from emvs.infra.clock import Clock
from emvs.infra.logs import get_logger
from nmvs.recovery import Recovery
from nmvs.reports.jobs import Job, JobKind, JobStatus, JobStore
from nmvs.reports.limits import BYTES_MAX, JOB_ATTEMPTS_MAX, PART_BYTES, ROWS_MAX

_LOOK_S: Final = 60.0
"""What is due by the clock is looked for so often without a bell."""
_WAIT_S_FIRST: Final = 0.2
_WAIT_S_MAX: Final = 30.0

_log = get_logger(__name__)


class Piece(NamedTuple):
    """Some lines of a document."""

    content: bytes
    row_count: int = 0
    facts: Mapping[str, Any] = {}
    """What there is to tell of the whole; that of later pieces wins."""


Maker: TypeAlias = Callable[[Job], AsyncIterator[Piece]]


class DocumentTooLargeError(EmvsError):
    """The document would have more lines or bytes than are allowed."""

    title = "Document too large"


class DocumentRunner:
    """Makes the documents of some kinds. `run` is its one loop; `ring` wakes it."""

    def __init__(
        self,
        store: JobStore,
        clock: Clock,
        makers: Mapping[JobKind, Maker],
        *,
        before: Callable[[datetime], Awaitable[None]] | None = None,
    ) -> None:
        """`before` is called with the time whenever the loop looks for work."""
        self._store = store
        self._clock = clock
        self._makers = makers
        self._before = before
        self._bell = asyncio.Event()

    def ring(self) -> None:
        """Look for work, now."""
        self._bell.set()

    async def run(self) -> None:
        """Work until cancelled; trouble is waited out, longer each time."""
        wait_s = _WAIT_S_FIRST
        while True:
            self._bell.clear()
            try:
                await self._look()
            except Exception as error:  # noqa: BLE001 - tried again; counted where it is a document's.
                _log.warning("no document made", action="document_failed", error=repr(error))
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, _WAIT_S_MAX)
                continue
            wait_s = _WAIT_S_FIRST
            try:
                async with asyncio.timeout(_LOOK_S):
                    await self._bell.wait()
            except TimeoutError:
                continue

    async def _look(self) -> None:
        now = self._clock.now()
        while await self._store.delete_expired(now):
            pass
        if self._before is not None:
            await self._before(now)
        while (job := await self._store.first_waiting(list(self._makers))) is not None:
            await self._attempt(job)

    async def _attempt(self, job: Job) -> None:
        """Make a document; raise what may go away by itself."""
        if job.attempt_count >= JOB_ATTEMPTS_MAX:
            await self._give_up(job, "attempts")
            return
        if not await self._store.begin(job.job_id):
            return
        try:
            facts = await self._make(job)
        except DocumentTooLargeError:
            await self._store.begin(job.job_id)  # What is stored of it goes.
            await self._give_up(job, "too_large")
        except Recovery.TROUBLE:
            raise
        except Exception:  # noqa: BLE001 - a defect of ours must not stop the other documents.
            _log.exception("document not made", action="document_defect", kind=job.kind)
            await self._store.begin(job.job_id)
            await self._give_up(job, "defect")
        else:
            await self._store.end(job.job_id, JobStatus.READY, facts)

    async def _give_up(self, job: Job, failure: str) -> None:
        _log.error(
            "document given up",
            action="document_given_up",
            kind=job.kind,
            subject=job.subject,
            job_id=str(job.job_id),
            failure=failure,
        )
        await self._store.end(job.job_id, JobStatus.FAILED, {"failure": failure})

    async def _make(self, job: Job) -> dict[str, Any]:
        facts: dict[str, Any] = {}
        part = bytearray()
        number = row_count = byte_count = 0
        async for piece in self._makers[job.kind](job):
            part += piece.content
            row_count += piece.row_count
            byte_count += len(piece.content)
            facts |= piece.facts
            if row_count > ROWS_MAX or byte_count > BYTES_MAX:
                raise DocumentTooLargeError(f"more than {ROWS_MAX} lines or {BYTES_MAX} bytes")
            if len(part) >= PART_BYTES:
                await self._store.put_part(job.job_id, number, bytes(part))
                number += 1
                part.clear()
        if part:
            await self._store.put_part(job.job_id, number, bytes(part))
            number += 1
        return facts | {"rows": row_count, "bytes": byte_count, "parts": number}
