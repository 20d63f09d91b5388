"""Making the reports that wait: several at a time, of one organisation one, in turns.

So nobody waits for another organisation's long report, nor for its twenty short ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from emvs.errors import EmvsError
from emvs.infra.clock import Clock
from emvs.infra.database import CONNECTION_ERRORS
from emvs.infra.logs import get_logger
from emvs.report_messages import ReportFormat
from hub.config import ReportConfig
from hub.defects import printable
from hub.outbox import Outbox
from hub.reports import store
from hub.reports.making import Sources, make_table
from hub.reports.store import ReportRow
from hub.store.connections import Pool, transaction

PERIOD_S: Final = 600.0
_FORGOTTEN_COUNT: Final = 100
_log = get_logger(__name__)


class ReportMaker:
    """Makes what waits; `bell` rings for each new request."""

    def __init__(
        self, *, pool: Pool, clock: Clock, outbox: Outbox, config: ReportConfig, sources: Sources
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._outbox = outbox
        self._config = config
        self._sources = sources
        self._turns: dict[str, int] = {}
        """Organisation to the number of its last turn."""
        self.bell = asyncio.Event()

    async def drain(self) -> None:
        """Forget what is too old, and make what waits until nothing does."""
        before_ms = self._clock.now_ms() - self._config.kept_ms
        while (
            await store.forget_contents(self._pool, before_ms, _FORGOTTEN_COUNT) == _FORGOTTEN_COUNT
        ):
            pass
        running: dict[str, asyncio.Task[None]] = {}
        try:
            while True:
                self.bell.clear()  # Before the look: who asks after it rings anew.
                await self._begin(running)
                if not running:
                    break
                await self._until_one_ends_or_rings(running.values())
                for organisation_id, task in list(running.items()):
                    if task.done():
                        del running[organisation_id]
                        task.result()
        finally:
            for task in running.values():
                task.cancel()
            await asyncio.gather(*running.values(), return_exceptions=True)
        self._turns.clear()

    async def _begin(self, running: dict[str, asyncio.Task[None]]) -> None:
        if len(running) >= self._config.at_once_max:
            return
        waiting = await store.first_waiting(self._pool, list(running))
        room = self._config.at_once_max - len(running)
        for row in in_turn(waiting, self._turns)[:room]:
            self._turns[row.organisation_id] = max(self._turns.values(), default=0) + 1
            running[row.organisation_id] = asyncio.create_task(self._make(row))

    async def _until_one_ends_or_rings(self, tasks: Iterable[asyncio.Task[None]]) -> None:
        rung = asyncio.create_task(self.bell.wait())
        try:
            await asyncio.wait({rung, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            rung.cancel()

    async def _make(self, row: ReportRow) -> None:
        wanted = row.wanted
        content, row_count, is_truncated, error = None, 0, False, None
        try:
            table = await make_table(self._sources, wanted, row.organisation_id)
        except EmvsError as trouble:
            error = printable(str(trouble))
        except CONNECTION_ERRORS:
            raise
        except Exception:  # noqa: BLE001 - a defect of ours must not keep all others waiting.
            _log.exception("report failed", action="report_failed", report=row.report_id)
            error = "an internal error; see the hub's log"
        else:
            content = await table.written(ReportFormat(wanted.format or ReportFormat.JSON))
            row_count, is_truncated = len(table.rows), table.is_truncated
        async with transaction(self._pool) as connection:
            await store.finish_report(
                connection,
                row,
                content=content,
                row_count=row_count,
                is_truncated=is_truncated,
                error=error,
                at_ms=self._clock.now_ms(),
            )
        self._outbox.notices_bell.set()
        _log.info(
            "report made",
            action="report_made",
            transaction_id=row.transaction_id,
            report_type=wanted.reportType,
            rows=row_count,
            error=error,
        )


def in_turn(waiting: Sequence[ReportRow], turns: Mapping[str, int]) -> list[ReportRow]:
    """Return reports in the order in which they are made: whose organisation's last turn was the
    longest ago, then the oldest."""
    return sorted(waiting, key=lambda row: (turns.get(row.organisation_id, 0), row.number))
