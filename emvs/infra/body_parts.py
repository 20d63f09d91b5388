"""A body read part by part, for messages that are worked on while they arrive."""

from __future__ import annotations

import asyncio

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from emvs.errors import BadRequestError, TooLargeError
from emvs.infra.web import SlowSenderError, let_sender_continue


class BodyParts:
    """The body of one request, decompressed."""

    def __init__(self, request: web.BaseRequest, *, bytes_max: int, wait_s_max: float) -> None:
        self._request = request
        self._bytes_max = bytes_max
        self._wait_s_left = wait_s_max
        self._bytes = 0
        self._is_begun = False

    def allow(self, *, bytes_max: int, wait_s_max: float) -> None:
        """Take a larger body than was agreed to first, and wait for it as long as this from now
        on."""
        self._bytes_max = bytes_max
        self._wait_s_left = wait_s_max

    async def read(self) -> bytes:
        """Return the next part; nothing at the end. Only the time that is spent here counts.

        Raises TooLargeError, SlowSenderError, BadRequestError and ConnectionResetError as
        `emvs.infra.web.read_body` does.
        """
        request = self._request
        if not self._is_begun:
            self._is_begun = True
            await let_sender_continue(request)
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        try:
            async with asyncio.timeout(self._wait_s_left):
                part = await request.content.readany()
        except TimeoutError as error:
            raise SlowSenderError("the body did not arrive in time") from error
        except (web.RequestPayloadError, HttpProcessingError) as error:
            raise BadRequestError("the body ends early or its compression is broken") from error
        self._wait_s_left -= loop.time() - began_s
        self._bytes += len(part)
        if self._bytes > self._bytes_max:
            raise TooLargeError(f"the body has more than {self._bytes_max} bytes")
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
