"""Group commit: order, sharing, bounds, and what a failed write does to everybody who waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from emvs.errors import OverloadedError
from emvs.infra.group_commit import GroupCommit


class Disk:
    """A write that waits until it is let go, and may fail."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None
        self.failed: list[list[int]] = []

    async def write(self, group: list[int]) -> Sequence[int]:
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        self.groups.append(group)
        return [entry * 10 for entry in group]

    async def on_failure(self, entries: list[int], _: BaseException) -> None:
        self.failed.append(entries)
        self.error = None


@pytest.fixture
async def disk() -> Disk:
    return Disk()


@pytest.fixture
async def groups(disk: Disk) -> AsyncIterator[GroupCommit[int, int]]:
    commit = GroupCommit[int, int](
        disk.write, disk.on_failure, group_count_max=3, waiting_count_max=8
    )
    task = asyncio.create_task(commit.run())
    yield commit
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_entries_that_wait_share_the_next_write(
    disk: Disk, groups: GroupCommit[int, int]
) -> None:
    disk.gate.clear()
    first = groups.submit(1)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    others = [groups.submit(entry) for entry in range(2, 7)]
    disk.gate.set()
    assert await asyncio.gather(first, *others) == [10, 20, 30, 40, 50, 60]
    assert disk.groups == [[1], [2, 3, 4], [5, 6]]
    assert (groups.group_count, groups.entry_count, groups.group_count_largest) == (3, 6, 3)


async def test_a_full_queue_refuses_and_queues_nothing(
    disk: Disk, groups: GroupCommit[int, int]
) -> None:
    disk.gate.clear()
    taken = [groups.submit(entry) for entry in range(8)]
    assert groups.is_full
    with pytest.raises(OverloadedError):
        groups.submit(99)
    disk.gate.set()
    await asyncio.gather(*taken)
    assert 99 not in [entry for group in disk.groups for entry in group]


async def test_a_failed_write_fails_everyone_who_waits_then_service_resumes(
    disk: Disk, groups: GroupCommit[int, int]
) -> None:
    disk.gate.clear()
    first = groups.submit(1)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    behind = [groups.submit(entry) for entry in (2, 3, 4, 5)]
    disk.error = OSError("disk gone")
    disk.gate.set()
    results = await asyncio.gather(first, *behind, return_exceptions=True)
    assert all(isinstance(result, OSError) for result in results)
    assert disk.failed == [[1, 2, 3, 4, 5]]
    assert await groups.submit(6) == 60
    assert disk.groups == [[6]]


async def test_a_caller_that_has_gone_does_not_disturb_the_others(
    disk: Disk, groups: GroupCommit[int, int]
) -> None:
    disk.gate.clear()
    gone, stays = groups.submit(1), groups.submit(2)
    gone.cancel()
    disk.gate.set()
    assert await stays == 20
    assert disk.groups == [[1, 2]]


async def test_settle_waits_for_what_was_submitted(
    disk: Disk, groups: GroupCommit[int, int]
) -> None:
    disk.gate.clear()
    waiting = [groups.submit(entry) for entry in range(5)]
    settled = asyncio.create_task(groups.settle())
    await asyncio.sleep(0.01)
    assert not settled.done()
    disk.gate.set()
    await settled
    assert all(future.done() for future in waiting)
    await groups.settle()


async def test_settle_waits_for_a_write_whose_caller_has_gone(
    disk: Disk, groups: GroupCommit[int, int]
) -> None:
    disk.gate.clear()
    gone = groups.submit(1)
    await asyncio.sleep(0.01)
    gone.cancel()
    settled = asyncio.create_task(groups.settle())
    await asyncio.sleep(0.01)
    assert not settled.done()
    disk.gate.set()
    await settled
    assert disk.groups == [[1]]


async def test_settle_waits_until_a_failed_write_was_put_right() -> None:
    put_right = asyncio.Event()

    async def write(_: list[int]) -> Sequence[int]:
        raise OSError("disk gone")

    async def on_failure(_: list[int], __: BaseException) -> None:
        await put_right.wait()

    commit = GroupCommit[int, int](write, on_failure, group_count_max=3, waiting_count_max=8)
    task = asyncio.create_task(commit.run())
    with pytest.raises(OSError, match="disk gone"):
        await commit.submit(1)
    settled = asyncio.create_task(commit.settle())
    await asyncio.sleep(0.01)
    assert not settled.done()
    put_right.set()
    await settled
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_whoever_settles_is_let_go_when_the_writer_stops(disk: Disk) -> None:
    commit = GroupCommit[int, int](
        disk.write, disk.on_failure, group_count_max=3, waiting_count_max=8
    )
    disk.gate.clear()
    task = asyncio.create_task(commit.run())
    waiting = [commit.submit(entry) for entry in range(5)]
    settled = asyncio.create_task(commit.settle())
    await asyncio.sleep(0.01)
    task.cancel()
    await settled
    assert all(future.cancelled() for future in waiting)
    await asyncio.gather(task, return_exceptions=True)


async def test_stopping_cancels_whatever_waits(disk: Disk) -> None:
    commit = GroupCommit[int, int](
        disk.write, disk.on_failure, group_count_max=3, waiting_count_max=8
    )
    disk.gate.clear()
    task = asyncio.create_task(commit.run())
    waiting = [commit.submit(entry) for entry in range(5)]
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert all(future.cancelled() for future in waiting)


async def test_sizes_and_waits_of_groups_are_counted(disk: Disk) -> None:
    async def write(group: list[int]) -> list[int]:
        await asyncio.sleep(0.002)
        return group

    groups = GroupCommit[int, int](write, disk.on_failure, group_count_max=8, waiting_count_max=100)
    futures = [groups.submit(number) for number in range(11)]
    task = asyncio.create_task(groups.run())
    await asyncio.gather(*futures)
    task.cancel()
    assert (groups.sizes.count, groups.sizes.total) == (2, 11)
    assert groups.sizes.counts == [0, 0, 1, 0, 1]  # Three have two digits, eight have four.
    assert groups.waits_us.count == 2
    assert groups.waits_us.total >= 2_000 + 4_000


async def test_the_wait_of_a_group_counts_from_its_own_first_entry(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The queue is never empty while this goes on, so nothing may depend on that.
    clock_ns = 0
    written = asyncio.Event()

    async def write(group: list[int]) -> list[int]:
        nonlocal clock_ns
        clock_ns += 5_000_000
        if commit.group_count >= 40:
            written.set()
        else:
            for number in range(3):
                commit.submit(number)
        return group

    monkeypatch.setattr("emvs.infra.group_commit.time.monotonic_ns", lambda: clock_ns)
    commit = GroupCommit[int, int](write, disk.on_failure, group_count_max=3, waiting_count_max=9)
    for number in range(4):
        commit.submit(number)
    task = asyncio.create_task(commit.run())
    await written.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    # The first group waits for its own write, each other one for the end of that before it, too.
    waits_us = [5_000] + [10_000] * (commit.waits_us.count - 1)
    assert commit.waits_us.count >= 40
    assert commit.waits_us.total == sum(waits_us)
