"""A bulk and a mixed bulk by SOAP, interrupted by SIGKILL: accepted is kept, each pack once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from tests.integration.nmvs.soap_bulk_client import bulk_till
from tests.integration.processes import running_process
from tests.integration.running import INTERCONNECT_TOKEN, RunningSystem

BULK_COUNT = 1_500
REPLAYED_COUNT = 200


async def test_a_system_killed_in_the_middle_does_nothing_twice(
    dsn: str, schema_name: str, tmp_path: Path
) -> None:
    config: dict[str, Any] = {
        "market": "IE",
        "dsn": dsn,
        "schema": schema_name,
        "interconnect_token": INTERCONNECT_TOKEN,
        "dialects": ["soap"],
        "packs_max": 1_000_000,
        "password_hash_cost_log2": 6,
        "bulk": {"packs_at_once": 4},  # Slow enough to be met in the middle.
    }

    async def asked(sql: str) -> Any:
        connection = await asyncpg.connect(dsn, server_settings={"search_path": schema_name})
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    async with (
        running_process("nmvs", config, tmp_path) as process,
        aiohttp.ClientSession() as http,
    ):
        running = RunningSystem(http, process.ready)
        till, other = await bulk_till(running), await bulk_till(running, "wholesaler", 2)
        serials = await running.load_packs(BULK_COUNT + REPLAYED_COUNT)
        bulk = await till.submit(till.bulk("G125", serials[:BULK_COUNT]))
        mixed = await other.submit(
            other.mixed(
                [
                    other.item(req_type, serial)
                    for serial in serials[BULK_COUNT:]
                    for req_type in ("G120", "G121", "G120")
                ]
            )
        )
        for count in (200, 1_200):
            async with asyncio.timeout(60):
                while await asked("select count(*) from trail") < count:
                    await asyncio.sleep(0.01)
            await process.kill()
            await process.start()
        assert await till.tickets() == {
            "BulkTransactionList": [bulk],
            "MixedBulkTransactionList": [],
        }
        # A supply that was done twice would be a repeat.
        assert (await till.result(bulk)).codes == ["SUCCESS"] * BULK_COUNT
        assert (await other.result(mixed, "G196")).codes == ["SUCCESS"] * 3 * REPLAYED_COUNT
        entries = BULK_COUNT + 3 * REPLAYED_COUNT
        assert await asked("select count(*) from trail") == entries
        assert await asked("select count(distinct transaction_id) from trail") == entries
