"""A network that misbehaves: a TCP proxy before a real server that knows where requests end."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from enum import Enum


class Fault(Enum):
    """What happens to a request."""

    CLOSED = "the connection is closed before anything is read"
    REQUEST_LOST = "the request is read and never arrives"
    ANSWER_LOST = "the server does what is asked, and its answer is lost"
    ANSWER_CUT = "half of the answer arrives"
    SLOW = "the answer is held back until `release` is set"
    BUSY = "503 without an answer"
    THROTTLED = "429, come back in 30 s"


_CANNED = {
    Fault.BUSY: b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    Fault.THROTTLED: b"HTTP/1.1 429 Slow\r\nRetry-After: 30\r\nContent-Length: 0\r\n"
    b"Connection: close\r\n\r\n",
}


@dataclass
class FaultProxy:
    """Passes requests on to a port of this machine, each on a connection of its own."""

    target_port: int
    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    """Every request that was read, but those for tokens."""
    release: asyncio.Event = field(default_factory=asyncio.Event)
    _faults: list[tuple[bytes, Fault]] = field(default_factory=list)
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def fail(self, fault: Fault, pattern: bytes = rb"", times: int = 1) -> None:
        """Let the next requests that hold `pattern`, in head or body, fail."""
        self._faults += [(pattern, fault)] * times

    def count(self, pattern: bytes) -> int:
        """How many requests came that hold `pattern`."""
        return sum(re.search(pattern, request) is not None for request in self.requests)

    async def start(self) -> None:
        """Listen, on the port of before if there was one."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Refuse connections, and break those that are open."""
        assert self._server is not None
        self._server.close()
        await asyncio.sleep(0)  # A connection that was just taken has its task now.
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(
                ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError
            ):
                await self._serve(reader, writer)
        finally:
            self._tasks.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._faults and self._faults[0] == (b"", Fault.CLOSED):
            self._faults.pop(0)
            return
        request = await _read_request(reader)
        is_token = request.startswith(b"POST") and b"/connect/token" in request.split(b"\r\n")[0]
        if not is_token:
            self.requests.append(request)
        fault = self._take_fault(request)
        if fault in _CANNED:
            writer.write(_CANNED[fault])
            await writer.drain()
            return
        if fault in (Fault.CLOSED, Fault.REQUEST_LOST):
            return
        answer = await self._ask_target(request)
        if fault is Fault.SLOW:
            await self.release.wait()
        if fault is Fault.ANSWER_LOST:
            return
        writer.write(answer[: len(answer) // 2] if fault is Fault.ANSWER_CUT else answer)
        await writer.drain()

    def _take_fault(self, request: bytes) -> Fault | None:
        for number, (pattern, fault) in enumerate(self._faults):
            if re.search(pattern, request):
                del self._faults[number]
                return fault
        return None

    async def _ask_target(self, request: bytes) -> bytes:
        head, _, body = request.partition(b"\r\n\r\n")
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection")]
        reader, writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        try:
            writer.write(b"\r\n".join([*lines, b"Connection: close"]) + b"\r\n\r\n" + body)
            await writer.drain()
            return await reader.read()
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def _read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    return head + await reader.readexactly(int(length[1]) if length else 0)


@contextlib.asynccontextmanager
async def fault_proxy(target_port: int) -> AsyncIterator[FaultProxy]:
    """A proxy that stops by itself."""
    proxy = FaultProxy(target_port)
    await proxy.start()
    try:
        yield proxy
    finally:
        proxy.release.set()
        await proxy.stop()
