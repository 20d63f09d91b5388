"""Sending a body that is never in memory as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Final

from aiohttp import web

from emvs.infra.logs import get_logger

WRITE_S_MAX: Final = 30.0
"""A reader who takes nothing for so long is cut off (our choice)."""

_log = get_logger(__name__)


async def send_parts(
    request: web.BaseRequest,
    parts: AsyncGenerator[bytes, None],
    *,
    status: int,
    headers: Mapping[str, str],
    first: bytes = b"",
    begin_s_max: float | None = None,
) -> web.StreamResponse:
    """Send a body that comes in parts, behind `first`.

    Trouble before the first part is raised, TimeoutError if that does not come in `begin_s_max`
    seconds. Later it breaks the connection: half a document must not look like a whole one.
    """
    async with aclosing(parts):
        async with asyncio.timeout(begin_s_max):
            first += await anext(parts, b"")
        response = web.StreamResponse(status=status, headers=headers)
        await response.prepare(request)
        try:
            await _write(response, first)
            async for part in parts:
                await _write(response, part)
            await response.write_eof()
        except ConnectionError:
            pass  # The reader has gone.
        except Exception:  # noqa: BLE001 - the reader learns it from the broken connection.
            _log.exception("document not sent", action="document_not_sent")
            if request.transport is not None:
                request.transport.abort()
        return response


async def _write(response: web.StreamResponse, part: bytes) -> None:
    if part:
        async with asyncio.timeout(WRITE_S_MAX):
            await response.write(part)
