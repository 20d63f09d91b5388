"""A hub on a real PostgreSQL, national systems at its wires, and a manufacturer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

from hub.app import Hub
from hub.config import HubConfig, LimitsConfig
from tests.integration.hub.national_wire import NationalWire
from tests.integration.hub.stand import Obp, Stand, StartStand, hub_settings, register


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """The manufacturer's and the tester's HTTP client."""
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def start_wires() -> AsyncIterator[Callable[..., Awaitable[dict[str, NationalWire]]]]:
    """Start national systems by their codes."""
    started: list[NationalWire] = []

    async def start(*codes: str) -> dict[str, NationalWire]:
        for code in codes:
            wire = NationalWire(code)
            await wire.start()
            started.append(wire)
        return {wire.code: wire for wire in started}

    yield start
    for wire in started:
        wire.open_gate.set()
        await wire.stop()


@pytest.fixture
async def start_stand(
    dsn: str,
    schema_name: str,
    http: aiohttp.ClientSession,
    start_wires: Callable[..., Awaitable[dict[str, NationalWire]]],
) -> AsyncIterator[StartStand]:
    """Start a hub: `await start_stand("IE", "DE", limits={...})`."""
    async with AsyncExitStack() as exits:

        async def start(*codes: str, limits: dict[str, Any] | None = None, **more: Any) -> Stand:
            wires = await start_wires(*codes)
            settings = hub_settings(dsn, schema_name, wires) | more
            config = HubConfig(**settings, limits=LimitsConfig(**(limits or {})))
            hub = await exits.enter_async_context(Hub(config))
            await register(http, hub.management)
            return Stand(hub, wires, Obp(hub.url, http), http)

        yield start
