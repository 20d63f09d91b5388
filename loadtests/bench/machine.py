"""What a figure must be read with: machine, versions, date, command."""

from __future__ import annotations

import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import asyncpg

from emvs.infra.embedded_postgres import EmbeddedPostgres
from loadtests.bench.closed_loop import generator_name

_DURABLE = ("fsync", "synchronous_commit", "full_page_writes")


async def about(server: EmbeddedPostgres, command: str) -> dict[str, str]:
    """Return what stands above the table."""
    connection = await asyncpg.connect(server.dsn("emvs"))
    try:
        postgres = await connection.fetchval("show server_version")
        durable = [f"{name}={await connection.fetchval(f'show {name}')}" for name in _DURABLE]
    finally:
        await connection.close()
    load, _, _ = os.getloadavg()
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "machine": f"{os.cpu_count()} cores, {_processor()}, {_memory()}",
        "load before": f"{load:.2f}",
        "Python": f"{platform.python_version()} on {sys.platform}",
        "aiohttp": version("aiohttp"),
        "PostgreSQL": f"{postgres}, {', '.join(durable)}",
        "throughput by": generator_name(),
        "latency by": "our own open-loop generator, from the planned time",
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"
