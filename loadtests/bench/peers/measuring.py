"""Starts the peers, fills them with packs, and measures them with the requests that ours get."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import aiohttp
import asyncpg
import redis.asyncio as redis
from sqlalchemy.ext.asyncio import create_async_engine

from emvs.infra.embedded_postgres import EmbeddedPostgres
from emvs.infra.loopback_ports import free_port
from emvs.serial_numbers import generate_serial_numbers
from loadtests import processes
from loadtests.bench import samples
from loadtests.bench.closed_loop import drive
from loadtests.bench.errors import LoadError
from loadtests.bench.figures import Figure, Results
from loadtests.bench.requests import FreshPacks, rest_templates, supplies, verifications
from loadtests.bench.scale import CONNECTIONS, PACKS_PER_SECOND, Scale
from loadtests.bench.wire_cases import MARKS
from loadtests.stand import BATCH_ID, EXPIRY, PRODUCT_CODE

_WORKERS: Final = os.cpu_count() or 1
"""One for each core, as their documentation says."""
_WARM_UP_S: Final = 2.0
"""Each worker is started and has its connections by then."""
_SAMPLES: Final = 4
_START_S_MAX: Final = 60.0
_TOKEN: Final = "x" * 380
"""As long as one of ours."""
_PIPELINE_COUNT: Final = 10_000


async def measure_peers(
    results: Results, folder: Path, server: EmbeddedPostgres, scale: Scale
) -> None:
    """Measure both peers, one after the other."""
    serials = generate_serial_numbers(
        int(scale.seconds * PACKS_PER_SECOND) * (scale.rounds + 1),
        rng=random.Random(41),  # noqa: S311 - packs.
    )
    await _measure_sql(results, server, serials, scale)
    if shutil.which("redis-server") is None:
        results.left_out.append("Redis: there is no redis-server; Debian's package has it")
        return
    await _measure_redis(results, folder, serials, scale)


async def _measure_sql(
    results: Results, server: EmbeddedPostgres, serials: list[str], scale: Scale
) -> None:
    dsn = server.dsn("emvs")
    address = dsn.partition("?")[0]  # Its options are for another driver.
    os.environ["PEER_DSN"] = address.replace("postgresql://", "postgresql+asyncpg://", 1)
    from loadtests.bench.peers import sql_app  # noqa: PLC0415 - it reads its address when imported.

    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(f"create schema {sql_app.SCHEMA}")
        engine = create_async_engine(os.environ["PEER_DSN"])
        async with engine.begin() as making:
            await making.run_sync(sql_app.Base.metadata.create_all)
        await engine.dispose()
        rows = ((PRODUCT_CODE, serial, BATCH_ID, EXPIRY, "Active") for serial in serials)
        await connection.copy_records_to_table("pack", schema_name=sql_app.SCHEMA, records=rows)
        await connection.execute(f"vacuum analyze {sql_app.SCHEMA}.pack")

        async def recorded() -> int:
            query = f"select count(*) from {sql_app.SCHEMA}.trail"  # noqa: S608 - a constant.
            return int(await connection.fetchval(query))

        name = "FastAPI + SQLAlchemy"
        await _measure(results, name, "sql_app", {}, serials, scale, recorded)
    finally:
        await connection.close()


async def _measure_redis(results: Results, folder: Path, serials: list[str], scale: Scale) -> None:
    port = free_port()
    with ExitStack() as exits:
        place = folder / "redis"
        place.mkdir()
        options = f"--port {port} --bind 127.0.0.1 --dir {place} --appendonly yes"
        command = ["redis-server", *options.split(), "--appendfsync", "always", "--save", ""]
        processes.start(exits, command, stdout=subprocess.DEVNULL)
        address = f"redis://127.0.0.1:{port}"
        client: Any = redis.Redis.from_url(address)
        await _until(client.ping, redis.ConnectionError)
        told = await client.config_get("appendfsync")
        assert "always" in str(told), told
        fields = {"batch": BATCH_ID, "expiry": EXPIRY, "state": "Active"}
        for start in range(0, len(serials), _PIPELINE_COUNT):
            pipeline = client.pipeline(transaction=False)
            for serial in serials[start : start + _PIPELINE_COUNT]:
                pipeline.hset(f"pack:{PRODUCT_CODE}:{serial}", mapping=fields)
            await pipeline.execute()

        async def recorded() -> int:
            return int(await client.xlen("trail"))

        settings = {"PEER_REDIS": address}
        await _measure(results, "FastAPI + Redis", "redis_app", settings, serials, scale, recorded)
        await client.aclose()


async def _measure(  # noqa: PLR0917 - what one measurement is made of
    results: Results,
    name: str,
    module: str,
    settings: dict[str, str],
    serials: list[str],
    scale: Scale,
    recorded: Callable[[], Awaitable[int]],
) -> None:
    port = free_port()
    rates: dict[str, list[float]] = {"verify": [], "supply": []}
    most = int(scale.seconds * PACKS_PER_SECOND)
    with ExitStack() as exits:
        _start(exits, module, port, settings)
        templates = rest_templates(port, _TOKEN)
        await _until(lambda: _answers(port), aiohttp.ClientError)
        fresh = FreshPacks(serials)
        before = await recorded()
        asked = answered = 0
        for number in range(-1, scale.rounds):  # The first round warms up.
            for letter, operation in (("v", "verify"), ("s", "supply")):
                for serial in itertools.islice(fresh, _SAMPLES):
                    for letter_asked, state in (("v", "ACTIVE"), ("s", "SUPPLIED")):
                        request = templates[letter_asked].with_serial(serial)
                        await samples.check(port, request, state, case=name)
                        asked, answered = asked + 1, answered + 1
                is_look = letter == "v"
                steps = verifications(serials, most) if is_look else supplies(fresh, most)
                measured = await drive(
                    port,
                    templates,
                    steps,
                    seconds=scale.seconds if number >= 0 else _WARM_UP_S,
                    connections=CONNECTIONS,
                    mark=MARKS["REST"] if not is_look else b'"operationCode"',
                    wrap=is_look,
                )
                if not is_look:
                    fresh.give_back(steps[measured.asked :])
                if number >= 0:
                    rates[operation].append(measured.requests_per_s)
                asked, answered = asked + measured.asked, answered + measured.answered
    entries = await recorded() - before
    if not answered <= entries <= asked:
        raise LoadError(f"{name}: {answered} answers, {entries} entries in its audit trail")
    for operation, values in rates.items():
        results.add(
            Figure(f"{operation} by {name}", "/s", values, "peers", f"{_WORKERS} workers, durable")
        )
    results.checks.append(f"{name}: {entries:,} entries in its audit trail")


def _start(exits: ExitStack, module: str, port: int, settings: dict[str, str]) -> None:
    options = "--host 127.0.0.1 --no-access-log --log-level warning --loop uvloop --http httptools"
    app = f"loadtests.bench.peers.{module}:app"
    workers = [f"--workers={_WORKERS}", f"--port={port}"]
    command = [sys.executable, "-m", "uvicorn", app, *options.split(), *workers]
    processes.start(exits, command, env={**os.environ, **settings})


async def _answers(port: int) -> None:
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/") as response:
        await response.read()


async def _until(attempt: Callable[[], Awaitable[Any]], error: type[Exception]) -> None:
    deadline = time.monotonic() + _START_S_MAX
    while True:
        try:
            await attempt()
        except error:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)
        else:
            return
