"""Calling organisations back: at least once, by a schedule, none held up by another.

Each organisation is called with one notice at a time: recalls and withdrawals first, then in
order. A notice that fails waits for its next time by the system's clock, and the others go on. An
endpoint that gives no answer at all rests for the first wait of the schedule, whatever is due. An
attempt is noted after it was made: after a crash it is made again, with the same notice id.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final

import aiohttp
import msgspec

from emvs.callback_messages import Notice, NoticeStatus
from emvs.infra.clock import Clock
from emvs.infra.logs import get_logger
from hub.callback_client import CallResult, call
from hub.callback_rules import next_attempt_ms, url_trouble
from hub.config import CallbackConfig
from hub.hub_ids import notice_id
from hub.store import notices as store
from hub.store.connections import Pool, transaction
from hub.store.notices import AttemptRow, NoticeRow
from hub.store.subscriptions import EndpointRow, primary_endpoint
from hub.times import utc

PERIOD_S: Final = 1.0
"""How often it is looked whether something is due: the clock rings no bell."""
_TURN_COUNT: Final = 16
"""Notices of one organisation before it is looked again what is urgent (our choice)."""

_log = get_logger(__name__)


class Callbacks:
    """Sends what is due. `async with` ends what is under way."""

    def __init__(
        self,
        *,
        pool: Pool,
        clock: Clock,
        session: aiohttp.ClientSession,
        config: CallbackConfig,
        bell: asyncio.Event,
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._session = session
        self._config = config
        self.bell = bell
        self.ends: Counter[str] = Counter()
        """Attempts by how they ended: taken, failed, given_up."""
        self._turns: dict[str, asyncio.Task[None]] = {}
        self._rests: dict[str, int] = {}
        """Until when, by the system's clock, an organisation that gave no answer is left alone."""

    async def __aenter__(self) -> Callbacks:
        return self

    async def __aexit__(self, *_: object) -> None:
        turns = list(self._turns.values())
        for turn in turns:
            turn.cancel()
        await asyncio.gather(*turns, return_exceptions=True)

    def wake(self, organisation_id: str) -> None:
        """Look at once at what an organisation has to be told, even if it rests."""
        self._rests.pop(organisation_id, None)
        self.bell.set()

    async def drain(self) -> None:
        """Begin a turn for each organisation that something is due for, as many as may.

        Raises what ended a turn before: the worker shows it, and waits.
        """
        failures = []
        for organisation_id, turn in list(self._turns.items()):
            if turn.done():
                del self._turns[organisation_id]
                failures += [error for error in [turn.exception()] if error is not None]
        if failures:
            raise failures[0]
        now_ms = self._clock.now_ms()
        for organisation_id in await store.organisations_due(self._pool, now_ms):
            if len(self._turns) >= self._config.organisations_at_once_max:
                return
            resting = self._rests.get(organisation_id, 0) > now_ms
            if organisation_id not in self._turns and not resting:
                turn = asyncio.create_task(self._turn(organisation_id))
                turn.add_done_callback(lambda _: self.bell.set())
                self._turns[organisation_id] = turn

    async def _turn(self, organisation_id: str) -> None:
        due = await store.due_notices(
            self._pool, organisation_id, self._clock.now_ms(), _TURN_COUNT
        )
        for notice in due:
            # Read anew for each: another may have become the primary one.
            endpoint = await primary_endpoint(self._pool, organisation_id)
            if endpoint is None or not await self._attempt(notice, endpoint):
                return

    async def _attempt(self, notice: NoticeRow, endpoint: EndpointRow) -> bool:
        """Call once and note what came of it; return whether there was an answer."""
        at_ms = self._clock.now_ms()
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        result = await self._call(notice, endpoint)
        duration_ms = int((loop.time() - started_s) * 1000)
        attempt = AttemptRow(at_ms, endpoint.url, result.http_status, result.error, duration_ms)
        status, next_ms = self._consequence(notice, result, at_ms)
        async with transaction(self._pool) as connection:
            as_before = await store.note_attempt(
                connection, notice, attempt, status=status, next_attempt_at_ms=next_ms
            )
        answered = result.http_status is not None
        if not answered and as_before:
            self._rests[notice.organisation_id] = at_ms + int(self._config.retry_waits_s[0] * 1000)
        else:  # Also if another endpoint has become the primary one: it gets what waits at once.
            self._rests.pop(notice.organisation_id, None)
        if as_before or result.error is None:
            self._tell(notice, result, status)
        return answered

    async def _call(self, notice: NoticeRow, endpoint: EndpointRow) -> CallResult:
        # The setting may have changed since the endpoint was registered.
        if trouble := url_trouble(endpoint.url, self._config.hosts_allowed):
            return CallResult(None, trouble)
        return await call(
            self._session,
            endpoint.url,
            secret=endpoint.secret,
            notice_id=notice_id(notice.message_type, notice.created_at_ms, notice.number),
            body=notice_body(notice),
            at_s=self._clock.now_s(),
            timeout_s=self._config.attempt_s_max,
        )

    def _consequence(
        self, notice: NoticeRow, result: CallResult, at_ms: int
    ) -> tuple[NoticeStatus, int]:
        """Return the notice's status after an attempt, and when the next one is due."""
        if result.error is None:
            return NoticeStatus.DELIVERED, 0
        next_ms = next_attempt_ms(
            notice.failure_count + 1,
            now_ms=at_ms,
            failing_since_ms=at_ms if notice.failing_since_ms is None else notice.failing_since_ms,
            waits_s=self._config.retry_waits_s,
            give_up_after_s=self._config.give_up_after_s,
        )
        return (NoticeStatus.FAILED, 0) if next_ms is None else (NoticeStatus.WAITING, next_ms)

    def _tell(self, notice: NoticeRow, result: CallResult, status: NoticeStatus) -> None:
        if result.error is None:
            self.ends["taken"] += 1
            return
        self.ends["given_up" if status is NoticeStatus.FAILED else "failed"] += 1
        _log.warning(
            "callback failed",
            action="callback_failed",
            organisation_id=notice.organisation_id,
            notice_id=notice_id(notice.message_type, notice.created_at_ms, notice.number),
            error=result.error,
            given_up=status is NoticeStatus.FAILED,
        )


def notice_body(notice: NoticeRow) -> bytes:
    """Return a notice as it is posted: the same bytes every time."""
    return msgspec.json.encode(notice_message(notice))


def notice_message(notice: NoticeRow) -> Notice:
    """Return a notice as it is told."""
    return Notice(
        notice_id(notice.message_type, notice.created_at_ms, notice.number),
        notice.message_type,
        notice.organisation_id,
        notice.number,
        utc(notice.created_at_ms),
        msgspec.json.decode(notice.content),
    )
