"""Telling the national systems: one courier each, in order, at least once, until it is heard.

A delivery is repeated with growing waits while the system is away; a system that refuses it has
had its word (`hub.settling`). Order matters among deliveries of one batch, between a product and
its batches, and between packs and the changes of their states. So a system that is there, but fails
at one message, holds up that batch or product alone: a recall that finds no way must not keep other
packs from patients.

Two clocks: a wait between two attempts is real time, as the network and the other machine live in
it; how long a delivery may fail before it is given up is told by the system's clock, which a tester
moves. Moving it alone ends no delivery: that takes an attempt that fails afterwards.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Final

from emvs.infra.clock import Clock
from emvs.infra.logs import get_logger
from emvs.interconnect import DeliveryResult
from emvs.obp_messages import MarketStatus
from emvs.state_deliveries import StatesResult
from hub import state_distribution
from hub.config import RetryConfig
from hub.defects import printable
from hub.delivery_messages import with_serials
from hub.distribution_settings import Distribution, put_out_of_order
from hub.hub_ids import delivery_id
from hub.national_client import NationalClient, NationalSystemError
from hub.outbox import Outbox
from hub.progress import ProgressBoard
from hub.serial_digests import SerialDigests
from hub.settling import give_up, settle_request, unloaded
from hub.store import deliveries as store
from hub.store import delivery_lines as lines
from hub.store import requests
from hub.store.connections import Pool
from hub.store.deliveries import DeliveryEnd
from hub.store.delivery_lines import WaitingDelivery
from hub.store.long_answers import PAGE_COUNT

_READ_AHEAD_COUNT: Final = 64
"""Deliveries read at a time, without their bodies."""
"""Refused packs an answer names; the rest are counted (our choice)."""
_HELD_MAX: Final = 16
"""Batches or products at which a system may fail while others are tried; beyond, it is the system
that does not work (our choice)."""
_Held = tuple[str, str | None]
"""A product code, and the batch if it is about one."""
_CHANGES: Final = ("", None)
"""Stands for the changes where products are held."""

_log = get_logger(__name__)


def retry_wait_s(failure_count: int, retry: RetryConfig, random: Random) -> float:
    """Return how long to wait after so many failures in a row: doubled each time, bounded."""
    doublings = min(failure_count - 1, 30)
    wait_s = min(retry.first_wait_s * 2.0**doublings, retry.wait_s_max)
    return wait_s * (1 + retry.jitter * random.uniform(-1, 1))


class Courier:
    """Delivers to one national system."""

    def __init__(
        self,
        system: str,
        client: NationalClient,
        *,
        pool: Pool,
        clock: Clock,
        outbox: Outbox,
        retry: RetryConfig,
        random: Random,
        digests: SerialDigests,
        distribution: Distribution,
        progress: ProgressBoard,
    ) -> None:
        self._distribution = distribution
        self._progress = progress
        self._system = system
        self._client = client
        self._pool = pool
        self._clock = clock
        self._outbox = outbox
        self._retry = retry
        self._random = random
        self._digests = digests
        self.bell = outbox.bells[system]
        self._next_attempt_s: float | None = None
        """By the event loop's clock."""
        self._held: dict[_Held, float] = {}
        """What is not tried before a time, by the event loop's clock."""
        self._failure_counts: Counter[_Held] = Counter()
        """Failures in a row, of each of these."""
        self._failure_count = 0
        """Failures in a row of the whole line, and since when it fails."""
        self._failing_since_ms: int | None = None
        self._sent_bytes = 0
        """Length of the body sent last: changes may be added to one that waits."""
        self.ends: Counter[MarketStatus] = Counter()

    @property
    def next_attempt_ms(self) -> int | None:
        """When the first in line is tried again, by the system's clock; None if it does not wait
        for that."""
        times = [*self._held.values()]
        if self._next_attempt_s is not None:
            times = [self._next_attempt_s]
        if not times:
            return None
        left_s = min(times) - asyncio.get_running_loop().time()
        return self._clock.now_ms() + max(0, int(left_s * 1000))

    async def drain(self) -> None:
        """Deliver until nothing waits."""
        await self._outbox.recount(self._pool, self._system)
        while not self._distribution.of(self._system).paused:
            now_s = asyncio.get_running_loop().time()
            self._held = {name: at_s for name, at_s in self._held.items() if at_s > now_s}
            waiting = await lines.next_waiting(
                self._pool,
                self._system,
                _READ_AHEAD_COUNT,
                held=self._held.keys() - {_CHANGES},
                changes_held=_CHANGES in self._held,
                now_ms=self._clock.now_ms(),
            )
            setting = self._distribution.of(self._system)
            ordered = put_out_of_order(waiting, setting)
            if not ordered:
                wait_s = await self._idle_s(out_of_order=ordered is None)
                if wait_s is None and not waiting:
                    return
                await self._wait_for_bell(wait_s)
                continue
            if ordered != waiting:
                await self._distribution.used(
                    self._system,
                    swapped=setting.swap_next > 1,
                    states_first=sum(delivery.kind == "states" for delivery in ordered),
                )
            for delivery in ordered:
                if not await self._deliver(delivery):
                    break  # What is to be tried now has to be read again.
                if self._distribution.of(self._system) != setting and ordered == waiting:
                    break

    async def _deliver(self, delivery: WaitingDelivery) -> bool:
        """Make one attempt; tell whether there was an answer. If there was none, wait a while."""
        try:
            result = await self._attempt(delivery)
        except NationalSystemError as error:
            await self._failed(delivery, error)
            return False
        self._failure_count, self._failing_since_ms = 0, None
        self._failure_counts.pop(_part_of(delivery), None)
        end = end_of_packs(result) if isinstance(result, StatesResult) else end_of(result)
        if delivery.kind == "packs":
            refused = [pack.serialNumber for pack in result.refusedSerials]
            digest = await self._digests.of(delivery.product_code, delivery.batch_id, refused)
            end = replace(end, refused_digest=digest)
        await self._settle(delivery, end)
        return True

    async def _failed(self, delivery: WaitingDelivery, error: NationalSystemError) -> None:
        text, now_ms = printable(str(error)), self._clock.now_ms()
        # What had to wait until the one before it was given up fails as long as that did.
        began_ms = max(delivery.created_at_ms, self._failing_since_ms or now_ms)
        since_ms = await store.note_failure(self._pool, delivery.number, text, began_ms)
        name = _part_of(delivery)
        alone = error.is_about_message and len(self._held) < _HELD_MAX
        if alone:
            self._failure_counts[name] += 1
            failure_count = self._failure_counts[name]
        else:
            self._failing_since_ms = min(since_ms, self._failing_since_ms or since_ms)
            self._failure_count += 1
            failure_count = self._failure_count
        _log.warning(
            "delivery failed",
            action="delivery_failed",
            delivery_id=self._id_of(delivery),
            failure_count=failure_count,
            error=text,
        )
        await self._give_up_overdue(since_ms, text, name if alone else (None, None))
        wait_s = retry_wait_s(failure_count, self._retry, self._random)
        if alone:
            self._held[name] = asyncio.get_running_loop().time() + wait_s
        else:
            await self._wait(wait_s)

    async def _give_up_overdue(
        self, since_ms: int, text: str, part: tuple[str | None, str | None]
    ) -> None:
        """Give up what has waited too long in a line, or in a part of it, that does not move since
        `since_ms`."""
        now_ms = self._clock.now_ms()
        until_ms = now_ms - int(self._retry.give_up_after_s * 1000)
        if since_ms > until_ms:
            return
        count = await give_up(
            self._pool,
            self._outbox,
            self._system,
            text,
            created_until_ms=until_ms,
            now_ms=now_ms,
            product_code=part[0],
            batch_id=part[1],
        )
        self.ends[MarketStatus.FAILED] += count
        await self._outbox.recount(self._pool, self._system)

    async def _idle_s(self, *, out_of_order: bool) -> float | None:
        """Return how long there is nothing to do unless something comes; None if it is up to that
        alone."""
        now_ms = self._clock.now_ms()
        due_ms = await lines.next_due_ms(self._pool, self._system, now_ms)
        waits_s = [] if due_ms is None else [(due_ms - now_ms) / 1000]
        if self._held and not out_of_order:
            waits_s.append(min(self._held.values()) - asyncio.get_running_loop().time())
        return min(waits_s, default=None)

    async def _wait_for_bell(self, wait_s: float | None) -> None:
        """Wait until something has come, the clock was moved or so much time has passed."""
        try:
            async with asyncio.timeout(None if wait_s is None else max(wait_s, 0)):
                await self.bell.wait()
        except TimeoutError:
            return
        self.bell.clear()

    async def _attempt(self, delivery: WaitingDelivery) -> DeliveryResult | StatesResult:
        # Read anew for each attempt: a system that is away must not keep megabytes in memory.
        body = [await store.body_of(self._pool, delivery.number)]
        self._sent_bytes = len(body[0])
        if delivery.kind == "packs":
            assert delivery.request_number is not None, "packs come from a manufacturer"
            serials = await requests.serials_of(self._pool, delivery.request_number)
            assert serials is not None, "serial numbers stay until the last delivery has ended"
            body = with_serials(body[0], serials)
            del serials
        if delivery.kind == state_distribution.KIND:
            return await self._ask_about_packs(delivery, body[0])
        return await self._client.deliver(
            delivery.kind,
            self._id_of(delivery),
            body,
            timeout_s=self._retry.attempt_s_max,
            answer_type=DeliveryResult,
            note_share=await self._teller(delivery),
        )

    async def _teller(self, delivery: WaitingDelivery) -> Callable[[float], None] | None:
        """Return what notes how much of a delivery about packs was sent."""
        if delivery.request_number is None or delivery.kind != "packs":
            return None
        row = await requests.find_request(self._pool, number=delivery.request_number)
        assert row is not None, "requests are never deleted"
        transaction_id, count = row.transaction_id, row.serial_count
        self._progress.sent(transaction_id, self._system, 0)
        return lambda share: self._progress.sent(transaction_id, self._system, int(share * count))

    async def _ask_about_packs(self, delivery: WaitingDelivery, body: bytes) -> StatesResult:
        question = await state_distribution.question_of(self._pool, delivery, body)
        result = await self._client.deliver(
            delivery.kind,
            self._id_of(delivery),
            question.pieces,
            timeout_s=self._retry.attempt_s_max,
            answer_type=StatesResult,
        )
        return await state_distribution.checked(result, question.pack_count)

    async def _settle(self, delivery: WaitingDelivery, end: DeliveryEnd) -> None:
        now_ms = self._clock.now_ms()
        if delivery.request_number is None:
            was_waiting = await lines.drop_changes(self._pool, delivery.number, self._sent_bytes)
        else:
            was_waiting = await settle_request(
                self._pool, self._outbox, self._system, delivery, end, now_ms=now_ms
            )
        if was_waiting:
            self._outbox.settled(self._system)
            self.ends[end.status] += 1
        _log.info(
            "delivery ended",
            action="delivery_ended",
            delivery_id=self._id_of(delivery),
            status=end.status.value,
            loaded_count=end.loaded_count,
            refused_count=end.refused_count,
            error=end.error,
        )

    async def _wait(self, wait_s: float) -> None:
        self._next_attempt_s = asyncio.get_running_loop().time() + wait_s
        try:
            await asyncio.sleep(wait_s)
        finally:
            self._next_attempt_s = None

    def _id_of(self, delivery: WaitingDelivery) -> str:
        if (
            delivery.request_number is None
            or delivery.message_type is None
            or delivery.received_at_ms is None
        ):
            return f"{delivery.kind}-{delivery.created_at_ms}-{delivery.number}-{self._system}"
        return delivery_id(
            delivery.message_type,
            delivery.received_at_ms,
            delivery.request_number,
            self._system,
        )


def _part_of(delivery: WaitingDelivery) -> _Held:
    """Return what has to wait if a delivery fails while its system works."""
    if delivery.product_code is None:
        return _CHANGES
    return delivery.product_code, delivery.batch_id


def end_of(result: DeliveryResult) -> DeliveryEnd:
    """Return how a delivery ended that the national system answered."""
    refused = unloaded(result.refusedSerials[:PAGE_COUNT])
    error = None
    if not result.accepted:
        error = printable(f"{result.code or 'refused'}: {result.text or 'no reason given'}")
    return DeliveryEnd(
        MarketStatus.DISTRIBUTED if result.accepted else MarketStatus.REFUSED,
        error,
        result.loadedCount,
        len(result.refusedSerials),
        refused,
        result.refusedSerials if len(result.refusedSerials) > PAGE_COUNT else (),
    )


def end_of_packs(result: StatesResult) -> DeliveryEnd:
    """Return how a state update or verification ended that the national system answered."""
    end = end_of(result)
    pack_count = sum(run.count for run in result.runs)
    return replace(end, refused_count=pack_count - result.loadedCount, packs=result)
