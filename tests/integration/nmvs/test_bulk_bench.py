"""What a bulk of a hundred thousand packs costs the tills: `pytest -m bench -s`.

Open loop: a single verification is due at fixed moments whatever the answers do, and its latency
counts from the moment it was due. The figure that matters is the ratio, in one run.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import orjson
import pytest

from tests.integration.nmvs.bulk_client import BulkClient, client_of
from tests.integration.nmvs.rest_raw_client import RawConnection
from tests.integration.processes import running_process
from tests.integration.running import INTERCONNECT_TOKEN, RunningSystem

BULK_COUNT = 100_000
SINGLES_PER_S = 100
CONNECTIONS = 20
BASE_S = 10.0
RATIO_MAX = 2.0

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]


class Single(NamedTuple):
    """A verification of one pack."""

    due_s: float
    latency_ms: float


class Tills:
    """Verify at a fixed rate until stopped."""

    def __init__(self, port: int, requests: Iterator[bytes]) -> None:
        self._port = port
        self._requests = requests
        self.singles: list[Single] = []
        self._stopped = False
        started_s = time.perf_counter() + 0.1
        step_s = 1 / SINGLES_PER_S
        self._tasks = [
            asyncio.create_task(self._work(started_s + number * step_s))
            for number in range(CONNECTIONS)
        ]

    async def _work(self, due_s: float) -> None:
        async with RawConnection(self._port) as connection:
            while not self._stopped:
                await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
                answer = await connection.send(next(self._requests))
                assert answer.status == 200, answer
                self.singles.append(Single(due_s, (time.perf_counter() - due_s) * 1000))
                due_s += CONNECTIONS / SINGLES_PER_S

    async def stop(self) -> None:
        self._stopped = True
        await asyncio.gather(*self._tasks)

    def between(self, start_s: float, end_s: float) -> list[float]:
        return sorted(each.latency_ms for each in self.singles if start_s <= each.due_s < end_s)


def told(name: str, latencies: list[float]) -> float:
    p50, p99 = latencies[len(latencies) // 2], latencies[int(len(latencies) * 0.99)]
    print(  # noqa: T201 - the figures are what this is for.
        f"{name}: {len(latencies)} verifications, p50 {p50:.2f} ms, p99 {p99:.2f} ms,"
        f" longest {latencies[-1]:.1f} ms"
    )
    return p99


async def test_tills_hardly_notice_a_large_bulk(dsn: str, schema_name: str, tmp_path: Path) -> None:
    config: dict[str, Any] = {
        "market": "IE",
        "dsn": dsn,
        "schema": schema_name,
        "interconnect_token": INTERCONNECT_TOKEN,
        "dialects": ["rest"],
        "packs_max": 1_000_000,
        "password_hash_cost_log2": 6,
        "log_level": "warning",
    }
    async with (
        running_process("nmvs", config, tmp_path) as process,
        aiohttp.ClientSession() as http,
    ):
        system = RunningSystem(http, process.ready)
        bulk_serials = await system.load_packs(BULK_COUNT)
        till_serials = await system.load_packs(2_000, batch_id="LOT2")
        wholesaler = await client_of(system)
        pharmacy = await client_of(system, "pharmacy", 1)
        body = orjson.dumps(
            {
                "state": "Supplied",
                "numberOfPacks": BULK_COUNT,
                "packs": [wholesaler.pack(serial) for serial in bulk_serials],
            }
        )
        requests = itertools.cycle([verification(pharmacy, serial) for serial in till_serials])
        tills = Tills(system.ports["service"], requests)
        await asyncio.sleep(BASE_S)
        submitted_s = time.perf_counter()
        answer = await wholesaler.post("/product/packs", body)
        accepted_s = time.perf_counter()
        assert answer.status == 202, answer
        done_s = await fetched(wholesaler, answer.headers["location"])
        fetched_s = time.perf_counter()
        await asyncio.sleep(BASE_S)  # The machine may have other work now than before.
        await tills.stop()
        without = tills.between(0, submitted_s) + tills.between(fetched_s, math.inf)
        base = told("without", sorted(without))
        told("while it is submitted", tills.between(submitted_s, accepted_s))
        busy = told("while it runs", tills.between(accepted_s, done_s))
        told("while the result is fetched", tills.between(done_s, fetched_s))
        print(  # noqa: T201
            f"p99 ratio {busy / base:.2f}; accepted in {accepted_s - submitted_s:.1f} s,"
            f" {BULK_COUNT / (done_s - accepted_s):.0f} packs/s"
        )
        assert busy / base <= RATIO_MAX


async def fetched(client: BulkClient, location: str) -> float:
    """Fetch the result as it comes; return when it was ready. To parse it would keep the tills of
    this process waiting."""
    headers = {"Authorization": f"Bearer {client.token}"}
    while True:
        async with client.system.http.get(location, headers=headers) as response:
            if response.status == 200:
                ready_s = time.perf_counter()
                async for _ in response.content.iter_chunked(65_536):
                    await asyncio.sleep(0)
                return ready_s
            assert response.status == 409
        await asyncio.sleep(0.2)


def verification(pharmacy: BulkClient, serial: str) -> bytes:
    system = pharmacy.system
    return (
        f"GET /verification/product/gs1/{system.product_code}/pack/{serial}?batch=LOT2"
        f"&expiry={system.expiry} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {pharmacy.token}"
        "\r\nemvs-data-entry-mode: non-manual\r\n\r\n"
    ).encode()
