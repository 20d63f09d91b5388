"""Room in memory for bodies of messages: how many are read and taken apart at one time.

A JSON message of 250,000 serial numbers of 20 characters takes some 30 MB while it is here, one of
32 MiB some 50 MB (`tests/integration/hub/test_hub_memory_bench.py`): one is decoded at a time, the
others lie here as bytes. Lines (NDJSON, CSV) take less.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from emvs.errors import OverloadedError
from hub.config import LimitsConfig

SMALL_BODY_BYTES_MAX: Final = 1024 * 1024
"""Bodies up to this size do not wait behind larger ones."""
_RETRY_AFTER_S: Final = 2


class UploadRoom:
    """Bodies wait for a place; those that wait too long are refused before a byte is read."""

    def __init__(self, limits: LimitsConfig) -> None:
        self._wait_s_max = limits.body_read_s_max
        self._large = asyncio.Semaphore(limits.uploads_in_memory_max)
        self._small = asyncio.Semaphore(limits.small_uploads_in_memory_max)

    @asynccontextmanager
    async def place(self, request: web.Request) -> AsyncIterator[None]:
        """Hold a place for a request's body. Raises OverloadedError if none is free in time."""
        places = self._small if _is_small(request) else self._large
        try:
            async with asyncio.timeout(self._wait_s_max):
                await places.acquire()
        except TimeoutError as error:
            raise OverloadedError(
                "too many uploads come at once; nothing was stored", retry_after_s=_RETRY_AFTER_S
            ) from error
        try:
            yield
        finally:
            places.release()


def _is_small(request: web.Request) -> bool:
    length = request.content_length
    plain = "Content-Encoding" not in request.headers
    return plain and length is not None and length <= SMALL_BODY_BYTES_MAX
