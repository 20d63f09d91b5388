"""The other end of a wire: a socket that answers with literal bytes and keeps what it was sent."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

Answer = bytes | Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def http(status: int, body: bytes, content_type: str = "application/json", *headers: str) -> bytes:
    """Return an HTTP/1.1 response."""
    lines = [
        f"HTTP/1.1 {status} Word",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


TOKEN = http(200, b'{"access_token":"eyJ.t","expires_in":32767,"token_type":"Bearer"}')


@dataclass
class Wire:
    """What was received, and what is answered: the list in turn, its last entry for ever."""

    port: int = 0
    answers: list[Answer] = field(default_factory=list)
    received: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Address of the socket."""
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer requests until the connection ends."""
        # The far end may vanish at any moment: that is what some of the tests are about.
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = 0
                for line in head.lower().split(b"\r\n"):
                    if line.startswith(b"content-length:"):
                        length = int(line.partition(b":")[2])
                self.received.append(head + await reader.readexactly(length))
                if head.startswith(b"POST /connect/token"):
                    answer: Answer = TOKEN
                else:
                    answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if not isinstance(answer, bytes):
                    await answer(reader, writer)
                    return
                writer.write(answer)
                await writer.drain()


@contextlib.asynccontextmanager
async def open_wire(*answers: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[Wire]:
    """Listen on a free port; every connection is closed at the end."""
    wire = Wire(answers=list(answers))
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            # Cancelled at the end of the test, and nothing to be reported of that.
            with contextlib.suppress(asyncio.CancelledError):
                await wire.serve(reader, writer)
        finally:
            tasks.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    wire.port = server.sockets[0].getsockname()[1]
    try:
        yield wire
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
