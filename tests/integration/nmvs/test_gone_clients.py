"""Clients that go in the middle of a request leave nothing in the log."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp

from tests.integration.nmvs.soap_raw_client import PATH
from tests.integration.processes import running_process
from tests.integration.running import INTERCONNECT_TOKEN

GONE = 30


async def test_clients_that_hang_up_are_no_errors_of_ours(
    dsn: str, schema_name: str, tmp_path: Path
) -> None:
    config = {
        "market": "FI",
        "dsn": dsn,
        "schema": schema_name,
        "interconnect_token": INTERCONNECT_TOKEN,
        "dialects": ["soap", "rest"],
        "packs_max": 1_000,
        "password_hash_cost_log2": 6,
    }
    async with (
        running_process("nmvs", config, tmp_path) as process,
        aiohttp.ClientSession() as http,
    ):
        port = process.ready["service"]
        base = f"http://127.0.0.1:{port}"
        for path in (PATH, "/connect/token"):
            for number in range(GONE):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n<a"
                writer.write(head.encode())
                await writer.drain()
                if number % 2:
                    writer.transport.abort()
                else:
                    writer.close()
                    await writer.wait_closed()
        async with http.post(f"{base}{PATH}", data=b"<a") as response:
            assert b"TE_XM_01" in await response.read(), "it serves on"
        assert await process.stop() == 0
    assert "Error handling request" not in process.log
    assert "Traceback" not in process.log
