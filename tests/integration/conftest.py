"""A real PostgreSQL for each test session, a schema of its own for each test, and a real national
system listening on free ports."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from emvs.infra.embedded_postgres import EmbeddedPostgres
from nmvs.app import NationalSystem
from nmvs.config import NmvsConfig
from tests.integration.running import INTERCONNECT_TOKEN, RunningSystem

_schema_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """One server for the session."""
    with EmbeddedPostgres(tmp_path_factory.mktemp("postgres") / "data") as server:
        yield server


@pytest.fixture
def dsn(postgres: EmbeddedPostgres) -> str:
    """The server's address."""
    return postgres.dsn("emvs")


@pytest.fixture
def schema_name() -> str:
    """A schema that no other test uses."""
    return f"test_{next(_schema_numbers)}"


StartSystem = Callable[..., Any]


@pytest.fixture
async def start_system(dsn: str, schema_name: str) -> AsyncIterator[StartSystem]:
    """Start national systems: `await start_system("IE", dialects=("soap", "rest"), rules={...})`.

    All end with the test. The same market started again finds its data.
    """
    async with AsyncExitStack() as exits:
        http = await exits.enter_async_context(aiohttp.ClientSession())

        async def start(market: str = "IE", **settings: Any) -> RunningSystem:
            config = NmvsConfig(
                market=market,
                dsn=dsn,
                schema=f"{schema_name}_{market.lower()}",
                interconnect_token=INTERCONNECT_TOKEN,
                **{
                    "dialects": ("soap", "rest"),
                    "packs_max": 2_000_000,
                    "password_hash_cost_log2": 6,
                    **settings,
                },
            )
            system = await exits.enter_async_context(NationalSystem(config))
            return RunningSystem(http, system.ports)

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
