"""Group commit: entries that wait while one write runs share the next one.

Knows nothing of what is written. The group adapts by itself: it is whatever piled up during the
last write, so a lone entry costs one write and a crowd shares one.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, NamedTuple, TypeVar

from emvs.errors import OverloadedError

Entry = TypeVar("Entry")
Result = TypeVar("Result")

_WAIT_DIGITS_MAX: Final = 24
"""Waits of up to 16 seconds have buckets of their own."""


class Histogram:
    """Whole numbers counted by how many binary digits they have: bucket n ends at 2^n - 1."""

    __slots__ = ("count", "counts", "total")

    def __init__(self, digits_max: int) -> None:
        self.counts = [0] * (digits_max + 1)
        self.count = 0
        self.total = 0

    def add(self, number: int) -> None:
        """Count a number; one with too many digits is counted, but in no bucket."""
        self.count += 1
        self.total += number
        digits = number.bit_length()
        if digits < len(self.counts):
            self.counts[digits] += 1


class _Waiting(NamedTuple, Generic[Entry, Result]):
    entry: Entry
    future: asyncio.Future[Result]
    arrived_ns: int


class GroupCommit(Generic[Entry, Result]):
    """Collects entries, writes them in groups in order of arrival, one group at a time.

    `write` takes a group and returns one result for each entry. If it raises, the entries of that
    group and all that wait get the error, `on_failure` is awaited with them, and only then are
    further groups written: memory may be ahead of disk until `on_failure` has put it right.
    """

    def __init__(
        self,
        write: Callable[[list[Entry]], Awaitable[Sequence[Result]]],
        on_failure: Callable[[list[Entry], BaseException], Awaitable[None]],
        *,
        group_count_max: int,
        waiting_count_max: int,
    ) -> None:
        self._write = write
        self._on_failure = on_failure
        self._group_count_max = group_count_max
        self._waiting_count_max = waiting_count_max
        self._waiting: deque[_Waiting[Entry, Result]] = deque()
        self._arrived = asyncio.Event()
        self._broken: BaseException | None = None
        self._submitted_count = 0
        self._ended_count = 0
        """Entries that are written, or failed and were put right: the first of those submitted."""
        self._settling: deque[tuple[int, asyncio.Future[None]]] = deque()
        """Who waits until so many entries have ended, in order of that number."""
        self.group_count = 0
        self.entry_count = 0
        self.group_count_largest = 0
        self.failure_count = 0
        self.sizes = Histogram(group_count_max.bit_length())
        self.waits_us = Histogram(_WAIT_DIGITS_MAX)
        """From the arrival of a group's first entry until it was written, in microseconds."""

    @property
    def waiting_count(self) -> int:
        """Entries that no write has taken yet."""
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        """Whether the next `submit` would be refused."""
        return len(self._waiting) >= self._waiting_count_max

    def submit(self, entry: Entry, *, reserved: bool = False) -> asyncio.Future[Result]:
        """Queue `entry`; the future is done when its group is written.

        Raises OverloadedError if too many entries wait, and nothing is queued then; `reserved`
        entries are queued all the same, and their number is the caller's to bound.
        """
        if self.is_full and not reserved:
            raise OverloadedError(f"{len(self._waiting)} entries wait to be written")
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(entry, future, time.monotonic_ns()))
        self._submitted_count += 1
        self._arrived.set()
        return future

    def fail(self, error: BaseException) -> None:
        """Treat whatever waits, even if it is nothing, as if its write had failed.

        For a writer that learns between two writes that it cannot write any more.
        """
        self._broken = error
        self._arrived.set()

    async def settle(self) -> None:
        """Return when every entry submitted so far is written, or has failed and `on_failure` is
        through with it; that its caller has gone ends no write."""
        if self._ended_count < self._submitted_count:
            settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._settling.append((self._submitted_count, settled))
            await settled

    async def run(self) -> None:
        """Write groups until cancelled; then fail whatever still waits."""
        try:
            while True:
                await self._arrived.wait()
                if self._broken is not None:
                    await self._give_up([], self._broken)
                elif group := self._take_group():
                    await self._write_group(group)
        finally:
            self._fail(list(self._waiting), asyncio.CancelledError())
            self._waiting.clear()
            self._end(self._submitted_count - self._ended_count)

    def _end(self, count: int) -> None:
        """Count entries that have ended; let those go who waited for them."""
        self._ended_count += count
        while self._settling and self._settling[0][0] <= self._ended_count:
            _, settled = self._settling.popleft()
            if not settled.done():
                settled.set_result(None)

    def _take_group(self) -> list[_Waiting[Entry, Result]]:
        waiting = self._waiting
        count = min(len(waiting), self._group_count_max)
        group = [waiting.popleft() for _ in range(count)]
        if not waiting:
            self._arrived.clear()
        return group

    async def _write_group(self, group: list[_Waiting[Entry, Result]]) -> None:
        try:
            results = await self._write([waiting.entry for waiting in group])
        except asyncio.CancelledError as stopped:
            self._fail(group, stopped)
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody may be told "done".
            await self._give_up(group, error)
            return
        self.group_count += 1
        self.entry_count += len(group)
        self.group_count_largest = max(self.group_count_largest, len(group))
        self.sizes.add(len(group))
        self.waits_us.add((time.monotonic_ns() - group[0].arrived_ns) // 1_000)
        for waiting, result in zip(group, results, strict=True):
            if not waiting.future.done():  # The caller may have gone meanwhile.
                waiting.future.set_result(result)
        self._end(len(group))

    async def _give_up(self, group: list[_Waiting[Entry, Result]], error: BaseException) -> None:
        """Fail a group and all that wait, and have memory put right before anything is written."""
        self.failure_count += 1
        group += self._waiting
        self._waiting.clear()
        self._arrived.clear()
        self._fail(group, error)
        await self._on_failure([waiting.entry for waiting in group], error)
        self._broken = None
        self._end(len(group))

    @staticmethod
    def _fail(group: list[_Waiting[Entry, Result]], error: BaseException) -> None:
        for _, future, _ in group:
            if future.done():
                continue
            if isinstance(error, asyncio.CancelledError):
                future.cancel()
            else:
                future.set_exception(error)
