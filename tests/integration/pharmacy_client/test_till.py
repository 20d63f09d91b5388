"""A till against a real national system, with a network between them that misbehaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from emvs.states import Operation, State
from pharmacy_client import Category, Profile, SystemUnreachableError
from pharmacy_client.breaker import Breaker
from pharmacy_client.offline_queue import OfflineQueue
from pharmacy_client.queue_entries import Standing
from pharmacy_client.queue_waits import Reason
from pharmacy_client.replay import ReplayPlan
from pharmacy_client.results import PackCall, Result
from pharmacy_client.till import Till, TillPlan
from tests.integration.pharmacy_client.fault_proxy import Fault, FaultProxy, fault_proxy
from tests.integration.pharmacy_client.test_national_system import DIALECTS, Town, town

__all__ = ["town"]

PLAN = TillPlan(
    retry_pause_s=0.01,
    replay=ReplayPlan(first_poll_s=0.05, longest_poll_s=0.2, doubt_pause_s=0.0),
)
SUPPLY = rb"G120Request|^PATCH"
VERIFY = rb"G110Request|^GET"
BULK = rb"G195Request|^POST /verification/recovery/packs"


@dataclass
class Street:
    """A town whose pharmacy's network can be broken."""

    town: Town
    proxy: FaultProxy
    folder: Path

    def profile(self, dialect: str, **more: Any) -> Profile:
        proxied: dict[str, Any] = {"url": self.proxy.url, "timeout_s": 5.0, **more}
        if dialect == "rest":
            proxied["url"] += "/verification"
            proxied["token_url"] = f"{self.proxy.url}/identity/connect/token"
        environment = {f"PHARMACY_{name.upper()}": str(value) for name, value in proxied.items()}
        return Profile.from_endpoints(
            self.town.endpoints, "IE", dialect=dialect, environment=environment
        )

    def queue(self) -> OfflineQueue:
        return OfflineQueue(self.folder / "queue.sqlite", "me")

    def till(self, dialect: str, queue: OfflineQueue | None = None, **more: Any) -> Till:
        return Till(
            self.profile(dialect, **more),
            queue,
            plan=PLAN,
            breaker=Breaker(failures_max=3, first_pause_s=0.05, longest_pause_s=0.1),
        )


@pytest.fixture
async def street(town: Town, tmp_path: Path) -> AsyncIterator[Street]:
    async with fault_proxy(town.system.ports["service"]) as proxy:
        yield Street(town, proxy, tmp_path)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_an_outage_is_bridged(street: Street, dialect: str) -> None:
    """Supplies wait on disk, in order, and are replayed as one bulk when the system is back."""
    town = street.town
    with street.queue() as queue:
        async with street.till(dialect, queue) as till:
            assert (await till.verify(town.scan())).ok
            await street.proxy.stop()
            kept = [await till.supply(town.scan(number)) for number in range(5)]
            assert {result.category for result in kept} == {Category.QUEUED}
            assert "5 wait" in kept[-1].advice.sentence
            assert till.is_offline
            assert till.wait is not None
            assert till.wait.reason is Reason.SYSTEM_AWAY
            with pytest.raises(SystemUnreachableError, match="5 operations wait"):
                await till.verify(town.scan(9))
            # Order per pack: an undo waits behind its supply, even if the system is there again.
            await street.proxy.start()
            undone = await till.undo(town.scan(4), reference=kept[4].client_transaction_id)
            assert undone.category is Category.QUEUED
            # A stuck scanner is no second supply.
            again = await till.supply(town.scan(0))
            assert again.queue_number == kept[0].queue_number
            reasons: list[Reason | None] = []
            async with asyncio.timeout(60):
                await till.replay(lambda: reasons.append(till.wait and till.wait.reason))
            assert set(reasons) == {None, Reason.RESULT_NOT_READY}
            assert till.waiting_count == 0
            assert till.wait is None
            assert street.proxy.count(BULK) == 2
            entries = queue.entries(Standing.SETTLED)
            assert [entry.outcome and entry.outcome.category for entry in entries] == ["done"] * 6
            for number in range(4):
                assert (await till.verify(town.scan(number))).state is State.SUPPLIED
            assert (await till.verify(town.scan(4))).state is State.ACTIVE


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("fault", [Fault.ANSWER_LOST, Fault.REQUEST_LOST, Fault.ANSWER_CUT])
async def test_a_supply_whose_answer_is_lost_is_done_once(
    street: Street, dialect: str, fault: Fault
) -> None:
    town, proxy = street.town, street.proxy
    with street.queue() as queue:
        async with street.till(dialect, queue) as till:
            proxy.fail(fault, SUPPLY)
            kept = await till.supply(town.scan())
            assert kept.category is Category.QUEUED
            assert "may have been done" in kept.advice.sentence
            assert proxy.count(SUPPLY) == 1
            async with asyncio.timeout(60):
                await till.replay()
            (entry,) = queue.entries()
            assert entry.outcome is not None
            assert (entry.standing, entry.outcome.category) == (Standing.SETTLED, "done")
            arrived = fault is not Fault.REQUEST_LOST
            assert proxy.count(SUPPLY) + proxy.count(BULK) == (1 if arrived else 2)
            assert bool(entry.outcome.note) is arrived
            assert (await till.verify(town.scan())).state is State.SUPPLIED
    # Once: a second one of the same location would have been a repeat.
    async with town.client(dialect) as client:
        assert (await client.undo(town.scan())).category is Category.DONE
        assert (await client.verify(town.scan())).state is State.ACTIVE


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("fault", [Fault.ANSWER_LOST, Fault.REQUEST_LOST])
async def test_a_bulk_whose_acknowledgement_is_lost_is_done_once(
    street: Street, dialect: str, fault: Fault
) -> None:
    town, proxy = street.town, street.proxy
    with street.queue() as queue:
        for number in range(3):
            queue.add(PackCall(Operation.SUPPLY, town.scan(number)))
        async with street.till(dialect, queue) as till:
            proxy.fail(fault, BULK)
            with pytest.raises(SystemUnreachableError) as caught:
                await till.replay()
            assert caught.value.may_have_acted
            # Nobody has done anything else meanwhile; the system needs a moment for the bulk.
            async with asyncio.timeout(60), town.client(dialect) as other:
                while fault is Fault.ANSWER_LOST:
                    if (await other.verify(town.scan(2))).state is State.SUPPLIED:
                        break
                    await asyncio.sleep(0.05)
                await till.replay()
            outcomes = [entry.outcome for entry in queue.entries()]
            assert [outcome and outcome.category for outcome in outcomes] == ["done"] * 3
            sent_again = fault is Fault.REQUEST_LOST
            assert proxy.count(BULK) == 1 + sent_again


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_verifications_are_repeated_and_changes_are_not(street: Street, dialect: str) -> None:
    town, proxy = street.town, street.proxy
    async with street.till(dialect) as till:
        proxy.fail(Fault.ANSWER_LOST, VERIFY)
        proxy.fail(Fault.BUSY, VERIFY)
        assert (await till.verify(town.scan())).ok
        assert len(proxy.requests) == 3
        proxy.fail(Fault.ANSWER_LOST, SUPPLY)
        with pytest.raises(SystemUnreachableError) as caught:
            await till.supply(town.scan())
        assert caught.value.may_have_acted
        assert proxy.count(SUPPLY) == 1


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_nothing_floods_the_system(street: Street, dialect: str) -> None:
    """A stuck scanner: fifty supplies of one pack are one request, at once and one by one."""
    town, proxy = street.town, street.proxy
    async with street.till(dialect) as till:
        results = await asyncio.gather(*(till.supply(town.scan()) for _ in range(25)))
        results += [await till.supply(town.scan()) for _ in range(25)]
        assert proxy.count(SUPPLY) == 1
        assert {result.category for result in results} == {Category.DONE}
        assert sum(result.from_memory for result in results) == 49
        # Another operation in between is no repeat.
        assert (await till.undo(town.scan())).category is Category.DONE
        assert (await till.supply(town.scan())).category is Category.DONE


async def test_turns_about_one_pack_are_kept_by_whoever_comes_later(street: Street) -> None:
    """A supply waits behind a verification; another one comes in just as that has ended."""
    town, proxy = street.town, street.proxy
    async with street.till("rest") as till:
        verifying = asyncio.create_task(till.verify(town.scan()))
        await asyncio.sleep(0)
        waiting = asyncio.create_task(till.supply(town.scan()))

        async def supply_at_once() -> None:
            await verifying
            await till.supply(town.scan())

        await asyncio.gather(waiting, supply_at_once())
        assert proxy.count(SUPPLY) == 1


async def test_a_system_that_wants_time_is_left_alone(street: Street) -> None:
    town, proxy = street.town, street.proxy
    with street.queue() as queue:
        async with street.till("rest", queue) as till:
            proxy.fail(Fault.THROTTLED, SUPPLY)
            assert (await till.supply(town.scan())).category is Category.QUEUED
            assert till.is_offline
            assert till.breaker.wait_s > 25
            assert till.wait is not None
            assert till.wait.reason is Reason.SYSTEM_BUSY
            assert till.wait.until_at is not None
            assert (till.wait.until_at - datetime.now(UTC)).total_seconds() > 25
            before = len(proxy.requests)
            assert (await till.supply(town.scan(1))).category is Category.QUEUED
            with pytest.raises(SystemUnreachableError, match="left alone"):
                await till.verify(town.scan(2))
            assert len(proxy.requests) == before
            assert till.waiting_count == 2


async def test_a_slow_answer_is_a_lost_one(street: Street) -> None:
    town, proxy = street.town, street.proxy
    with street.queue() as queue:
        async with street.till("soap", queue, timeout_s=0.5) as till:
            proxy.fail(Fault.SLOW, SUPPLY)
            kept = await till.supply(town.scan())
            assert queue.entries()[0].standing is Standing.DOUBTFUL
            assert "may have been done" in kept.advice.sentence
            proxy.release.set()


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_bulk_is_an_iterator_over_results(street: Street, dialect: str) -> None:
    town = street.town
    calls = [PackCall(Operation.SUPPLY, town.scan(number)) for number in range(6)]
    calls.append(PackCall(Operation.VERIFY, town.scan(serial_number="NEVER1SEEN")))
    calls.append(PackCall(Operation.UNDO_SUPPLY, town.scan(0)))
    calls.append(PackCall(Operation.LOCK, town.scan(7, batch_id=None, expiry=None), manual=True))
    async with street.till(dialect) as till:
        plan = PLAN.replay
        polls = till.client.bulk(calls, items_max=4, first_poll_s=plan.first_poll_s)
        results = [result async for result in polls]
    assert [result.scan for result in results] == [call.scan for call in calls]
    categories = [result.category for result in results]
    assert categories[:6] == [Category.DONE] * 6
    assert (categories[6], results[6].alert_code) == (Category.UNKNOWN, "A3")
    assert results[6].alert_id
    assert results[7].state is State.ACTIVE
    assert results[8].state is State.LOCKED


UNIFORM = rb"G125Request|G127Request|G115Request|^POST /verification/product/packs"


async def _bulk(till: Till, calls: list[PackCall]) -> list[Result]:
    async with asyncio.timeout(60):
        found = till.client.bulk(calls, first_poll_s=PLAN.replay.first_poll_s)
        return [result async for result in found]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_what_asks_the_same_goes_as_a_plain_bulk(street: Street, dialect: str) -> None:
    town, proxy = street.town, street.proxy
    scans = [town.scan(number) for number in range(3)] + [town.scan(serial_number="NEVER1SEEN")]
    async with street.till(dialect) as till:
        results = await _bulk(till, [PackCall(Operation.SUPPLY, scan) for scan in scans])
        assert [result.scan for result in results] == scans
        assert [result.category for result in results] == [Category.DONE] * 3 + [Category.UNKNOWN]
        assert [result.state for result in results[:3]] == [State.SUPPLIED] * 3
        assert (results[3].alert_code, bool(results[3].alert_id)) == ("A3", True)
        undone = await _bulk(till, [PackCall(Operation.UNDO_SUPPLY, scan) for scan in scans[:2]])
        assert [result.state for result in undone] == [State.ACTIVE] * 2
        assert (proxy.count(UNIFORM), proxy.count(BULK)) == (2, 0)
        # Nobody could say which of two it was: each goes with an answer of its own.
        twice = [PackCall(Operation.VERIFY, scans[0])] * 2
        assert [result.ok for result in await _bulk(till, twice)] == [True, True]
        assert (proxy.count(UNIFORM), proxy.count(BULK)) == (2, 1)


async def test_a_wrong_batch_is_said_of_every_pack_of_a_plain_bulk(street: Street) -> None:
    town, proxy = street.town, street.proxy
    async with street.till("soap") as till:
        calls = [PackCall(Operation.SUPPLY, town.scan(n, batch_id="OTHER")) for n in range(2)]
        results = await _bulk(till, calls)
        assert {result.return_code for result in results} == {"NMVS_FE_LOT_03"}
        assert len({result.alert_id for result in results}) == 1
        assert all(not result.ok for result in results)
        # An expiry that is none is refused as a whole, so each pack gets its own answer.
        calls = [PackCall(Operation.SUPPLY, town.scan(n, expiry="990230")) for n in range(2)]
        results = await _bulk(till, calls)
        assert [result.category for result in results] == [Category.INVALID] * 2
        assert proxy.count(UNIFORM) == 2
        assert proxy.count(BULK) == 1
