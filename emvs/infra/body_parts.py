"""A body read part by part: whoever reads one, whole or while it arrives, reads it so."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from emvs.errors import BadRequestError, EmvsError, TooLargeError, UnsupportedMediaError
from emvs.infra.unpacking import Unpacker

_PAUSE_S_MAX: Final = 0.05


class SlowSenderError(EmvsError):
    """The body did not arrive in time."""

    http_status = 408
    title = "Body too slow"


BODY_TROUBLE: Final = (TooLargeError, SlowSenderError, BadRequestError, UnsupportedMediaError)
"""Why a body is not read, whatever was in it."""


def coding_of(request: web.BaseRequest) -> str:
    """Return how the body of a request is packed; nothing if it comes as it is."""
    coding = request.headers.get(hdrs.CONTENT_ENCODING)
    if coding is None:
        return ""
    coding = coding.strip().lower()
    return "" if coding == "identity" else coding


class BodyParts:
    """The body of one request, unpacked."""

    def __init__(self, request: web.BaseRequest, *, bytes_max: int, wait_s_max: float) -> None:
        """Raises UnsupportedMediaError if it is packed in a way that is not read here."""
        self._request = request
        self._bytes_max = bytes_max
        self._wait_s_max = self._wait_s_left = wait_s_max
        self._bytes = 0
        self._is_begun = False
        coding = coding_of(request)
        self._unpacker = Unpacker(coding) if coding else None
        self._pause_s = 0.0

    def allow(self, *, bytes_max: int, wait_s_max: float) -> None:
        """Take a larger body than was agreed to first, and wait for it as long as this from now
        on."""
        self._bytes_max = bytes_max
        self._wait_s_max = self._wait_s_left = wait_s_max

    async def read(self) -> bytes:
        """Return the next part; nothing at the end. Only the time counts in which nothing comes.

        Raises TooLargeError, SlowSenderError, BadRequestError and ConnectionResetError as
        `emvs.infra.web.read_body` does.
        """
        if not self._is_begun:
            self._is_begun = True
            await _let_sender_continue(self._request)
        await asyncio.sleep(self._pause_s)
        part = await self._arrived() if self._unpacker is None else await self._next(self._unpacker)
        self._bytes += len(part)
        if self._bytes > self._bytes_max:
            raise TooLargeError(f"the body has more than {self._bytes_max} bytes")
        return part

    async def _next(self, unpacker: Unpacker) -> bytes:
        loop = asyncio.get_running_loop()
        while True:
            began_s = loop.time()
            piece = unpacker.take()
            # There is always more of a body that unpacks to a thousand times its size: others get
            # as much time as that takes.
            self._pause_s = min(loop.time() - began_s, _PAUSE_S_MAX)
            if piece:
                return piece
            packed = await self._arrived()
            if not packed:
                unpacker.finish()
                return b""
            unpacker.put(packed)

    async def _arrived(self) -> bytes:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        try:
            async with asyncio.timeout(self._wait_s_left):
                part = await self._request.content.readany()
        except TimeoutError as error:
            text = f"the body did not arrive within {self._wait_s_max:g} s"
            raise SlowSenderError(text) from error
        except (web.RequestPayloadError, HttpProcessingError) as error:
            raise BadRequestError("the body ends early") from error
        self._wait_s_left -= loop.time() - began_s
        return part

    async def read_beginning(self, byte_count: int) -> tuple[bytes, bool]:
        """Return the body if it has at most so many bytes, else somewhat more of it; and whether
        that is all."""
        parts: list[bytes] = []
        size = 0
        while size <= byte_count:
            part = await self.read()
            if not part:
                return b"".join(parts), True
            parts.append(part)
            size += len(part)
        return b"".join(parts), False


async def _let_sender_continue(request: web.BaseRequest) -> None:
    """Answer `Expect: 100-continue`, which .NET clients send: without it they wait before the
    body. An application's router has answered it already."""
    if isinstance(request, web.Request) or request.version != HttpVersion11:
        return
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # The answer proper has not begun.
