"""A real national system listening on free ports, in a schema of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from nmvs.app import NationalSystem
from nmvs.config import NmvsConfig
from tests.integration.running import INTERCONNECT_TOKEN, RunningSystem

StartSystem = Callable[..., Any]


def config_of(dsn: str, schema: str, market: str, settings: Mapping[str, Any]) -> NmvsConfig:
    """Return the configuration of a system for tests."""
    return NmvsConfig(
        market=market,
        dsn=dsn,
        schema=schema,
        interconnect_token=INTERCONNECT_TOKEN,
        **{
            "dialects": ("soap", "rest"),
            "packs_max": 2_000_000,
            "password_hash_cost_log2": 6,
            "ownership_s_max": 0.3,
            **settings,
        },
    )


@asynccontextmanager
async def shared_system(
    dsn: str, schema: str, market: str = "IE", **settings: Any
) -> AsyncIterator[RunningSystem]:
    """Run one system for the tests of a module: each takes participants and a product of its own
    (`dataclasses.replace`)."""
    config = config_of(dsn, schema, market, settings)
    async with aiohttp.ClientSession() as http, NationalSystem(config) as system:
        yield RunningSystem(http, system.ports)


@pytest.fixture
async def start_system(dsn: str, schema_name: str) -> AsyncIterator[StartSystem]:
    """Start national systems: `await start_system("IE", dialects=("soap", "rest"), rules={...})`.

    All end with the test. The same market started again finds its data.
    """
    async with AsyncExitStack() as exits:
        http = await exits.enter_async_context(aiohttp.ClientSession())

        async def start(market: str = "IE", **settings: Any) -> RunningSystem:
            config = config_of(dsn, f"{schema_name}_{market.lower()}", market, settings)
            system = await exits.enter_async_context(NationalSystem(config))

            async def stop() -> None:
                await system.__aexit__(None, None, None)

            return RunningSystem(http, system.ports, stop=stop)

        yield start


@pytest.fixture
async def national_system(start_system: StartSystem) -> RunningSystem:
    """A national system that speaks both dialects, without packs or participants."""
    running: RunningSystem = await start_system("IE")
    return running


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """An empty folder."""
    return tmp_path / "data"
