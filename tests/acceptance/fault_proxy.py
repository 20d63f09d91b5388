"""Between a client and a server over TCP: counts requests, and loses answers on purpose."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import ClientSession, ClientTimeout, web

Fault = Callable[[web.Request, int], Awaitable[web.Response | None]]
"""What happens to a request after the server has answered it: None lets the answer through; the
number counts requests of the same path, from 1."""


class FaultProxy:
    """Passes requests on, each whole; `async with` starts and stops it on a free port."""

    def __init__(self, target: str) -> None:
        self._target = target
        self.fault: Fault | None = None
        self.seen: list[str] = []
        """Method and path of every request."""
        self.port = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> FaultProxy:
        self._session = ClientSession(auto_decompress=False, timeout=ClientTimeout(total=60))
        app = web.Application(client_max_size=1 << 28)
        app.router.add_route("*", "/{path:.*}", self._pass_on)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        await self._session.close()
        await asyncio.sleep(0)

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        name = f"{request.method} {request.path}"
        self.seen.append(name)
        headers = {
            key: value
            for key, value in request.headers.items()
            if key.lower() in {"authorization", "content-type"}
        }
        async with self._session.request(
            request.method,
            f"{self._target}{request.path_qs}",
            data=await request.read(),  # Unpacked: the server of the tests did it.
            headers=headers,
        ) as answer:
            body = await answer.read()
            kept = {name: answer.headers[name] for name in ("Location",) if name in answer.headers}
        if self.fault is not None:
            instead = await self.fault(request, self.seen.count(name))
            if instead is not None:
                return instead
        return web.Response(
            status=answer.status, body=body, content_type="application/json", headers=kept
        )
