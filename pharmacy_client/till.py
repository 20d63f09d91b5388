"""A well-behaved till: the client with everything around it that a good pharmacy software has.

Repeats only where a repeat is safe; leaves a system alone that does not answer; keeps what cannot
be sent on disk, and sends it in order; asks nothing twice about the same pack in a row; renews
password and certificate in time.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Final, Self

from emvs.scan import Scan
from emvs.states import Operation, State
from pharmacy_client.breaker import Breaker
from pharmacy_client.client import PharmacyClient, decommissioning, read_scan, undo_of
from pharmacy_client.errors import (
    LoginRefusedError,
    PharmacyClientError,
    SystemUnreachableError,
)
from pharmacy_client.exchange import Transport
from pharmacy_client.live_login import LiveLogin
from pharmacy_client.offline_queue import OfflineQueue
from pharmacy_client.profile import Profile
from pharmacy_client.queue_entries import Entry, Standing, outcome_of, pack_key
from pharmacy_client.queue_waits import Reason, Wait
from pharmacy_client.queued import queued_result
from pharmacy_client.replay import Replay, ReplayPlan
from pharmacy_client.results import Category, PackCall, Result
from pharmacy_client.soap_envelope import new_transaction_id
from pharmacy_client.upkeep import is_password_reminder

_REMEMBERED_MAX: Final = 1000
_PENDING: Final = "Something about this pack is still to be sent."


@dataclass(frozen=True, slots=True)
class TillPlan:
    """How a till behaves (figures are our choice)."""

    tries: int = 3
    """For what may be repeated: verifications, and whatever certainly never left."""
    retry_pause_s: float = 0.3
    same_answer_s: float = 60.0
    """A change of a pack that was answered is not sent again for so long: a stuck scanner."""
    same_verify_s: float = 2.0
    replay: ReplayPlan = field(default_factory=ReplayPlan)


class _Turns:
    """Those who want something about one pack, one after the other."""

    __slots__ = ("count", "lock")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.count = 0


class Till:
    """One till of one pharmacy, to be used as `async with Till(profile, queue) as till`.

    With a queue, a change that cannot be sent is a Result of category QUEUED; without one the
    client's error is raised. Verifications are never queued.
    """

    def __init__(
        self,
        profile: Profile,
        queue: OfflineQueue | None = None,
        *,
        plan: TillPlan | None = None,
        breaker: Breaker | None = None,
        connect: Callable[[Profile], Transport] | None = None,
        on_notice: Callable[[str], None] = lambda sentence: None,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make a till. `on_notice` hears sentences for the user: renewed, about to end."""
        self.queue = queue
        self.breaker = breaker or Breaker()
        self._plan = plan or TillPlan()
        self._login = LiveLogin(profile, connect, on_notice)
        self._on_notice = on_notice
        self._clock_s = clock_s
        self._answered: OrderedDict[str, tuple[float, Result]] = OrderedDict()
        self._busy: dict[str, _Turns] = {}
        self._in_flight: set[int] = set()
        self._waits_for: Wait | None = None

    async def __aenter__(self) -> Self:
        """Get ready. Raises ProfileError; a system that is away is no error."""
        await self._login.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close all connections. What waits in the queue goes on waiting."""
        await self._login.__aexit__(kind, error, traceback)

    @property
    def profile(self) -> Profile:
        """The profile as it is now."""
        return self._login.profile

    @property
    def is_offline(self) -> bool:
        """Whether the system counts as unreachable."""
        return self.breaker.is_open

    @property
    def waiting_count(self) -> int:
        """How many operations wait to be sent or for what came of them."""
        return 0 if self.queue is None else self.queue.open_count

    @property
    def wait(self) -> Wait | None:
        """Why nothing is sent now, and until when; None if nothing keeps it."""
        if self.breaker.is_open:
            reason = Reason.SYSTEM_BUSY if self.breaker.is_asked_for_time else Reason.SYSTEM_AWAY
            return Wait(reason, datetime.now(UTC) + timedelta(seconds=self.breaker.wait_s))
        wait = self._waits_for
        if wait is None and self.queue is not None:
            wait = self.queue.next_wait(self._plan.replay.doubt_pause_s)
        # What is on its way from here is not lost.
        is_awaited = wait is not None and wait.reason is Reason.ANSWER_LOST and self._in_flight
        return None if is_awaited else wait

    @property
    def client(self) -> PharmacyClient:
        """The client behind it, for what a till does not do."""
        return self._login.client

    async def verify(self, scan: Scan | str, *, manual: bool = False) -> Result:
        """Return whether the pack may be handed out. See PharmacyClient."""
        return await self.perform(PackCall(Operation.VERIFY, read_scan(scan), manual))

    async def supply(self, scan: Scan | str, *, manual: bool = False) -> Result:
        """Mark the pack as supplied."""
        return await self.perform(PackCall(Operation.SUPPLY, read_scan(scan), manual))

    async def decommission(self, scan: Scan | str, state: State, *, manual: bool = False) -> Result:
        """Give the pack another inactive state."""
        return await self.perform(PackCall(decommissioning(state), read_scan(scan), manual))

    async def undo(
        self,
        scan: Scan | str,
        state: State = State.SUPPLIED,
        *,
        reference: str | None = None,
        manual: bool = False,
    ) -> Result:
        """Make the pack active again."""
        return await self.perform(PackCall(undo_of(state), read_scan(scan), manual, reference))

    async def perform(self, call: PackCall) -> Result:
        """Do what a call asks, once: two at a time about one pack follow each other."""
        key = pack_key(call.scan)
        turns = self._busy.setdefault(key, _Turns())
        turns.count += 1
        try:
            async with turns.lock:
                return self._remembered(key, call) or await self._perform_new(key, call)
        finally:
            turns.count -= 1
            if not turns.count:
                del self._busy[key]

    async def _perform_new(self, key: str, call: PackCall) -> Result:
        if call.operation is Operation.VERIFY:
            result = await self._ask(call)
        else:
            result = await self._change(call)
        if result.category not in (Category.UNAVAILABLE, Category.QUEUED):
            self._answered[key] = (self._clock_s(), result)
            self._answered.move_to_end(key)
            if len(self._answered) > _REMEMBERED_MAX:
                self._answered.popitem(last=False)
        if any(map(is_password_reminder, result.notifications)):
            await self._login.remind()
        return result

    def _remembered(self, key: str, call: PackCall) -> Result | None:
        """Return the last answer about a pack if the same was asked just before."""
        at_s, result = self._answered.get(key, (0.0, None))
        if result is None or result.operation is not call.operation or result.scan != call.scan:
            return None
        is_change = call.operation is not Operation.VERIFY
        keep_s = self._plan.same_answer_s if is_change else self._plan.same_verify_s
        return replace(result, from_memory=True) if self._clock_s() - at_s < keep_s else None

    async def _change(self, call: PackCall) -> Result:
        call = call._replace(transaction_id=call.transaction_id or new_transaction_id())
        queue = self.queue
        if queue is None:
            return await self._ask(call)
        if await asyncio.to_thread(queue.is_pending, call.scan):
            return await self._keep(queue, call, _PENDING)
        if not self.breaker.may_pass():
            return await self._keep(queue, call, "The system cannot be reached.")
        # On disk before it leaves: whoever kills us now finds it there.
        entry = await asyncio.to_thread(queue.claim, call)
        if entry is None:  # Another program was faster.
            return await self._keep(queue, call, _PENDING)
        self._in_flight.add(entry.number)
        try:
            result = await self._ask(call, has_passed=True)
        except PharmacyClientError as error:
            if error.may_have_acted:
                return queued_result(replace(entry, call=call), str(error), self.waiting_count)
            if not isinstance(error, SystemUnreachableError):
                await asyncio.to_thread(queue.drop, entry)
                raise
            return await self._wait(queue, replace(entry, call=call), str(error))
        finally:
            self._in_flight.discard(entry.number)
        if result.category is Category.UNAVAILABLE:
            return await self._wait(queue, entry, result.text or "The system cannot answer now.")
        await asyncio.to_thread(queue.settle, entry, outcome_of(result))
        return result

    async def _wait(self, queue: OfflineQueue, entry: Entry, why: str) -> Result:
        await asyncio.to_thread(lambda: queue.wait_again(entry, was_sent=False))
        self._answered.pop(pack_key(entry.call.scan), None)
        return queued_result(replace(entry, standing=Standing.WAITING), why, self.waiting_count)

    async def _keep(self, queue: OfflineQueue, call: PackCall, why: str) -> Result:
        # What the pack was like before is worth nothing once this is sent.
        self._answered.pop(pack_key(call.scan), None)
        entry = await asyncio.to_thread(queue.add, call, item_id=call.transaction_id)
        # The scan as it was read just now, with what was put right about it.
        shown = replace(entry, call=entry.call._replace(scan=call.scan))
        return queued_result(shown, why, self.waiting_count)

    async def _ask(self, call: PackCall, *, has_passed: bool = False) -> Result:
        """Ask the system, again where that is safe. Raises the client's errors."""
        for number in range(1, self._plan.tries + 1):
            if not has_passed and not self.breaker.may_pass():
                raise self._away()
            has_passed = False
            asked_as = self.profile
            try:
                result = await self.client.perform(call)
            except SystemUnreachableError as error:
                self.breaker.fail(error.retry_after_s)
                if error.may_have_acted or not self._may_retry(number, error.retry_after_s):
                    raise
            except LoginRefusedError as error:
                self.breaker.succeed()
                if not await self._login.renew_for(error, asked_as):
                    raise
            else:
                if result.category is Category.UNAVAILABLE and result.retry_after_s:
                    self.breaker.fail(result.retry_after_s)
                else:
                    self.breaker.succeed()
                safe = result.category is Category.UNAVAILABLE
                if not safe or not self._may_retry(number, result.retry_after_s):
                    return result
            await asyncio.sleep(self._plan.retry_pause_s * number * (0.5 + random.random()))  # noqa: S311
        raise self._away()

    def _may_retry(self, number: int, retry_after_s: float | None) -> bool:
        if number >= self._plan.tries or self.breaker.is_open:
            return False
        return (retry_after_s or 0.0) <= self._plan.retry_pause_s

    def _away(self) -> SystemUnreachableError:
        waiting = self.waiting_count
        kept = f" {waiting} operations wait to be sent." if waiting else ""
        return SystemUnreachableError(
            f"The system cannot be reached and is left alone for {self.breaker.wait_s:.0f} s more."
            f"{kept}",
            retry_after_s=self.breaker.wait_s,
        )

    async def replay(self, on_step: Callable[[], None] = lambda: None) -> None:
        """Send what waits, until nothing does but what the system cannot answer for now.

        Raises the client's errors; call it again later.
        """
        if self.queue is None:
            return
        replay = self._replay(self.queue)

        def note() -> None:
            self._waits_for = replay.wait
            if replay.has_heard:
                self.breaker.succeed()
            on_step()

        try:
            await replay.run(note)
        except SystemUnreachableError as error:
            self.breaker.fail(error.retry_after_s)
            raise
        finally:
            self._waits_for = None

    async def keep_replaying(self, on_step: Callable[[], None] = lambda: None) -> None:
        """Send what waits whenever the system is there, until cancelled."""
        while True:
            if self.waiting_count and self.breaker.may_pass():
                try:
                    await self.replay(on_step)
                except PharmacyClientError as error:
                    self._on_notice(str(error))
                on_step()
            await asyncio.sleep(max(1.0, self.breaker.wait_s))

    def _replay(self, queue: OfflineQueue) -> Replay:
        return Replay(
            queue,
            self.client,
            self.client.bulk_speaker,
            self._plan.replay,
            is_in_flight=lambda entry: entry.number in self._in_flight,
        )

    async def upkeep(self) -> None:
        """Finish a change of password whose answer was lost; renew a certificate in time.

        Raises the client's errors.
        """
        await self._login.upkeep()
