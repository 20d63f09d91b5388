"""Sending a body that is never in memory as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from aiohttp import web
from multidict import CIMultiDict

from emvs.infra.logs import get_logger
from nmvs.rest.routes import Reply

WRITE_S_MAX: Final = 30.0
"""A reader who takes nothing for so long is cut off (our choice)."""

_log = get_logger(__name__)


async def begun(parts: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Return the same parts once the first of them is there: what it raises can still be answered
    in the caller's own way."""
    first = await anext(parts, b"")

    async def all_parts() -> AsyncGenerator[bytes, None]:
        yield first
        async for part in parts:
            yield part

    return all_parts()


async def send_stream(
    request: web.BaseRequest, reply: Reply, parts: AsyncGenerator[bytes, None]
) -> web.StreamResponse:
    """Send a reply whose body comes in parts, behind its `body`.

    Trouble before the first part is raised. Later it breaks the connection: half a document must
    not look like a whole one.
    """
    async with aclosing(parts):
        first = reply.body + await anext(parts, b"")
        headers = CIMultiDict(reply.headers)
        headers["Content-Type"] = reply.content_type
        response = web.StreamResponse(status=reply.status, headers=headers)
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
