"""Bodies are in memory in a bounded number; those beyond wait, and are refused in time."""

from __future__ import annotations

import asyncio
import io

import aiohttp
import pytest
from aiohttp import web

from emvs.infra.web import render_errors, serve_app
from hub.config import LimitsConfig
from hub.upload_room import SMALL_BODY_BYTES_MAX, UploadRoom

SMALL, LARGE = b" " * 1_000, b" " * (SMALL_BODY_BYTES_MAX + 1)


@pytest.mark.parametrize(
    ("body", "other"), [(SMALL, LARGE), (LARGE, SMALL)], ids=["small", "large"]
)
async def test_a_body_that_finds_no_room_is_refused_in_time(
    http: aiohttp.ClientSession, body: bytes, other: bytes
) -> None:
    limits = LimitsConfig(
        uploads_in_memory_max=1, small_uploads_in_memory_max=1, body_read_s_max=0.2
    )
    room = UploadRoom(limits)
    inside: asyncio.Queue[int] = asyncio.Queue()
    may_leave = asyncio.Event()

    async def upload(request: web.Request) -> web.Response:
        async with room.place(request):
            inside.put_nowait(len(await request.read()))
            await may_leave.wait()
            return web.Response(status=202)

    app = web.Application(middlewares=[render_errors], client_max_size=1 << 22)
    app.router.add_post("/", upload)
    site = await serve_app(app, "127.0.0.1", 0)

    async def post(sent: bytes) -> tuple[int, str, bool]:
        async with http.post(f"http://127.0.0.1:{site.port}/", data=io.BytesIO(sent)) as answer:
            return answer.status, await answer.text(), "Retry-After" in answer.headers

    async with asyncio.timeout(20):
        first = asyncio.create_task(post(body))
        assert await inside.get() == len(body)
        status, text, is_told_when = await post(body)
        assert (status, "too many uploads" in text, is_told_when) == (503, True, True)
        beside = asyncio.create_task(post(other))
        assert await inside.get() == len(other)  # Small and large ones do not wait for each other.
        may_leave.set()
        assert [(await first)[0], (await beside)[0], (await post(body))[0]] == [202] * 3
    await site.close()
