"""A closed-loop HTTP/1.1 generator that costs little: prepared requests, few allocations.

For ratios between servers in one run, not for latency claims: it waits for each answer.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple, cast

from emvs.errors import EmvsError
from loadtests.http_answers import AnswerBuffer


class Measured(NamedTuple):
    """What one run gave."""

    requests_per_s: float
    latency_ms_p50: float
    latency_ms_p99: float
    statuses: dict[int, int]
    strange: int
    """Answers whose body lacks what each should have."""


class _Connection(asyncio.Protocol):
    """One keep-alive connection: the next request leaves when the answer is complete."""

    def __init__(
        self, requests: Iterator[bytes], latencies: list[float], until: float, mark: bytes
    ) -> None:
        self._mark = mark
        self._requests = requests
        self._latencies = latencies
        self._until = until
        self._answers = AnswerBuffer()
        self._sent_at = 0.0
        self.statuses: Counter[int] = Counter()
        self.strange = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        request = next(self._requests, None) if self._sent_at < self._until else None
        if request is None:
            self._transport.close()
            self._finish()
            return
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        try:
            answer = self._answers.feed(data)
        except EmvsError as error:
            self._transport.close()
            if not self.done.done():
                self.done.set_exception(error)
            return
        if answer is None:
            return
        self._latencies.append(time.perf_counter() - self._sent_at)
        self.statuses[answer.status] += 1
        self.strange += self._mark not in answer.body
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        self._finish()

    def _finish(self) -> None:
        if not self.done.done():
            self.done.set_result(None)


async def measure(
    host: str,
    port: int,
    requests: Iterator[bytes],
    *,
    connections: int,
    seconds: float,
    mark: bytes = b"",
) -> Measured:
    """Send requests over `connections` connections for `seconds`, or until there are no more.
    Bodies without `mark` are counted."""
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    started = time.perf_counter()
    made = [
        await loop.create_connection(
            lambda: _Connection(requests, latencies, started + seconds, mark), host, port
        )
        for _ in range(connections)
    ]
    await asyncio.gather(*(connection.done for _, connection in made))
    elapsed = time.perf_counter() - started
    statuses: Counter[int] = Counter()
    for _, connection in made:
        statuses += connection.statuses
    latencies.sort()
    return Measured(
        len(latencies) / elapsed,
        latencies[len(latencies) // 2] * 1000,
        latencies[len(latencies) * 99 // 100] * 1000,
        dict(statuses),
        sum(connection.strange for _, connection in made),
    )
