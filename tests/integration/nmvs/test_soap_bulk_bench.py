"""What bulks of a hundred thousand packs by SOAP cost the tills: `pytest -m bench -s`.

As `test_bulk_bench`, with the other dialect on both sides: single verifications by SOAP, beside
them a bulk and then a mixed bulk that are submitted, worked through and fetched.
"""

from __future__ import annotations

import asyncio
import io
import itertools
import math
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.integration.nmvs.soap_bulk_client import BULK_PATH, BulkTill, bulk_till, read_bulk_reply
from tests.integration.nmvs.soap_raw_client import PATH
from tests.integration.nmvs.test_bulk_bench import BASE_S, BULK_COUNT, RATIO_MAX, Tills, told
from tests.integration.processes import running_process
from tests.integration.running import INTERCONNECT_TOKEN, RunningSystem

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]


async def test_tills_hardly_notice_large_bulks(dsn: str, schema_name: str, tmp_path: Path) -> None:
    config: dict[str, Any] = {
        "market": "IE",
        "dsn": dsn,
        "schema": schema_name,
        "interconnect_token": INTERCONNECT_TOKEN,
        "dialects": ["soap"],
        "packs_max": 1_000_000,
        "password_hash_cost_log2": 6,
        "log_level": "warning",
    }
    async with (
        running_process("nmvs", config, tmp_path) as process,
        aiohttp.ClientSession() as http,
    ):
        running = RunningSystem(http, process.ready)
        bulk_serials = await running.load_packs(BULK_COUNT)
        till_serials = await running.load_packs(2_000, batch_id="LOT2")
        wholesaler = await bulk_till(running)
        pharmacy = await bulk_till(running, "pharmacy")
        messages = {
            "G188": wholesaler.bulk("G125", bulk_serials),
            "G196": wholesaler.mixed([wholesaler.item("G121", serial) for serial in bulk_serials]),
        }
        requests = itertools.cycle([verification(pharmacy, serial) for serial in till_serials])
        tills = Tills(running.ports["service"], requests)
        await asyncio.sleep(BASE_S)
        bounds = []
        for name, message in messages.items():
            submitted_s = time.perf_counter()
            ticket = await submitted(wholesaler, message)
            accepted_s = time.perf_counter()
            done_s, size = await fetched(wholesaler, ticket, name)
            bounds.append((name, submitted_s, accepted_s, done_s, time.perf_counter(), size))
            await asyncio.sleep(BASE_S)
        await tills.stop()
        edges = [0.0, *(at for _, start_s, *_, end_s, _ in bounds for at in (start_s, end_s))]
        edges.append(math.inf)
        without = [
            latency
            for start_s, end_s in zip(edges[::2], edges[1::2], strict=True)
            for latency in tills.between(start_s, end_s)
        ]
        base = told("without", sorted(without))
        for name, submitted_s, accepted_s, done_s, fetched_s, size in bounds:
            reading = told(f"{name}: submitted", tills.between(submitted_s, accepted_s))
            busy = told(f"{name}: runs", tills.between(accepted_s, done_s))
            told(f"{name}: fetched", tills.between(done_s, fetched_s))
            print(  # noqa: T201
                f"{name}: p99 ratio {busy / base:.2f}, {reading / base:.2f} while it is read;"
                f" {len(messages[name]) / 1e6:.0f} MB accepted in {accepted_s - submitted_s:.1f} s,"
                f" {BULK_COUNT / (done_s - accepted_s):.0f} packs/s,"
                f" {size / 1e6:.0f} MB fetched in {fetched_s - done_s:.1f} s"
            )
            assert busy / base <= RATIO_MAX


def verification(till: BulkTill, serial: str) -> bytes:
    """Return a G110 as bytes of HTTP."""
    body = till.frame("G110", f'{till.product(batch="LOT2")}<t:Pack t:sn="{serial}"/>')
    head = f"POST {PATH} HTTP/1.1\r\nHost: h\r\nContent-Type: text/xml\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def submitted(till: BulkTill, message: bytes) -> str:
    """Submit and return the ticket."""
    reply = await till.post(message)
    assert reply.code == "SUCCESS", reply
    return reply.ticket


async def fetched(till: BulkTill, ticket: str, name: str) -> tuple[float, int]:
    """Fetch the result as it comes; return when it was ready, and its size. To parse it would
    keep the tills of this process waiting."""
    body = till.frame(name, f"<t:RefNMVSTrxId>{ticket}</t:RefNMVSTrxId>")
    while True:
        url = f"{till.running.service}{BULK_PATH}"
        async with till.running.http.post(url, data=io.BytesIO(body)) as response:
            first = await response.content.readany()
            if b"FE_TX_02" not in first:
                done_s, size = time.perf_counter(), len(first)
                async for part in response.content.iter_chunked(1 << 16):
                    size += len(part)
                return done_s, size
            assert read_bulk_reply(first).code == "FE_TX_02"
        await asyncio.sleep(0.5)
