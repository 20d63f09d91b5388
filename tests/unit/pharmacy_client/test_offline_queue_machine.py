"""The offline queue against a plain model: lost answers, kills and outages at every step.

Whatever happens, nothing is done twice, nothing is lost, and what happened to one pack happens to
it in that order.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from emvs.scan import Scan
from emvs.scheme import Scheme
from emvs.states import Operation, State
from pharmacy_client.advice import advise
from pharmacy_client.bulk import BulkItem, NotReady
from pharmacy_client.errors import (
    BulkLostError,
    BulkRefusedError,
    NotOfferedError,
    SystemUnreachableError,
)
from pharmacy_client.exchange import Exchange
from pharmacy_client.offline_queue import OfflineQueue
from pharmacy_client.queue_entries import OPEN, Entry, Standing
from pharmacy_client.replay import Replay, ReplayPlan
from pharmacy_client.results import Category, PackCall, Result

PLAN = ReplayPlan(items_max=4, doubt_pause_s=100.0, lost_after_s=10_000.0)
OPERATIONS = (Operation.SUPPLY, Operation.UNDO_SUPPLY, Operation.LOCK, Operation.UNDO_LOCK)
FAULTS = (
    *("none", "refused", "lost before", "lost after", "killed before", "killed after", "busy"),
    "bulk refused",
)


class Killed(BaseException):
    """SIGKILL, as far as one process can play it."""


def pack(number: int) -> Scan:
    return Scan(
        scheme=Scheme.GTIN,
        product_code="09876543210982",
        serial_number=f"SN{number}",
        batch_id="B1",
        expiry="301231",
    )


class NationalSystem:
    """A plain model of one: packs by number, bulks that it works through when it likes."""

    def __init__(self, *, lists_bulks: bool) -> None:
        self.lists_bulks = lists_bulks
        self.states: dict[str, State] = {}
        self.done: list[str] = []
        """Ids of the items that were performed, in order."""
        self.bulks: dict[str, tuple[str, list[BulkItem]]] = {}
        self.results: dict[str, list[Result]] = {}
        self.fault = "none"
        self.on_arrival: Callable[[list[PackCall]], None] = lambda calls: None

    def _arrive(self) -> str:
        fault, self.fault = self.fault, "none"
        if fault == "killed before":
            raise Killed
        if fault == "refused":
            raise SystemUnreachableError("no connection")
        if fault == "lost before":
            raise SystemUnreachableError("broken", may_have_acted=True)
        return fault

    @staticmethod
    def _leave(fault: str, *, changes: bool = True) -> None:
        if fault == "killed after":
            raise Killed
        if fault == "lost after":
            raise SystemUnreachableError("broken", may_have_acted=changes)

    async def perform(self, call: PackCall) -> Result:
        """Answer a single request."""
        changes = call.operation is not Operation.VERIFY
        self.on_arrival([call])
        fault = self._arrive()
        if fault == "busy":
            return self._result(call, Category.UNAVAILABLE, None)
        item_id = call.transaction_id if changes else None
        result = self.act(call, item_id)
        self._leave(fault, changes=changes)
        return result

    async def submit(self, items: Sequence[BulkItem], submission_id: str) -> str:
        """Take a bulk."""
        self.on_arrival([item.call for item in items])
        fault = self._arrive()
        if fault == "bulk refused":
            raise BulkRefusedError("no", return_code="X", exchange=Exchange(b"", b"", 200, 0.0))
        if fault == "busy":
            raise SystemUnreachableError("try later")
        ticket = f"ticket-{len(self.bulks)}"
        self.bulks[ticket] = (submission_id, list(items))
        self._leave(fault)
        return ticket

    async def fetch(self, ticket: str, items: Sequence[BulkItem]) -> list[Result] | NotReady:
        """Hand out results."""
        fault = self._arrive()
        self._leave(fault, changes=False)
        if ticket in self.results:
            return self.results[ticket]
        if ticket in self.bulks:
            assert self.bulks[ticket][1] == list(items)
            return NotReady(None)
        raise BulkLostError("unknown")

    async def find(self, submission_id: str) -> str | None:
        """Look up a bulk."""
        if not self.lists_bulks:
            raise NotOfferedError("no list")
        fault = self._arrive()
        self._leave(fault, changes=False)
        # A bulk that has just come in need not be in the list yet.
        taken = {self.bulks[ticket][0]: ticket for ticket in self.results}
        return taken.get(submission_id)

    def work(self, *, trouble: str = "none") -> None:
        """Work through the bulks; with some packs there is trouble."""
        for ticket, (_, items) in self.bulks.items():
            if ticket not in self.results:
                self.results[ticket] = [
                    self._answer(item, trouble if number % 2 == 0 else "none")
                    for number, item in enumerate(items)
                ]

    def _answer(self, item: BulkItem, trouble: str) -> Result:
        if trouble == "busy":
            return self._result(item.call, Category.UNAVAILABLE, None)
        if trouble == "foreign":
            return self._result(item.call, Category.UNKNOWN, None, "NMVS_NC_PC_01")
        return self.act(item.call, item.item_id)

    def act(self, call: PackCall, item_id: str | None) -> Result:
        key = call.scan.serial_number
        state, operation = self.states.get(key, State.ACTIVE), call.operation
        if item_id is not None:
            self.done.append(item_id)
        if operation is Operation.VERIFY:
            fine = state is State.ACTIVE
            return self._result(call, Category.ACTIVE if fine else Category.REFUSED, state)
        if state is (operation.undone_state or State.ACTIVE):
            self.states[key] = state = operation.target_state or state
            return self._result(call, Category.DONE, state)
        same = state is operation.target_state
        return self._result(call, Category.TOLERATED if same else Category.REFUSED, state)

    @staticmethod
    def _result(call: PackCall, category: Category, state: State | None, code: str = "X") -> Result:
        return Result(
            operation=call.operation,
            category=category,
            return_code=code,
            text="",
            scan=call.scan,
            advice=advise(call.operation, category, state=state, alert=False),
            exchange=Exchange(b"", b"", 200, 0.0),
            state=state,
        )


class QueueMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="queue-")
        self.now_s = 1_000_000.0
        self.added: dict[int, Entry] = {}

    @initialize(lists_bulks=st.booleans())
    def begin(self, lists_bulks: bool) -> None:
        self.system = NationalSystem(lists_bulks=lists_bulks)
        self.system.on_arrival = self.packs_are_asked_about_in_order
        self.open()

    def open(self) -> None:
        path = Path(self.folder.name) / "queue.sqlite"
        self.queue = OfflineQueue(path, "me", clock_s=lambda: self.now_s)
        self.replay = Replay(self.queue, self.system, self.system, PLAN, clock_s=lambda: self.now_s)

    def packs_are_asked_about_in_order(self, calls: list[PackCall]) -> None:
        """Whatever arrives is about the oldest open entry of its pack, and one of each pack."""
        serials = [call.scan.serial_number for call in calls]
        assert len(serials) == len(set(serials)), "a pack twice at a time"
        oldest: dict[str, Entry] = {}
        for entry in self.queue.entries(*OPEN, count_max=10_000):
            oldest.setdefault(entry.call.scan.serial_number, entry)
        for call in calls:
            entry = oldest[call.scan.serial_number]
            assert call.operation in (Operation.VERIFY, entry.call.operation), "out of order"
            is_asked = Standing.SENDING if len(calls) > 1 else Standing.DOUBTFUL
            assert entry.standing in (is_asked, Standing.SENDING), entry

    def teardown(self) -> None:
        if hasattr(self, "system"):
            self.drain()
            self.queue.close()
        self.folder.cleanup()

    @rule(number=st.integers(0, 2), operation=st.sampled_from(OPERATIONS))
    def add(self, number: int, operation: Operation) -> None:
        entry = self.queue.add(PackCall(operation, pack(number)))
        self.added.setdefault(entry.number, entry)

    @rule(number=st.integers(0, 2), arrived=st.booleans(), operation=st.sampled_from(OPERATIONS))
    def add_after_a_lost_answer(self, number: int, arrived: bool, operation: Operation) -> None:
        """The till asked by itself, and the answer was lost."""
        scan, item_id = pack(number), f"single-{len(self.added)}-{self.now_s:.0f}"
        call = PackCall(operation, scan, transaction_id=item_id)
        was_pending = self.queue.is_pending(scan)
        entry = self.queue.claim(call)
        assert (entry is None) is was_pending
        if entry is not None:
            self.added[entry.number] = entry
            if arrived:
                self.system.act(call, item_id)

    @rule(fault=st.sampled_from(FAULTS))
    def step(self, fault: str) -> None:
        self.system.fault = fault
        try:
            asyncio.run(self.replay.step())
        except SystemUnreachableError:
            pass
        except Killed:
            self.queue.close()
            self.open()
        finally:
            self.system.fault = "none"

    @rule(number=st.integers(0, 2))
    def an_acknowledgement_is_lost_and_the_system_takes_its_time(self, number: int) -> None:
        self.add(number, Operation.SUPPLY)
        self.step("lost after")
        for _ in range(3):
            self.step("none")
        self.system.work()

    @rule()
    def kill_between(self) -> None:
        self.queue.close()
        self.open()

    @rule(trouble=st.sampled_from(["none", "busy", "foreign"]))
    def work(self, trouble: str) -> None:
        self.system.work(trouble=trouble)

    @rule(
        number=st.integers(0, 2),
        trouble=st.sampled_from(["none", "busy", "foreign"]),
        refused=st.booleans(),
    )
    def several_things_about_a_pack(self, number: int, trouble: str, refused: bool) -> None:
        """They wait behind one another, whatever becomes of the first."""
        self.add(number, Operation.SUPPLY)
        self.add(number, Operation.UNDO_SUPPLY)
        self.step("bulk refused" if refused else "none")
        self.system.work(trouble=trouble)
        self.step("none")

    @rule(seconds=st.sampled_from([1, 50, 150, 20_000]))
    def time_goes_on(self, seconds: int) -> None:
        # The pause is there because systems work through what they took within it.
        if seconds >= PLAN.doubt_pause_s:
            self.system.work()
        self.now_s += seconds

    @precondition(lambda self: self.now_s > 500_000)
    @rule()
    def clock_goes_back(self) -> None:
        # The system need not have worked through anything: no time has passed.
        self.now_s -= 5_000

    @rule()
    def results_expire(self) -> None:
        self.system.work()
        self.now_s += 500_000
        self.system.bulks = {}
        self.system.results = {}

    @invariant()
    def nothing_is_done_twice(self) -> None:
        if hasattr(self, "system"):
            done = self.system.done
            assert len(done) == len(set(done)), done

    @invariant()
    def nothing_is_lost(self) -> None:
        if hasattr(self, "system"):
            numbers = {entry.number for entry in self.queue.entries(count_max=10_000)}
            assert numbers == set(self.added)

    def drain(self) -> None:
        """The system is there again: everything gets its outcome, in order."""
        for _ in range(60 * (len(self.added) + 1)):
            if not self.queue.open_count:
                break
            self.system.work()
            self.now_s += 4_000
            asyncio.run(self.replay.step())
        assert self.queue.open_count == 0
        self.nothing_is_done_twice()
        for number in range(3):
            self.check_pack(f"SN{number}")

    def check_pack(self, serial_number: str) -> None:
        entries: list[Any] = [
            entry
            for entry in self.queue.entries(count_max=10_000)
            if entry.call.scan.serial_number == serial_number
        ]
        ids = [entry.item_id for entry in entries]
        done = [item_id for item_id in self.system.done if item_id in ids]
        assert done == [item_id for item_id in ids if item_id in done], "out of order"
        for entry in entries:
            assert entry.standing is not Standing.GIVEN_UP, entry
            assert entry.outcome is not None
            if entry.item_id not in done:
                # Only what needed no doing was not done.
                assert entry.outcome.note, entry


QueueMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=30)
TestQueueMachine = QueueMachine.TestCase
