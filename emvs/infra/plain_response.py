"""Complete answers that leave in one piece, their head put together as text.

For the answers of a hot path: aiohttp makes a dictionary of headers for each answer, fills it in
and writes it out again, which takes longer than all else that happens to an answer. What is sent is
the same. An answer to HTTP/1.0, to HEAD, or one that ends its connection goes aiohttp's way.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import SERVER_SOFTWARE
from multidict import CIMultiDict


class Head:
    """The part of an answer's head that does not change: status line and headers."""

    __slots__ = ("headers", "status", "text")

    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        self.status = status
        self.headers: Final = CIMultiDict(headers)
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.text = "\r\n".join([*lines, f"Server: {SERVER_SOFTWARE}", "Content-Length: "])


class PlainResponse(web.Response):
    """An answer of which nothing is changed any more."""

    _is_sent = False

    def __init__(self, head: Head, body: bytes) -> None:
        # What the base class sets up is needed only by answers that go its way.
        self._head = head
        self._content = body

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send everything. Raises ConnectionResetError if the client has gone."""
        if (
            request.version != HttpVersion11
            or not request.keep_alive
            or self._keep_alive is False
            or request.method == "HEAD"
        ):
            return await self._prepare_as_usual(request)
        content = self._content
        head = f"{self._head.text}{len(content)}\r\nDate: {rfc822_formatted_time()}\r\n\r\n"
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client has gone")
        self._is_sent = True
        self._keep_alive = True
        transport.write(head.encode("latin-1") + content)
        if transport.get_write_buffer_size():  # Whoever does not read must not be written to.
            await request.writer.drain()
        return request.writer

    async def _prepare_as_usual(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        keep_alive = self._keep_alive
        super().__init__(status=self._head.status, headers=self._head.headers, body=self._content)
        self._keep_alive = keep_alive
        return await super().prepare(request)

    async def write_eof(self, data: bytes = b"") -> None:
        """End the answer; what was sent in one piece has ended."""
        if not self._is_sent:
            await super().write_eof(data)
