"""Bulk work interrupted by SIGKILL, of the national system or of PostgreSQL: each pack once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest

from emvs.infra.embedded_postgres import EmbeddedPostgres
from nmvs.bulk.jobs import SLICE_COUNT_MAX
from tests.integration.nmvs.bulk_client import BulkClient, client_of
from tests.integration.processes import SystemProcess, running_process
from tests.integration.running import INTERCONNECT_TOKEN, RunningSystem

BULK_COUNT = 2_000
RECOVERY_COUNT = 250
SCHEMA = "nmvs_ie"


class Stand:
    """A national system in a process of its own, on a PostgreSQL of its own."""

    def __init__(
        self, postgres: EmbeddedPostgres, process: SystemProcess, system: RunningSystem
    ) -> None:
        self.postgres = postgres
        self.process = process
        self.system = system

    async def asked(self, sql: str) -> Any:
        """Return the first value of a query."""
        connection = await asyncpg.connect(
            self.postgres.dsn("emvs"), server_settings={"search_path": SCHEMA}
        )
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    async def done_count(self) -> int:
        """Return how many packs the audit trail says were done in bulk."""
        count: int = await self.asked("select count(*) from trail where dialect like 'rest-%'")
        return count

    async def until_done(self, count: int) -> None:
        """Return when so many packs have been done."""
        async with asyncio.timeout(60):
            while await self.done_count() < count:
                await asyncio.sleep(0.01)


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    postgres = EmbeddedPostgres(tmp_path / "postgres")
    await asyncio.to_thread(postgres.start)
    config: dict[str, Any] = {
        "market": "IE",
        "dsn": postgres.dsn("emvs"),
        "interconnect_token": INTERCONNECT_TOKEN,
        "dialects": ["rest"],
        "packs_max": 1_000_000,
        "password_hash_cost_log2": 6,
        # Slow enough to be met in the middle.
        "bulk": {"packs_at_once": 4},
    }
    async with (
        running_process("nmvs", config, tmp_path) as process,
        aiohttp.ClientSession() as http,
    ):
        yield Stand(postgres, process, RunningSystem(http, process.ready))
    await asyncio.to_thread(postgres.stop)


async def submit(stand: Stand) -> tuple[BulkClient, list[str], dict[str, list[str]]]:
    """Submit a bulk of supplies, and a recovery in which one pack is supplied, brought back and
    supplied again; return what each is to answer."""
    serials = await stand.system.load_packs(BULK_COUNT + RECOVERY_COUNT)
    client = await client_of(stand.system)
    other = await client_of(stand.system, "wholesaler", 2)
    bulk = await client.submit([client.pack(each) for each in serials[:BULK_COUNT]], "Supplied")
    replayed = [
        client.pack(serial) | {"transitionType": transition}
        for serial in serials[BULK_COUNT:]
        for transition in ("SUPPLIED", "ACTIVE", "SUPPLIED", "")
    ]
    recovery = await other.submit(replayed, path="/recovery/packs")
    expected = {
        bulk: ["11210200"] * BULK_COUNT,
        recovery: ["11210200", "11410100", "11210200", "11110201"] * RECOVERY_COUNT,
    }
    return client, [bulk, recovery], expected


async def assert_each_once(
    stand: Stand, client: BulkClient, expected: dict[str, list[str]]
) -> None:
    other = await BulkClient(
        stand.system, {"rest": {"client_id": "wholesaler2", "client_secret": "secret-wholesaler-2"}}
    ).log_in()
    await client.log_in()
    for (location, codes), owner in zip(expected.items(), (client, other), strict=True):
        assert (await owner.result(location)).codes == codes
    assert await stand.done_count() == BULK_COUNT + 4 * RECOVERY_COUNT
    ids = await stand.asked("select count(distinct transaction_id) from trail")
    assert ids == BULK_COUNT + 4 * RECOVERY_COUNT
    check = await stand.system.ask_management("/check")
    assert check["equal"], check


async def test_a_system_killed_in_the_middle_does_nothing_twice(stand: Stand) -> None:
    client, _, expected = await submit(stand)
    in_doubt = 0
    for count in (300, 1_700):
        await stand.until_done(count)
        await stand.process.kill()
        slices = await stand.asked("select count(*) from bulk_slice where results is not null")
        done = await stand.done_count()
        assert 0 <= done - slices * SLICE_COUNT_MAX <= SLICE_COUNT_MAX
        in_doubt += done - slices * SLICE_COUNT_MAX
        await stand.process.start()
    assert in_doubt > 0, "no kill met a slice in the middle"
    await assert_each_once(stand, client, expected)


async def test_packs_in_the_commit_that_postgres_dies_in_are_not_done_twice(stand: Stand) -> None:
    client, _, expected = await submit(stand)
    for count in (400, 1_600):
        await stand.until_done(count)
        await asyncio.to_thread(stand.postgres.kill)
        await asyncio.to_thread(stand.postgres.start)
        async with asyncio.timeout(30):
            while (await stand.system.ask_management("/health"))["status"] != "ok":
                await asyncio.sleep(0.02)
    await assert_each_once(stand, client, expected)
