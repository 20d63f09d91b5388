"""A client that sends exactly the bytes it is told to: no library tidies up a path or a header."""

from __future__ import annotations

import asyncio
import json
from types import TracebackType
from typing import Any, NamedTuple


class RawAnswer(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def members(self) -> dict[str, Any]:
        """The body's JSON object."""
        content = json.loads(self.body)
        assert isinstance(content, dict)
        return content

    @property
    def code(self) -> str:
        """The operation code; it is always there, and a string."""
        code = self.members["operationCode"]
        assert isinstance(code, str)
        assert self.headers["content-type"] == "application/json"
        assert ("information" in self.members) != ("warning" in self.members)
        return code


class RawConnection:
    """One connection. `async with RawConnection(port) as connection: await connection.ask(...)`."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def __aenter__(self) -> RawConnection:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.writer.close()
        await asyncio.gather(self.writer.wait_closed(), return_exceptions=True)

    async def ask(
        self, method: str, target: str, *headers: str, body: bytes | None = None
    ) -> RawAnswer:
        """Send a request with these header lines, return the answer."""
        lines = [f"{method} {target} HTTP/1.1", "Host: test", *headers]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        return await self.send(head + (body or b""))

    async def send(self, request: bytes) -> RawAnswer:
        """Send bytes, return the answer."""
        self.writer.write(request)
        await self.writer.drain()
        return await self.read()

    async def read(self) -> RawAnswer:
        """Return the next answer."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status_line, *lines = head.rstrip("\r\n").split("\r\n")
        pairs = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return RawAnswer(int(status_line.split()[1]), headers, body)
