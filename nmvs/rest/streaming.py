"""Sending a reply whose body is never in memory as a whole."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from aiohttp import web
from multidict import CIMultiDict

from nmvs.rest.routes import Reply
from nmvs.streaming import send_parts


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
    """Send a reply whose body comes in parts, behind its `body`; see `nmvs.streaming`."""
    headers = CIMultiDict(reply.headers)
    headers["Content-Type"] = reply.content_type
    return await send_parts(request, parts, status=reply.status, headers=headers, first=reply.body)
