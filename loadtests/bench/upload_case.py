"""A manufacturer's upload at the hub until each pack can be verified in the market."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import aiohttp

from emvs.infra.embedded_postgres import EmbeddedPostgres
from emvs.infra.launch.goods import Batch, Product
from emvs.infra.launch.http_calls import HttpCalls
from emvs.infra.launch.manufacturer import Manufacturer
from emvs.infra.launch.participants import MANUFACTURER
from emvs.infra.loopback_ports import free_port
from emvs.serial_numbers import generate_serial_numbers
from loadtests.bench.closed_loop import LoadError
from loadtests.bench.database_cases import copy_in_rate
from loadtests.bench.figures import Figure, Results
from loadtests.bench.open_loop import keep_rate
from loadtests.bench.requests import as_bytes, rest_templates, verifications
from loadtests.bench.scale import CONNECTIONS, Scale
from loadtests.bench.systems import MarketUnderTest, fill, start_market
from loadtests.stand import EXPIRY, PRODUCT_CODE, TOKEN

_PER_MESSAGE: Final = 250_000
_HUB_TOKEN: Final = "token-of-the-bench-manufacturer"  # noqa: S105 - a hub for a minute.
_VERIFIES_PER_S: Final = 500
_UPLOAD_S_MAX: Final = 600.0
_KNOWN_BEFORE: Final = 20_000
_MARKET: Final = "IE"
_POLL_S: Final = 0.05
"""A look at the market's metrics holds its event loop for some two milliseconds."""
_REPORTS_WANTED: Final = "select count(*) from hub.serial_quality where report is null"


async def measure_uploads(
    results: Results, folder: Path, server: EmbeddedPostgres, scale: Scale
) -> None:
    """Upload in rounds, with COPY of the same rows between; then once under verifications."""
    packs = scale.upload_packs
    total = (scale.uploads + 1) * packs + _KNOWN_BEFORE
    serials = generate_serial_numbers(total, rng=random.Random(21))  # noqa: S311 - packs.
    port = free_port()
    with ExitStack() as exits:
        market = start_market(
            exits,
            folder,
            server,
            schema="upload",
            packs=total,
            hub_url=f"http://127.0.0.1:{port}",
        )
        await fill(market, serials[:_KNOWN_BEFORE])
        management = _start_hub(exits, folder, server, market, port)
        async with HttpCalls(timeout_s=_UPLOAD_S_MAX) as calls:
            manufacturer = await _register(calls, f"http://127.0.0.1:{port}", management)
            rates, copied = [], []
            for number in range(scale.uploads):
                start = _KNOWN_BEFORE + number * packs
                seconds = await _upload(manufacturer, market, serials[start : start + packs])
                rates.append(packs / seconds)
                copied.append(await copy_in_rate(server, "upload", packs))
            results.add(
                Figure("COPY in", "rows/s", copied, "rows", f"binary, {packs:,} packs, with index")
            )
            results.add(
                Figure("upload", "rows/s", rates, "rows", f"{packs:,} packs in messages of 250,000")
            )
            last = _upload(manufacturer, market, serials[total - packs :])
            await _under_verifications(results, market, serials[:_KNOWN_BEFORE], last, packs)
        stored = await market.rows("select count(*) from pack")
        if stored != total:
            raise LoadError(f"{total} packs were uploaded, {stored} are stored")
        await market.check()
        results.checks.append(f"{stored:,} packs uploaded, stored and indexed")


def _start_hub(
    exits: ExitStack, folder: Path, server: EmbeddedPostgres, market: MarketUnderTest, port: int
) -> str:
    ready, config = folder / "hub-ready.json", folder / "hub.json"
    settings: dict[str, Any] = {
        "dsn": server.dsn("emvs"),
        "schema": "hub",
        "port": port,
        "ready_file": str(ready),
        "log_level": "warning",
        "markets": {
            _MARKET: {
                "interconnect_url": f"http://127.0.0.1:{market.ports['interconnect']}",
                "token": TOKEN,
            }
        },
        "national_tokens": {_MARKET: TOKEN},
    }
    config.write_text(json.dumps(settings))
    process = subprocess.Popen([sys.executable, "-m", "hub", "--config", str(config)])  # noqa: S603
    exits.callback(process.wait)
    exits.callback(process.terminate)
    while not ready.exists():
        if process.poll() is not None:
            raise LoadError("the hub did not start; what it said stands above")
        time.sleep(0.02)
    return str(json.loads(ready.read_text())["management"])


def _product() -> Product:
    return Product(PRODUCT_CODE, "Benchol 10 mg", "benchol", "N02BE01", (_MARKET,))


async def _register(calls: HttpCalls, hub_url: str, management: str) -> Manufacturer:
    await calls.post(
        f"{management}/organisations",
        {
            "organisationId": MANUFACTURER["organisation_id"],
            "name": MANUFACTURER["name"],
            "kind": "obp",
            "clientId": MANUFACTURER["client_id"],
            "token": _HUB_TOKEN,
        },
    )
    now = datetime.fromisoformat((await calls.get(f"{management}/clock"))["now"])
    manufacturer = Manufacturer(calls, hub_url, _HUB_TOKEN, now=now)
    await manufacturer.send_products([_product()])
    return manufacturer


async def _upload(manufacturer: Manufacturer, market: MarketUnderTest, serials: list[str]) -> float:
    """Return the seconds from the first message until the last pack of each can be verified."""
    parts = [
        serials[start : start + _PER_MESSAGE] for start in range(0, len(serials), _PER_MESSAGE)
    ]
    batches = [Batch("bench", _product(), f"B{part[0]}", EXPIRY, part) for part in parts]
    before = (await market.metrics())["nmvs_packs"]
    begun = time.perf_counter()
    sending = asyncio.create_task(
        manufacturer.send_batches(batches, uploaded=_ignore, distributed=_ignore)
    )
    async with asyncio.timeout(_UPLOAD_S_MAX), aiohttp.ClientSession() as http:
        while (await market.metrics())["nmvs_packs"] < before + len(serials):
            if sending.done():
                sending.result()
            await asyncio.sleep(_POLL_S)
        for part in parts:
            await _verify(http, market, f"B{part[0]}", part[-1])
        seconds = time.perf_counter() - begun
        await sending
        # What is still made of the serial numbers must not slow down what is measured next.
        while await market.rows(_REPORTS_WANTED):  # noqa: ASYNC110 - another process's work.
            await asyncio.sleep(_POLL_S)
    return seconds


def _ignore(_: int) -> None:
    return


async def _verify(
    http: aiohttp.ClientSession, market: MarketUnderTest, batch_id: str, serial: str
) -> None:
    path = f"/verification/product/gs1/{PRODUCT_CODE}/pack/{serial}"
    path += f"?batch={batch_id}&expiry={EXPIRY}"
    headers = {"Authorization": f"Bearer {market.token}", "emvs-data-entry-mode": "non-manual"}
    async with http.get(f"http://127.0.0.1:{market.port}{path}", headers=headers) as response:
        await response.read()
        if response.status != 200:
            raise LoadError(f"pack {serial} was uploaded and cannot be verified")


async def _under_verifications(
    results: Results,
    market: MarketUnderTest,
    known: list[str],
    upload: Any,
    packs: int,
) -> None:
    """Verify at a fixed rate until the upload has ended; the market tells how long its loop was
    held, and the latencies must agree with that."""
    templates = rest_templates(market.port, market.token)
    task = asyncio.ensure_future(upload)
    latencies: list[float] = []
    while not task.done():
        steps = verifications(known, _VERIFIES_PER_S * 2)
        part = await keep_rate(
            market.port,
            as_bytes(templates, steps),
            rate=_VERIFIES_PER_S,
            seconds=1.0,
            connections=CONNECTIONS,
        )
        if set(part.statuses) != {200}:
            raise LoadError(f"verifications failed during the upload: {part.statuses}")
        latencies += part.ms
    seconds = await task
    latencies.sort()
    longest_ms = (await market.metrics())["nmvs_loop_delay_longest_seconds"] * 1e3
    note = f"of the market's event loop, {packs:,} packs in {seconds:.1f} s, 500 verifications/s"
    results.add(Figure("longest stall", "ms", [longest_ms], "latency", note, lower_is_better=True))
    p99 = latencies[len(latencies) * 99 // 100]
    results.add(
        Figure(
            "verify p99 during an upload",
            "ms",
            [p99],
            "latency",
            f"from the planned time; the longest {latencies[-1]:.0f} ms",
            lower_is_better=True,
        )
    )
