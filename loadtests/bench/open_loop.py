"""Latency under a load that does not wait: requests leave on schedule, whatever the server does.

Each latency counts from the time the request was planned for. So a server that stops for a second
is seen by all that should have asked meanwhile (no coordinated omission), and a generator that is
late makes its own figures worse, never better; how late it was is told.
"""

from __future__ import annotations

import asyncio
import gc
import random
import time
from collections import Counter, deque
from collections.abc import Iterator
from typing import Final, NamedTuple, cast

_TICK_S: Final = 0.001
_WAITING_MAX: Final = 200_000
"""Requests that wait for a connection; a server so far behind has failed the test."""
_SETTLE_S: Final = 0.2
"""Until the server has taken all connections: pharmacies do not come all at once."""
_DRAIN_S: Final = 30.0


class Latencies(NamedTuple):
    """Milliseconds from the planned time to the complete answer, in order of size."""

    ms: list[float]
    late_ms_p99: float
    """How late the generator was at the ticks at which it sends."""
    statuses: dict[int, int]

    def percentile(self, share: float) -> float:
        """Return the latency that this share of the requests did not exceed."""
        return self.ms[min(len(self.ms) - 1, int(len(self.ms) * share))]


class _Connection(asyncio.Protocol):
    def __init__(self, owner: _Schedule) -> None:
        self._owner = owner
        self._buffer = b""
        self._planned_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def send(self, request: bytes, planned_at: float) -> None:
        self._planned_at = planned_at
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return
        at = self._buffer.find(b"Content-Length: ", 0, head_end)
        length = int(self._buffer[at + 16 : self._buffer.find(b"\r\n", at)])
        if len(self._buffer) < head_end + 4 + length:
            return
        status = int(self._buffer[9:12])
        self._buffer = b""
        self._owner.answered(self, self._planned_at, status)

    def connection_lost(self, exc: Exception | None) -> None:
        self._owner.lost(exc)

    def close(self) -> None:
        self._transport.close()


class _Schedule:
    """Sends what is due over whichever connection is free."""

    def __init__(self, requests: Iterator[bytes], rate: float, seconds: float) -> None:
        self._requests = requests
        self._rate = rate
        self._total = int(rate * seconds)
        self._seconds_max = seconds + _DRAIN_S
        self._gaps = random.Random(5)  # noqa: S311 - arrivals.
        self._due_at = 0.0
        self._planned = 0
        self._idle: deque[_Connection] = deque()
        self._waiting: deque[tuple[bytes, float]] = deque()
        self._lateness: list[float] = []
        self._ms: list[float] = []
        self._statuses: Counter[int] = Counter()
        self._finished = asyncio.get_running_loop().create_future()

    def answered(self, connection: _Connection, planned_at: float, status: int) -> None:
        self._ms.append((time.perf_counter() - planned_at) * 1e3)
        self._statuses[status] += 1
        if self._waiting:
            connection.send(*self._waiting.popleft())
        else:
            self._idle.append(connection)
        if len(self._ms) == self._total and not self._finished.done():
            self._finished.set_result(None)

    def lost(self, error: Exception | None) -> None:
        if not self._finished.done():
            reason = error or ConnectionError("the server closed a connection")
            self._finished.set_exception(reason)

    async def run(self, host: str, port: int, connections: int) -> Latencies:
        loop = asyncio.get_running_loop()
        made: list[_Connection] = []
        try:
            for _ in range(connections):
                _, protocol = await loop.create_connection(lambda: _Connection(self), host, port)
                made.append(protocol)
            self._idle.extend(made)
            await asyncio.sleep(_SETTLE_S)
            started = time.perf_counter()
            loop.call_later(_TICK_S, self._tick, loop, started, started + _TICK_S)
            await asyncio.wait_for(self._finished, self._seconds_max)
        finally:
            for protocol in made:
                protocol.close()
        self._ms.sort()
        self._lateness.sort()
        late = self._lateness[len(self._lateness) * 99 // 100] * 1e3
        return Latencies(self._ms, late, dict(self._statuses))

    def _tick(self, loop: asyncio.AbstractEventLoop, started: float, due_at: float) -> None:
        now = time.perf_counter()
        self._lateness.append(now - due_at)
        while self._planned < self._total and not self._finished.done():
            planned_at = started + self._due_at
            if planned_at > now:
                break
            self._planned += 1
            self._due_at += self._gaps.expovariate(self._rate)
            request = next(self._requests)
            if self._idle:
                self._idle.popleft().send(request, planned_at)
            elif len(self._waiting) < _WAITING_MAX:
                self._waiting.append((request, planned_at))
            elif not self._finished.done():
                self._finished.set_exception(TimeoutError("the server is hopelessly behind"))
        if self._planned < self._total and not self._finished.done():
            loop.call_later(_TICK_S, self._tick, loop, started, now + _TICK_S)


async def keep_rate(
    port: int, requests: Iterator[bytes], *, rate: float, seconds: float, connections: int
) -> Latencies:
    """Send `rate` requests a second on average for so long; return when all are answered. Gaps are
    random (a Poisson process): customers do not come in step."""
    # What the benchmark holds by now has hundreds of thousands of objects: a look through them for
    # garbage would make the generator late, and count against the server.
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        return await _Schedule(requests, rate, seconds).run("127.0.0.1", port, connections)
    finally:
        gc.enable()
        gc.unfreeze()
