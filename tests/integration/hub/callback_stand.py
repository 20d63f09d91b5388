"""Who is called back: an endpoint at the other end of the wire, and a parallel distributor."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

import aiohttp
from aiohttp import web

from emvs.infra.loopback_ports import free_port
from tests.integration.hub.stand import Obp, Stand, packs, product, register

DISTRIBUTOR_TOKEN = "token-of-the-distributor-1"
DISTRIBUTOR = "30003"
OUR_CODE = "09506000134352"
SECRET = "secret-of-the-endpoint"
ARRIVE_S_MAX = 20.0


class Called(NamedTuple):
    """One call as it came."""

    path: str
    headers: dict[str, str]
    body: bytes


class Endpoint:
    """A real HTTP server that answers as it is told, and keeps what came."""

    def __init__(self) -> None:
        # Outside the range of outgoing connections: it is taken again after a stop.
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/emvs"
        self.calls: list[Called] = []
        self.answers: list[str] = []
        """Taken from the front, one for each call: an HTTP status, hang, redirect, flood, drop."""
        self._came = asyncio.Event()
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen."""
        app = web.Application()
        app.router.add_post("/{path:.*}", self._called)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()

    async def stop(self) -> None:
        """Refuse connections."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def until_called(self, count: int) -> list[Called]:
        """Return the first so many calls once they have come."""
        async with asyncio.timeout(ARRIVE_S_MAX):
            while len(self.calls) < count:
                self._came.clear()
                await self._came.wait()
        return self.calls[:count]

    async def _called(self, request: web.Request) -> web.StreamResponse:
        headers = dict(request.headers)
        self.calls.append(Called(request.path, headers, await request.read()))
        self._came.set()
        answer = self.answers.pop(0) if self.answers else "204"
        if answer == "hang":
            await asyncio.sleep(30)
        if answer == "redirect":
            raise web.HTTPTemporaryRedirect("/elsewhere")
        if answer == "flood":
            return await self._flood(request)
        if answer == "drop":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return web.Response(status=int(answer), text="told to" if answer != "204" else None)

    async def _flood(self, request: web.Request) -> web.StreamResponse:
        """Refuse with a body that does not end."""
        response = web.StreamResponse(status=500)
        await response.prepare(request)
        try:
            while True:
                await response.write(b"no " * 10_000)
        except (ConnectionError, aiohttp.ClientConnectionResetError):
            return response


async def distributor(stand: Stand, **changes: str) -> Obp:
    """Register a parallel distributor and return its client."""
    members = {
        "organisationId": DISTRIBUTOR,
        "name": "Example Parallel Trade",
        "kind": "parallel_distributor",
        "token": DISTRIBUTOR_TOKEN,
    } | changes
    token = await register(stand.http, stand.hub.management, **members)
    return Obp(
        stand.hub.url,
        stand.http,
        organisation_id=members["organisationId"],
        token=token,
        actor="D" if members["kind"] == "parallel_distributor" else "M",
    )


async def target_batch(who: Obp, *serials: str, batch_id: str = "T1") -> None:
    """Upload a distributor's product and a batch of it."""
    ended = await who.ended(await who.send("PMDR", **product("IE", code=OUR_CODE)))
    assert ended["status"] == "STDS", ended
    message = packs(list(serials), productCode=OUR_CODE, batchId=batch_id)
    assert (await who.ended(await who.send("PPDC", **message)))["status"] == "STDS"


async def call(who: Obp, method: str, path: str, **message: Any) -> tuple[int, Any]:
    """Make any other request of a client's."""
    async with who.http.request(
        method,
        f"{who.url}/obp/v1/{path}",
        json=message or None,
        headers={"Authorization": f"Bearer {who.token}"},
    ) as response:
        return response.status, await response.json(content_type=None)


async def subscribe(who: Obp, url: str, **more: str) -> dict[str, Any]:
    """Register an endpoint."""
    message = {"transactionId": who.transaction_id("SBPS"), "url": url, "secret": SECRET} | more
    status, answer = await call(who, "POST", "SBPS", **message)
    assert status == 201, answer
    told: dict[str, Any] = answer
    return told


async def notices(who: Obp, **query: str) -> list[dict[str, Any]]:
    """Return all notices of an organisation, read in pages."""
    found: list[dict[str, Any]] = []
    after, has_more = "0", True
    while has_more:
        status, page = await who.get("notices", after=after, limit="7", **query)
        assert status == 200, page
        found += page["notices"]
        after, has_more = page["next"], page["hasMore"]
    return found


async def until_notice(who: Obp, *, status: str, **query: str) -> dict[str, Any]:
    """Return the newest notice once it has this status and at least one attempt."""
    async with asyncio.timeout(ARRIVE_S_MAX):
        while True:
            found = await notices(who, **query)
            if found and found[-1]["delivery"]["status"] == status:
                return found[-1]
            await asyncio.sleep(0.02)
