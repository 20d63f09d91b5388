"""What every system's management port answers: health, metrics and the clock.

Loopback by default. The clock can only be moved forward: time that has been told is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec
from aiohttp import web
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from emvs.errors import BadRequestError
from emvs.infra.clock import MovableClock
from emvs.infra.web import decode_body, json_response, read_body
from emvs.limits import CLOCK_ADVANCE_S_MAX

Health = Callable[[], Awaitable[dict[str, Any]]]
_MANAGEMENT_BODY_BYTES_MAX = 1 << 20
_MANAGEMENT_BODY_S_MAX = 10.0


class ClockAdvance(msgspec.Struct, forbid_unknown_fields=True):
    """Body of `POST /clock`."""

    advance_s: int


async def read_message(request: web.Request, kind: type[Any]) -> Any:
    """Return the JSON message in a management request's body."""
    body = await read_body(
        request, bytes_max=_MANAGEMENT_BODY_BYTES_MAX, timeout_s=_MANAGEMENT_BODY_S_MAX
    )
    return decode_body(body, kind)


def add_common_routes(
    app: web.Application,
    *,
    clock: MovableClock,
    health: Health,
    move_clock: Callable[[int], Awaitable[None]],
    collectors: Iterable[Collector] = (),
) -> None:
    """Add `GET /health`, `GET /ready`, `GET /metrics`, `GET /clock` and `POST /clock`.

    `health` returns the members to show, "status" being "ok" or the reason why not (HTTP 503).
    `move_clock` prepares for the new time, makes the offset durable, then advances the clock and
    does what is due: if the database is away, the clock has not moved.
    """
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    for collector in collectors:
        registry.register(collector)

    moving = asyncio.Lock()

    async def get_health(_: web.Request) -> web.Response:
        members = await health()
        return json_response(members, status=200 if members["status"] == "ok" else 503)

    async def get_metrics(_: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    async def get_clock(_: web.Request) -> web.Response:
        return json_response(_clock_members(clock))

    async def post_clock(request: web.Request) -> web.Response:
        message: ClockAdvance = await read_message(request, ClockAdvance)
        if not 0 <= message.advance_s <= CLOCK_ADVANCE_S_MAX:
            raise BadRequestError(
                f"advance_s is from 0 to {CLOCK_ADVANCE_S_MAX} seconds: the clock only goes forward"
            )
        async with moving:
            await move_clock(message.advance_s)
        return json_response(_clock_members(clock))

    app.router.add_get("/health", get_health)
    app.router.add_get("/ready", get_health)
    app.router.add_get("/metrics", get_metrics)
    app.router.add_get("/clock", get_clock)
    app.router.add_post("/clock", post_clock)


def add_waiting_routes(app: web.Application, members: Callable[[], dict[str, Any]]) -> None:
    """Add `GET /health` and `GET /ready` of a system that is starting: 503 with how far it is."""

    async def get_health(_: web.Request) -> web.Response:
        return json_response(members(), status=503)

    app.router.add_get("/health", get_health)
    app.router.add_get("/ready", get_health)


def _clock_members(clock: MovableClock) -> dict[str, Any]:
    now = clock.now()
    return {"now": now.isoformat(timespec="milliseconds"), "offset_s": clock.offset_s}
