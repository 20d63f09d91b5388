"""Sending a large body in pieces, none of which waits in memory for a slow reader."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from aiohttp import web

from emvs.infra.logs import get_logger
from nmvs.rest.routes import Reply

WRITE_S_MAX: Final = 30.0
"""A reader who takes nothing for so long is cut off (our choice)."""

_log = get_logger(__name__)


async def send_stream(
    request: web.BaseRequest, reply: Reply, pieces: AsyncGenerator[bytes, None]
) -> web.StreamResponse:
    """Send the pieces of a reply's body. What fails before the first one is raised; afterwards the
    connection breaks, so that half a body never looks like a whole one."""
    first = await anext(pieces)
    response = web.StreamResponse(
        status=reply.status, headers={**reply.headers, "Content-Type": reply.content_type}
    )
    await response.prepare(request)
    try:
        async with aclosing(pieces):
            await _write(response, first)
            async for piece in pieces:
                await _write(response, piece)
        await response.write_eof()
    except ConnectionResetError:
        raise
    except Exception as error:
        _log.exception("answer not sent", action="stream_failed", error=repr(error))
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError("the answer ends here") from error
    return response


async def _write(response: web.StreamResponse, piece: bytes) -> None:
    async with asyncio.timeout(WRITE_S_MAX):
        await response.write(piece)
