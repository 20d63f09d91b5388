"""Background work goes on after trouble, and says so."""

from __future__ import annotations

import asyncio

from hub.workers import Worker


class Drain:
    """Fails as it is told, counts its runs."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.runs = 0
        self.finished = asyncio.Event()

    async def __call__(self) -> None:
        self.runs += 1
        if self.errors:
            raise self.errors.pop(0)
        self.finished.set()


def defects_of(worker: Worker) -> list[str]:
    return [worker.defect] if worker.defect else []


async def test_work_goes_on_after_the_database_was_away() -> None:
    drain, bell = Drain(ConnectionRefusedError()), asyncio.Event()
    worker = Worker("w", drain, bell)
    worker.start()
    await asyncio.wait_for(drain.finished.wait(), 5)
    assert (drain.runs, worker.defect) == (2, None)
    await worker.stop()


async def test_a_defect_is_shown_until_the_work_succeeds() -> None:
    drain, bell = Drain(KeyError("x"), KeyError("y")), asyncio.Event()
    worker = Worker("w", drain, bell)
    worker.start()
    async with asyncio.timeout(5):
        while "KeyError('y')" not in defects_of(worker):
            await asyncio.sleep(0.01)
        await drain.finished.wait()
    assert defects_of(worker) == []
    await worker.stop()


async def test_a_bell_during_the_work_is_not_lost() -> None:
    bell = asyncio.Event()
    runs = 0
    again = asyncio.Event()

    async def drain() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            bell.set()
        else:
            again.set()

    worker = Worker("w", drain, bell)
    worker.start()
    await asyncio.wait_for(again.wait(), 5)
    await worker.stop()


async def test_work_with_a_period_needs_no_bell() -> None:
    drain, bell = Drain(), asyncio.Event()
    worker = Worker("w", drain, bell, period_s=0.01)
    worker.start()
    async with asyncio.timeout(5):
        while drain.runs < 3:
            await asyncio.sleep(0.01)
    await worker.stop()
