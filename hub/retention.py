"""Forgetting what old requests need no longer: serial numbers in answers, their own content; old
reports; messages about accounts; serial numbers of alerts long closed; and alerts on which nothing
has happened, and recalls that were told, for as long as a market keeps alerts on packs that are not
stored (`emvs.retention`).

Delegated Regulation (EU) 2016/161, Art. 33(2): the hub holds everything except serial numbers. A
manufacturer needs those in an answer for a while; how long is a setting. What a message said is in
the catalogue by then; its digest stays, so that a repeated one is still recognised.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from emvs.infra.clock import Clock
from emvs.retention import released_at_latest
from hub.identity.store import forget_answers
from hub.reports.store import forget_reports
from hub.store.alerts import delete_old_alerts, forget_serials_of_closed
from hub.store.captured_events import forget_events
from hub.store.connections import Pool
from hub.store.deliveries import forget_refused_serials
from hub.store.long_answers import forget_defect_pages, forget_refused_pages
from hub.store.notices import forget_notices, forget_urgent_notices
from hub.store.pack_answers import forget_packs
from hub.store.requests import drop_messages, forget_serials_in_remarks

PERIOD_S: Final = 3600.0
_SLICE_COUNT: Final = 1_000
"""Rows changed by one statement, so that none takes long, however much is due."""
_WORK: Final[tuple[Callable[[Pool, int, int], Awaitable[int]], ...]] = (
    forget_refused_serials,
    forget_refused_pages,
    forget_defect_pages,
    forget_packs,
    forget_serials_in_remarks,
    drop_messages,
    forget_serials_of_closed,
    forget_notices,
    forget_reports,
    forget_answers,
    forget_events,
)


class Retention:
    """Forgets what is older than `answers_kept_s`."""

    def __init__(self, *, pool: Pool, clock: Clock, answers_kept_s: float) -> None:
        self._pool = pool
        self._clock = clock
        self._answers_kept_s = answers_kept_s
        self.bell = asyncio.Event()

    async def drain(self) -> None:
        """Forget what is due."""
        before_ms = self._clock.now_ms() - int(self._answers_kept_s * 1000)
        for forget in _WORK:
            while await forget(self._pool, before_ms, _SLICE_COUNT) == _SLICE_COUNT:
                pass
        oldest_ms = int(released_at_latest(self._clock.now()).timestamp() * 1000)
        for forget in (delete_old_alerts, forget_urgent_notices):
            while await forget(self._pool, oldest_ms, _SLICE_COUNT) == _SLICE_COUNT:
                pass
