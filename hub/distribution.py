"""Telling the national systems: one courier each, in order, at least once, until it is heard.

A delivery is repeated with growing waits while the system is away; a system that refuses it has
had its word. When the last system of a request has, the request is Distributed (STDS) or its
distribution failed (STDF), and its serial numbers are dropped (Art. 33).

Two clocks: a wait between two attempts is real time, as the network and the other machine live in
it; how long a delivery may fail before it is given up is told by the system's clock, which a tester
moves. Moving it alone ends no delivery: that takes an attempt that fails afterwards.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from random import Random
from typing import Final

from emvs.infra.clock import Clock
from emvs.infra.logs import get_logger
from emvs.interconnect import DeliveryResult
from emvs.obp_messages import MarketStatus, UnloadedPack
from emvs.state_deliveries import StatesResult
from hub import state_distribution
from hub.config import RetryConfig
from hub.defects import printable
from hub.delivery_messages import with_serials
from hub.hub_ids import delivery_id
from hub.national_client import NationalClient, NationalSystemError
from hub.outbox import Outbox
from hub.store import deliveries as store
from hub.store import requests
from hub.store.connections import Pool, transaction
from hub.store.deliveries import DeliveryEnd, WaitingDelivery

_READ_AHEAD_COUNT: Final = 64
"""Deliveries read at a time, without their bodies."""
_REFUSED_LISTED_MAX: Final = 1_000
"""Refused packs an answer names; the rest are counted (our choice)."""
_NEVER_GIVEN_UP: Final = frozenset({"recalls", "withdrawals", "changes"})
"""Kinds of deliveries on which patients' safety depends: the market has to hear them. Without a
change, two markets would never agree on a pack again, and nobody would be told."""

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
    ) -> None:
        self._system = system
        self._client = client
        self._pool = pool
        self._clock = clock
        self._outbox = outbox
        self._retry = retry
        self._random = random
        self.bell = outbox.bells[system]
        self._next_attempt_s: float | None = None
        """By the event loop's clock."""
        self._sent_bytes = 0
        """Length of the body sent last: changes may be added to one that waits."""
        self.ends: Counter[MarketStatus] = Counter()

    @property
    def next_attempt_ms(self) -> int | None:
        """When the first in line is tried again, by the system's clock; None if it does not wait
        for that."""
        if self._next_attempt_s is None:
            return None
        left_s = self._next_attempt_s - asyncio.get_running_loop().time()
        return self._clock.now_ms() + max(0, int(left_s * 1000))

    async def drain(self) -> None:
        """Deliver until nothing waits."""
        await self._outbox.recount(self._pool, self._system)
        while waiting := await store.next_waiting(self._pool, self._system, _READ_AHEAD_COUNT):
            for delivery in waiting:
                await self._settle(delivery, await self._deliver(delivery))

    async def _deliver(self, delivery: WaitingDelivery) -> DeliveryEnd:
        """Try until there is an end."""
        failure_count = 0
        while True:
            try:
                result = await self._attempt(delivery)
                return end_of_packs(result) if isinstance(result, StatesResult) else end_of(result)
            except NationalSystemError as error:
                failure_count += 1
                text = printable(str(error))
            now_ms = self._clock.now_ms()
            failing_since_ms = await store.note_failure(self._pool, delivery.number, text, now_ms)
            _log.warning(
                "delivery failed",
                action="delivery_failed",
                delivery_id=self._id_of(delivery),
                failure_count=failure_count,
                error=text,
            )
            if self._given_up(delivery, failing_for_ms=now_ms - failing_since_ms):
                return DeliveryEnd(MarketStatus.FAILED, f"given up: {text}")
            await self._wait(retry_wait_s(failure_count, self._retry, self._random))

    def _given_up(self, delivery: WaitingDelivery, *, failing_for_ms: int) -> bool:
        if delivery.kind in _NEVER_GIVEN_UP:
            return False
        return failing_for_ms >= self._retry.give_up_after_s * 1000

    async def _attempt(self, delivery: WaitingDelivery) -> DeliveryResult:
        # Read anew for each attempt: a system that is away must not keep megabytes in memory.
        body = [await store.body_of(self._pool, delivery.number)]
        self._sent_bytes = len(body[0])
        if delivery.kind == "packs":
            assert delivery.request_number is not None, "packs come from a manufacturer"
            serials = await requests.serials_of(self._pool, delivery.request_number)
            assert serials is not None, "serial numbers stay until the last delivery has ended"
            body = with_serials(body[0], serials)
        if delivery.kind == state_distribution.KIND:
            return await self._ask_about_packs(delivery, body[0])
        return await self._client.deliver(
            delivery.kind,
            self._id_of(delivery),
            body,
            timeout_s=self._retry.attempt_s_max,
            answer_type=DeliveryResult,
        )

    async def _ask_about_packs(self, delivery: WaitingDelivery, body: bytes) -> StatesResult:
        question = await state_distribution.question_of(self._pool, delivery, body)
        result = await self._client.deliver(
            delivery.kind,
            self._id_of(delivery),
            question.pieces,
            timeout_s=self._retry.attempt_s_max,
            answer_type=StatesResult,
        )
        return state_distribution.checked(result, question.pack_count)

    async def _settle(self, delivery: WaitingDelivery, end: DeliveryEnd) -> None:
        now_ms = self._clock.now_ms()
        number = delivery.request_number
        if number is None:
            was_waiting = await store.drop_changes(self._pool, delivery.number, self._sent_bytes)
        else:
            was_waiting = await self._settle_request(delivery, number, end, now_ms)
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

    async def _settle_request(
        self, delivery: WaitingDelivery, number: int, end: DeliveryEnd, now_ms: int
    ) -> bool:
        next_asked = None
        async with transaction(self._pool) as connection:
            about_packs = delivery.kind == state_distribution.KIND
            # Settling drops it.
            body = await store.body_of(connection, delivery.number) if about_packs else b""
            was_waiting = await store.settle(connection, delivery, end, now_ms)
            if was_waiting and about_packs:
                next_asked = await state_distribution.settle(
                    connection,
                    delivery,
                    self._system,
                    result=end.packs,
                    body=body,
                    connected=self._outbox.bells,
                    now_ms=now_ms,
                )
            statuses = await store.statuses_of(connection, number)
            if was_waiting and MarketStatus.WAITING not in statuses:
                all_good = all(status is MarketStatus.DISTRIBUTED for status in statuses)
                step = "STDS" if all_good else "STDF"
                await requests.add_step(connection, number, step, now_ms)
                await requests.drop_serials(connection, number)
        if next_asked is not None:
            self._outbox.added([next_asked])
        return was_waiting

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


def end_of(result: DeliveryResult) -> DeliveryEnd:
    """Return how a delivery ended that the national system answered."""
    refused = [
        UnloadedPack(printable(pack.serialNumber, 40), printable(pack.code, 40))
        for pack in result.refusedSerials[:_REFUSED_LISTED_MAX]
    ]
    error = None
    if not result.accepted:
        error = printable(f"{result.code or 'refused'}: {result.text or 'no reason given'}")
    return DeliveryEnd(
        MarketStatus.DISTRIBUTED if result.accepted else MarketStatus.REFUSED,
        error,
        result.loadedCount,
        len(result.refusedSerials),
        refused,
    )


def end_of_packs(result: StatesResult) -> DeliveryEnd:
    """Return how a state update or verification ended that the national system answered."""
    end = end_of(result)
    pack_count = sum(run.count for run in result.runs)
    return replace(end, refused_count=pack_count - result.loadedCount, packs=result)
