"""One hub for each schema, and a clock that moves only if that is durable."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from emvs.errors import ConfigurationError
from hub.app import Hub
from hub.config import HubConfig, LimitsConfig
from tests.integration.hub.stand import Stand, StartStand

LOCK_KEYS = "7165004, hashtext($1)"
OWNER = (
    "select pid from pg_locks where locktype = 'advisory' and classid = 7165004 and granted"
    " and objid::bigint = hashtext($1)::bigint & 4294967295"
)


@pytest.fixture
async def tester(dsn: str) -> AsyncIterator[Any]:
    """A session of somebody else's."""
    connection: Any = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


def second_hub(stand: Stand, *, wait_s: float) -> Hub:
    config = stand.hub.config
    return Hub(
        HubConfig(dsn=config.dsn, schema=config.schema, limits=LimitsConfig(ownership_s_max=wait_s))
    )


async def test_a_second_hub_on_a_schema_waits_and_is_refused(start_stand: StartStand) -> None:
    stand = await start_stand("IE")
    with pytest.raises(ConfigurationError, match=f"serves schema {stand.hub.config.schema}"):
        async with second_hub(stand, wait_s=0.1):
            pass
    waiting = asyncio.create_task(second_hub(stand, wait_s=10).__aenter__())
    assert (await stand.obp.product("IE"))["status"] == "STDS"
    assert not waiting.done()
    await stand.hub.__aexit__()
    async with asyncio.timeout(5):
        successor = await waiting
    await successor.__aexit__()


async def test_the_lock_is_taken_again_when_its_session_has_ended(
    start_stand: StartStand, tester: Any
) -> None:
    stand = await start_stand("IE")
    schema = stand.hub.config.schema
    first = await tester.fetchval(OWNER, schema)
    assert await tester.fetchval("select pg_terminate_backend($1)", first)
    async with asyncio.timeout(10):
        while await tester.fetchval(OWNER, schema) in {first, None}:
            await asyncio.sleep(0.01)
        assert (await stand.obp.product("IE"))["status"] == "STDS"
    assert stand.hub.ownership.is_held
    assert not await tester.fetchval(f"select pg_try_advisory_lock({LOCK_KEYS})", schema)
    assert (await stand.manage("GET", "/health"))[1]["status"] == "ok"


async def test_a_hub_whose_schema_was_taken_over_stops(
    start_stand: StartStand, dsn: str, tester: Any
) -> None:
    stand = await start_stand("IE", limits={"ownership_s_max": 0.2})
    schema = stand.hub.config.schema
    other: Any = await asyncpg.connect(dsn)
    takeover = asyncio.create_task(
        other.execute(f"select pg_advisory_lock(7165004, hashtext('{schema}'))")
    )
    async with asyncio.timeout(10):
        while not await tester.fetchval("select count(*) from pg_locks where not granted"):
            await asyncio.sleep(0.01)
        owner = await tester.fetchval(OWNER, schema)
        assert await tester.fetchval("select pg_terminate_backend($1)", owner)
        await takeover
        await stand.hub.broken.wait()
    assert isinstance(stand.hub.failure, ConfigurationError)
    assert (await stand.manage("GET", "/health"))[0] == 503
    sent = await stand.obp.send("PMDR")
    for _ in range(20):  # Its loading was rung for; without the lock it does not begin.
        assert (await stand.obp.get(f"requests/{sent}"))[1]["status"] == "Accepted"
    await other.close()


async def test_a_clock_whose_time_cannot_be_stored_stays(start_stand: StartStand) -> None:
    stand = await start_stand("IE")
    await stand.hub.database.pool.close()
    status, problem = await stand.manage("POST", "/clock", advance_s=3_600)
    assert (status, problem["title"]) == (503, "Not available")
    assert (await stand.manage("GET", "/clock"))[1]["offset_s"] == 0
