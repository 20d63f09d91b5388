"""A million products downloaded without filling memory: `pytest -m bench -s`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest

from tests.integration.nmvs.soap_account_client import User
from tests.integration.nmvs.test_soap_data import MASTER
from tests.integration.processes import running_process
from tests.integration.running import INTERCONNECT_TOKEN, RunningSystem

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]
PRODUCTS = 1_000_000
PAGE = 100_000
GROWTH_MB_MAX = 64
_INSERT = """
insert into product (product_code, scheme, version, name, common_name, national_code, holder_id,
  holder_name, wholesalers)
select lpad(n::text, 14, '0'), 'GTIN', 1, 'Examplol ' || n || ' mg', 'examplol', '1234567', 'MAH1',
  'Holder', '[{"name": "Big", "id": "W1", "street": "Road 1", "city": "Cork", "country": "IE"},
  {"name": "Small", "city": "Galway"}]'
from generate_series(1, $1::integer) n
"""


def resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / 1e6


async def test_a_million_products_pass_through(dsn: str, schema_name: str, tmp_path: Path) -> None:
    config: dict[str, Any] = {
        "market": "AT",
        "dsn": dsn,
        "schema": schema_name,
        "interconnect_token": INTERCONNECT_TOKEN,
        "password_hash_cost_log2": 6,
        "log_level": "warning",
        "soap": {"master_data_page_products": PAGE},
    }
    async with running_process("nmvs", config, tmp_path):
        connection = await asyncpg.connect(dsn, server_settings={"search_path": schema_name})
        await connection.execute(_INSERT, PRODUCTS, timeout=300)
        await connection.close()
    async with (
        running_process("nmvs", config, tmp_path) as process,
        aiohttp.ClientSession() as http,
    ):
        running = RunningSystem(http, process.ready)
        await running.register("pharmacy", 1)
        user, before_mb = User(running), resident_mb(process.ready["pid"])
        size = products = 0
        peak_mb, started_s = before_mb, time.perf_counter()
        for page in range(1, PRODUCTS // PAGE + 1):
            body = f"<t:Body><t:ProductCodeList/><t:PageNumber>{page}</t:PageNumber></t:Body>"
            message = user.message("G201", body)
            async with http.post(f"{running.service}{MASTER}", data=message) as response:
                rest = b""
                async for part in response.content.iter_chunked(1 << 16):
                    size += len(part)
                    whole = rest + part
                    products += whole.count(b"</ns1:Product>")
                    rest = whole[-13:]
                    peak_mb = max(peak_mb, resident_mb(process.ready["pid"]))
        seconds = time.perf_counter() - started_s
        print(  # noqa: T201
            f"{products} products, {size / 1e6:.0f} MB in {seconds:.0f} s;"
            f" memory {before_mb:.0f} -> {peak_mb:.0f} MB at most"
        )
        assert products == PRODUCTS
        assert peak_mb - before_mb < GROWTH_MB_MAX
