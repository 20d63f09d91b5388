"""What the queue and its replay do over long outages, and what others may see of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from emvs.markets import Dialect
from emvs.states import Operation, State
from pharmacy_client import BulkRefusedError, Profile, ProtocolError, SystemUnreachableError
from pharmacy_client.bulk import BulkItem
from pharmacy_client.exchange import HttpReply, HttpRequest
from pharmacy_client.offline_queue import OfflineQueue
from pharmacy_client.queue_entries import OPEN, Standing
from pharmacy_client.queue_waits import Reason, Wait
from pharmacy_client.replay import Replay, ReplayPlan
from pharmacy_client.rest_bulk import RestBulk
from pharmacy_client.results import PackCall, Result
from pharmacy_client.tokens import TokenSource
from tests.unit.pharmacy_client.test_offline_queue_machine import NationalSystem, pack

HOUR_S = 3600.0
PLAN = ReplayPlan(doubt_pause_s=120.0)


class Clock:
    now_s = 1_000_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(tmp_path: Path, clock: Clock) -> Iterator[OfflineQueue]:
    with OfflineQueue(tmp_path / "queue.sqlite", "me", clock_s=clock) as queue:
        yield queue


def supply(number: int = 0, item_id: str | None = None) -> PackCall:
    return PackCall(Operation.SUPPLY, pack(number), transaction_id=item_id)


async def test_a_market_that_is_away_for_a_day_loses_nothing_and_is_not_flooded(
    queue: OfflineQueue, clock: Clock
) -> None:
    system = NationalSystem(lists_bulks=True)
    replay = Replay(queue, system, system, PLAN, clock_s=clock)
    queue.add(supply())
    until_s = clock.now_s + 24 * HOUR_S
    while clock.now_s < until_s:
        clock.now_s += await replay.step() or 60.0
        system.work(trouble="busy")
    assert queue.counts()[Standing.GIVEN_UP] == 0
    assert 20 < len(system.bulks) < 45
    clock.now_s += HOUR_S
    for _ in range(3):
        await replay.step()
        system.work()
    (entry,) = queue.entries()
    assert entry.standing is Standing.SETTLED
    assert system.done == [entry.item_id]


async def test_nothing_is_waited_for_after_a_result(queue: OfflineQueue, clock: Clock) -> None:
    system = NationalSystem(lists_bulks=True)
    replay = Replay(queue, system, system, PLAN, clock_s=clock)
    queue.add(supply())
    assert await replay.step() == pytest.approx(5.5, abs=0.51)
    system.work()
    assert await replay.step() == 0.0
    assert await replay.step() is None


async def test_one_pack_that_cannot_be_answered_holds_up_no_other(
    queue: OfflineQueue, clock: Clock
) -> None:
    system = NationalSystem(lists_bulks=False)
    replay = Replay(queue, system, system, PLAN, clock_s=clock)
    entries = [queue.claim(supply(number, f"lost-{number}")) for number in range(2)]
    clock.now_s += 200
    for number, fault in enumerate(("busy", "none")):
        system.fault = fault
        try:
            await replay.step()
        except Exception:  # noqa: BLE001 - which one is not what this is about.
            assert number == 0
    await replay.step()
    await replay.step()
    assert entries[1] is not None
    assert [bulk[1][0].item_id for bulk in system.bulks.values()] == [entries[1].item_id]


class Unreadable(NationalSystem):
    """Its results are of no form that anybody knows."""

    async def fetch(self, ticket: str, items: object) -> list[Result]:
        raise ProtocolError("what is this")


async def test_a_bulk_that_cannot_be_read_does_not_block_the_queue_for_ever(
    queue: OfflineQueue, clock: Clock
) -> None:
    system = Unreadable(lists_bulks=True)
    replay = Replay(queue, system, system, PLAN, clock_s=clock)
    queue.add(supply())
    await replay.step()
    with pytest.raises(ProtocolError):
        await replay.step()
    system.work()
    clock.now_s += 2 * HOUR_S
    await replay.step()
    await replay.step()
    (entry,) = queue.entries()
    assert entry.outcome is not None
    assert entry.outcome.category == "done"
    assert system.done == [entry.item_id]


async def test_it_is_told_what_is_waited_for(queue: OfflineQueue, clock: Clock) -> None:
    system = NationalSystem(lists_bulks=True)
    replay = Replay(queue, system, system, PLAN, clock_s=clock)

    async def waits() -> tuple[Wait | None, list[Wait | None]]:
        with contextlib.suppress(SystemUnreachableError):
            await replay.step()
        entries = queue.entries(*OPEN)
        found = queue.waits(entries)
        return replay.wait, [found.get(entry.number) for entry in entries]

    def later(seconds: float) -> datetime:
        return datetime.fromtimestamp(clock.now_s + seconds, UTC)

    assert await waits() == (None, [])
    queue.add(supply(0))
    queue.add(PackCall(Operation.UNDO_SUPPLY, pack(0)))
    system.fault = "refused"
    assert await waits() == (None, [None, Wait(Reason.BEHIND_ANOTHER)])
    system.fault = "lost before"
    lost = Wait(Reason.ANSWER_LOST, later(120))
    assert await waits() == (None, [lost, Wait(Reason.BEHIND_ANOTHER)])
    clock.now_s += 60
    assert await waits() == (lost, [lost, Wait(Reason.BEHIND_ANOTHER)])
    clock.now_s += 60
    await replay.step()  # It has not arrived.
    wait, each = await waits()
    assert each == [Wait(Reason.RESULT_NOT_READY), Wait(Reason.BEHIND_ANOTHER)]
    assert wait is not None
    assert wait.reason is Reason.RESULT_NOT_READY
    assert wait.until_at is not None
    assert later(5) <= wait.until_at <= later(6)
    system.work(trouble="busy")
    await replay.step()
    put_off = Wait(Reason.PUT_OFF, later(120))  # It was sent twice.
    assert await waits() == (put_off, [put_off, Wait(Reason.BEHIND_ANOTHER)])
    assert put_off.sentence.startswith(
        "the system could not answer about it, and is asked again at"
    )
    clock.now_s += 120
    assert queue.waits(queue.entries(*OPEN, count_max=1)) == {}
    queue.claim(supply(1, "lost-0001"))
    system.fault = "refused"
    assert (await waits())[1][-1] == Wait(Reason.ANSWER_LOST, later(120))


async def test_somebody_elses_page_settles_nothing(queue: OfflineQueue, clock: Clock) -> None:
    """The login page of a network answers a look at a pack: the pack is looked at later."""

    class Portal(NationalSystem):
        async def perform(self, call: PackCall) -> Result:
            raise ProtocolError("<html>Welcome</html>")

    system = Portal(lists_bulks=True)
    queue.claim(supply(0, "lost-0001"))
    clock.now_s += 200
    with pytest.raises(ProtocolError):
        await Replay(queue, system, system, PLAN, clock_s=clock).step()
    assert queue.entries()[0].standing is Standing.DOUBTFUL


async def test_a_clock_that_goes_back_a_year_makes_nothing_wait_so_long(
    queue: OfflineQueue, clock: Clock
) -> None:
    system = NationalSystem(lists_bulks=True)
    replay = Replay(queue, system, system, PLAN, clock_s=clock)
    queue.claim(supply(0, "lost-0001"))
    queue.add(supply(1))
    system.fault = "lost after"
    with pytest.raises(SystemUnreachableError):
        await replay.step()
    clock.now_s -= 365 * 24 * HOUR_S
    await replay.step()
    # It has only just been sent, for all that anybody knows.
    assert len(system.done) == 0
    system.work()
    for _ in range(8):
        clock.now_s += 130
        await replay.step()
        system.work()
    assert queue.open_count == 0
    assert len(system.done) == 2


async def test_a_lost_answer_is_looked_into_after_a_pause(
    queue: OfflineQueue, clock: Clock
) -> None:
    system = NationalSystem(lists_bulks=True)
    arrived: list[PackCall] = []
    system.on_arrival = arrived.extend
    replay = Replay(queue, system, system, PLAN, clock_s=clock)
    queue.claim(supply(0, "lost-0001"))
    system.states[pack(0).serial_number] = State.SUPPLIED
    await replay.step()
    assert arrived == []
    clock.now_s += 121
    await replay.step()
    assert [call.operation for call in arrived] == [Operation.VERIFY]
    (entry,) = queue.entries()
    assert entry.outcome is not None
    # It may have been another pharmacy: nobody is told that all is well.
    assert (entry.outcome.category, entry.outcome.colour) == ("done", "amber")


def test_two_programs_do_not_send_at_once_about_one_pack(
    queue: OfflineQueue, tmp_path: Path
) -> None:
    with OfflineQueue(tmp_path / "queue.sqlite", "me") as other:
        assert queue.claim(supply(0, "first-0001")) is not None
        assert other.claim(supply(0, "second-001")) is None
    assert [entry.item_id for entry in queue.entries()] == ["first-0001"]


def test_nobody_else_reads_what_was_handed_out(queue: OfflineQueue, tmp_path: Path) -> None:
    queue.add(supply())
    with queue.replaying():
        modes = {path.name: path.stat().st_mode & 0o077 for path in tmp_path.iterdir()}
    assert len(modes) >= 3
    assert set(modes.values()) == {0}, modes


async def test_a_busy_file_does_not_stop_the_till(queue: OfflineQueue, tmp_path: Path) -> None:
    """Another program writes: whoever only reads, or does something else, goes on."""
    with OfflineQueue(tmp_path / "queue.sqlite", "me") as other, other._file.writing():
        system = NationalSystem(lists_bulks=True)
        step = asyncio.create_task(Replay(queue, system, system, PLAN).step())
        async with asyncio.timeout(5):
            adding = asyncio.create_task(asyncio.to_thread(queue.add, supply()))
            await asyncio.sleep(0)
            assert queue.open_count == 0
    await asyncio.gather(step, adding)
    assert queue.open_count == 1


@pytest.mark.parametrize("status", [400, 413])
async def test_a_bulk_that_rest_systems_refuse_is_known_as_refused(status: int) -> None:
    class Refusing:
        async def send(self, request: HttpRequest) -> HttpReply:
            if request.url.endswith("token"):
                return HttpReply(200, {}, b'{"access_token":"t","expires_in":99}', 0.0)
            return HttpReply(status, {}, b"<h1>No</h1>", 0.0)

        async def close(self) -> None: ...

    profile = Profile(
        dialect=Dialect.REST,
        url="http://127.0.0.1:1",
        token_url="http://127.0.0.1:1/token",
        client_id="till",
        client_secret="s",
    )
    bulk = RestBulk(profile, TokenSource(profile, Refusing()))
    with pytest.raises(BulkRefusedError):
        await bulk.submit([BulkItem(supply(), "item-0001")], "bulk-0001")
