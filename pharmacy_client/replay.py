"""Sending what waits in the offline queue: as bulks, and singly where a bulk would not do.

Every step is in the queue before it is taken, so that it can be killed at any point. What may have
been done is looked at before it is repeated: a bulk by its id where the system can tell, else each
pack by a verification, once the system has had time to work through what it may have taken.
"""

from __future__ import annotations

import asyncio
import time
from asyncio import to_thread
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

import msgspec

from emvs.states import INACTIVE_BY_BATCH_OR_PRODUCT, Operation, State
from pharmacy_client.bulk import BulkSpeaker, NotReady
from pharmacy_client.errors import (
    BulkLostError,
    BulkRefusedError,
    NotOfferedError,
    PharmacyClientError,
    ProtocolError,
    ScanRefusedError,
    SystemUnreachableError,
)
from pharmacy_client.offline_queue import DOUBT_PAUSE_S, OfflineQueue
from pharmacy_client.polling import FIRST_POLL_S, LONGEST_POLL_S, Waits
from pharmacy_client.queue_entries import Again, Entry, Outcome, Submission, moment, outcome_of
from pharmacy_client.queue_waits import Reason, Wait
from pharmacy_client.results import Category, PackCall, Result

# Products that only another market knows: bulks ask no other market, single requests do.
_ASK_SINGLY: Final = frozenset({"NMVS_NC_PC_01", "NC_PC_01", "41020000"})

_Answer = TypeVar("_Answer")
_BULKS_MAX: Final = 3
"""After so many bulks that never arrived an entry goes by itself (our choice)."""


class SingleAsker(Protocol):
    """Asks about one pack."""

    async def perform(self, call: PackCall) -> Result:
        """Return what the system says."""
        ...


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """The figures of a replay (our choice, where nothing else is said)."""

    items_max: int = 1000
    first_poll_s: float = FIRST_POLL_S
    longest_poll_s: float = LONGEST_POLL_S
    doubt_pause_s: float = DOUBT_PAUSE_S
    unreadable_after_s: float = 3600.0
    """A bulk whose results cannot be read for so long is lost."""
    lost_after_s: float = 3 * 86_400.0
    """A bulk without a result for so long is lost."""


class Replay:
    """Sends what waits in one queue, as one login."""

    def __init__(
        self,
        queue: OfflineQueue,
        asker: SingleAsker,
        bulk: BulkSpeaker,
        plan: ReplayPlan | None = None,
        *,
        clock_s: Callable[[], float] = time.time,
        is_in_flight: Callable[[Entry], bool] = lambda entry: False,
    ) -> None:
        """`is_in_flight`: whether somebody here still waits for the answer about an entry."""
        self._is_in_flight = is_in_flight
        self._queue = queue
        self._asker = asker
        self._bulk = bulk
        self._plan = plan or ReplayPlan()
        self._clock_s = clock_s
        self._polls: dict[int, Waits] = {}
        self.wait: Wait | None = None
        """What is waited for after the last step; None if nothing is."""
        self.has_heard = False
        """Whether the system has answered in the last step."""

    async def run(self, on_step: Callable[[], None] = lambda: None) -> None:
        """Send until nothing is open but what the system could not answer for now.

        Raises the client's errors; what waits goes on waiting.
        """
        with self._queue.replaying():
            while (wait_s := await self.step()) is not None:
                on_step()
                await asyncio.sleep(wait_s)

    async def step(self) -> float | None:
        """Do what can be done now; return the seconds after which there may be more.

        None if nothing is open, or all that is has been put off. Raises the client's errors.
        """
        queue, self.wait, self.has_heard = self._queue, None, False
        await to_thread(queue.mind_clock)
        submissions = await to_thread(queue.submissions)
        pauses = [(await self._see_to(each), _reason_of(each)) for each in submissions]
        has_news = any(not pause_s for pause_s, _ in pauses)
        if has_news or await self._look_at_doubtful() or await self._send_single():
            return 0.0
        if not pauses:
            submission = await to_thread(queue.begin, self._plan.items_max)
            if submission is not None:
                pauses = [(await self._submit(submission), Reason.RESULT_NOT_READY)]
        if pauses:
            pause_s, reason = min(pauses)
            self.wait = Wait(reason, moment(self._clock_s() + pause_s)) if pause_s else None
            return pause_s
        self.wait = await to_thread(queue.next_wait, self._plan.doubt_pause_s)
        is_short = self.wait is not None and self.wait.reason is Reason.ANSWER_LOST
        return self._plan.first_poll_s if is_short else None

    async def _submit(self, submission: Submission) -> float:
        try:
            ticket = await self._hear(self._bulk.submit(submission.items, submission.submission_id))
        except (BulkRefusedError, NotOfferedError, ScanRefusedError):
            # One by one each gets an answer of its own.
            await to_thread(self._queue.not_taken, submission, singly=True)
            return 0.0
        except PharmacyClientError as error:
            if not error.may_have_acted:
                await to_thread(self._queue.not_taken, submission)
            raise
        await to_thread(self._queue.taken, submission, ticket)
        self._polls[submission.number] = Waits(self._plan.first_poll_s, self._plan.longest_poll_s)
        return self._polls[submission.number].next_s()

    async def _see_to(self, submission: Submission) -> float:
        """Fetch or look for a bulk; return how long to wait before the next time."""
        age_s = self._clock_s() - submission.begun_at_s
        if submission.ticket is None:
            if age_s < self._plan.doubt_pause_s:
                return self._plan.doubt_pause_s - age_s
            return await self._look_for(submission)
        try:
            found = await self._hear(self._bulk.fetch(submission.ticket, submission.items))
        except ProtocolError:
            if age_s <= self._plan.unreadable_after_s:
                raise
            await to_thread(self._queue.lost, submission)
            return 0.0
        except (BulkLostError, BulkRefusedError):
            await to_thread(self._queue.lost, submission)
            return 0.0
        if isinstance(found, NotReady):
            if age_s > self._plan.lost_after_s:
                await to_thread(self._queue.lost, submission)
                return 0.0
            waits = self._polls.setdefault(
                submission.number, Waits(self._plan.first_poll_s, self._plan.longest_poll_s)
            )
            return waits.next_s(found.wait_s)
        outcomes = [
            (entry, _judge(result)) for entry, result in zip(submission.entries, found, strict=True)
        ]
        await to_thread(self._queue.finish, submission, outcomes)
        self._polls.pop(submission.number, None)
        return 0.0

    async def _look_for(self, submission: Submission) -> float:
        try:
            ticket = await self._hear(self._bulk.find(submission.submission_id))
        except NotOfferedError:
            await to_thread(self._queue.lost, submission)
        else:
            age_s = self._clock_s() - submission.begun_at_s
            if ticket is not None:
                await to_thread(self._queue.taken, submission, ticket)
            elif age_s <= self._plan.lost_after_s:
                # What never arrives as a bulk may arrive by itself.
                singly = any(entry.attempts >= _BULKS_MAX for entry in submission.entries)
                await to_thread(self._queue.not_taken, submission, singly=singly, was_sent=True)
            else:  # The system may have had it, and forgotten it since.
                await to_thread(self._queue.lost, submission)
        return 0.0

    async def _send_single(self) -> bool:
        """Send one entry that goes by itself; False if there is none."""
        entry = await to_thread(self._queue.next_single)
        if entry is None:
            return False
        try:
            result = await self._hear(
                self._asker.perform(entry.call._replace(transaction_id=entry.item_id))
            )
        except (NotOfferedError, ScanRefusedError) as error:
            await self._give_up(entry, str(error))
            return True
        except PharmacyClientError as error:
            if not error.may_have_acted:
                await to_thread(self._queue.wait_again, entry, was_sent=False)
            raise
        if result.category is Category.UNAVAILABLE:
            await to_thread(self._queue.wait_again, entry, later=True)
            raise SystemUnreachableError(
                f"The system answers that it cannot answer now: {result.return_code}.",
                exchange=result.exchange,
                retry_after_s=result.retry_after_s,
            )
        await to_thread(self._queue.settle, entry, outcome_of(result))
        return True

    async def _look_at_doubtful(self) -> bool:
        """Look at one pack whose last change nobody knows the outcome of; False without one."""
        entry = await to_thread(self._queue.next_doubtful, self._plan.doubt_pause_s)
        if entry is None or self._is_in_flight(entry):
            return False
        call = entry.call
        if call.operation is Operation.VERIFY:
            await to_thread(self._queue.wait_again, entry)
            return True
        try:
            look = call._replace(operation=Operation.VERIFY, reference=None, transaction_id=None)
            seen = await self._hear(self._asker.perform(look))
        except (NotOfferedError, ScanRefusedError) as error:
            await self._give_up(entry, str(error))
            return True
        except ProtocolError:
            # Whoever answered, a network's own login page perhaps, it was not about the pack.
            await to_thread(self._queue.look_later, entry)
            raise
        if seen.category is Category.UNAVAILABLE:
            await to_thread(self._queue.look_later, entry)
            raise SystemUnreachableError(
                f"The system answers that it cannot answer now: {seen.return_code}.",
                exchange=seen.exchange,
                retry_after_s=seen.retry_after_s,
            )
        await self._conclude(entry, seen)
        return True

    async def _conclude(self, entry: Entry, seen: Result) -> None:
        """Decide about an entry by the state that its pack was found in."""
        operation = entry.call.operation
        if seen.state is operation.target_state:
            note = (
                "The answer was lost; the pack was found in the state asked for. Who gave it that"
                " state, this cannot tell."
            )
            outcome = outcome_of(seen, note)
            done = {"category": Category.DONE.value, "colour": "amber", "advice": note}
            await to_thread(self._queue.settle, entry, msgspec.structs.replace(outcome, **done))
        elif seen.state is not None and seen.state is (operation.undone_state or State.ACTIVE):
            await to_thread(self._queue.wait_again, entry)
        elif seen.state in INACTIVE_BY_BATCH_OR_PRODUCT:
            await self._give_up(
                entry,
                f"The answer was lost, and the state of the batch or product ({seen.state_text})"
                " hides whether it was done.",
            )
        else:
            note = "The answer was lost; the pack was found so when it was looked at."
            await to_thread(self._queue.settle, entry, outcome_of(seen, note))

    async def _hear(self, asking: Awaitable[_Answer]) -> _Answer:
        answer = await asking
        self.has_heard = True
        return answer

    async def _give_up(self, entry: Entry, note: str) -> None:
        advice = "Look at the pack and decide by hand."
        outcome = Outcome(category=Category.UNAVAILABLE.value, advice=advice, note=note)
        await to_thread(self._queue.settle, entry, outcome, gave_up=True)


def _reason_of(submission: Submission) -> Reason:
    return Reason.ANSWER_LOST if submission.ticket is None else Reason.RESULT_NOT_READY


def _judge(result: Result) -> Outcome | Again:
    if result.category is Category.UNAVAILABLE:
        return Again.IN_BULK
    if result.return_code in _ASK_SINGLY:
        return Again.SINGLY
    return outcome_of(result)
