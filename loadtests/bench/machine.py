"""What a figure must be read with: machine, versions, date, command."""

from __future__ import annotations

import os
import platform
import statistics
import sys
import sysconfig
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import asyncpg

from emvs.errors import EmvsError
from emvs.infra.embedded_postgres import EmbeddedPostgres
from loadtests import processes
from loadtests.bench.closed_loop import generator_name

_DURABLE = ("fsync", "synchronous_commit", "full_page_writes")


_IN_MEMORY = {"tmpfs", "ramfs"}
_SYNCS = 200
_SYNC_BYTES = 8_192


async def about(server: EmbeddedPostgres, command: str, folder: Path) -> dict[str, str]:
    """Return what stands above the table. `folder`: where the database is.

    Raises EmvsError if that is no disk: what is durable there costs nothing.
    """
    kind = _file_system(folder)
    if kind in _IN_MEMORY:
        raise EmvsError(f"{folder} is in memory ({kind}); set TMPDIR to a folder on a disk")
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
        "disk": f"{kind or 'unknown file system'}, a write of 8 KiB durable in"
        f" {_sync_us(folder):,.0f} µs (median)",
        "commit": await _commit(),
        "load before": f"{load:.2f}",
        "Python": f"{platform.python_version()} on {sys.platform}, {_build()}",
        "aiohttp": version("aiohttp"),
        "PostgreSQL": f"{postgres}, {', '.join(durable)}",
        "throughput by": generator_name(),
        "latency by": "our own open-loop generator, from the planned time",
    }


def _file_system(folder: Path) -> str:
    """Return the kind of file system a folder is on; empty if that is not told."""
    try:
        lines = Path("/proc/mounts").read_text().splitlines()
    except OSError:
        return ""
    mounts = [(Path(fields[1]), fields[2]) for fields in map(str.split, lines) if len(fields) > 2]
    fitting = [mount for mount in mounts if folder.resolve().is_relative_to(mount[0])]
    return max(fitting, key=lambda mount: len(mount[0].parts), default=(folder, ""))[1]


def _sync_us(folder: Path) -> float:
    """Return the median microseconds until a small write at the end of a file is durable."""
    taken = []
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        for _ in range(_SYNCS):
            begun = time.perf_counter()
            file.write(bytes(_SYNC_BYTES))
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - begun)
    return statistics.median(taken) * 1e6


async def _commit() -> str:
    """Return which sources were measured, as git names them."""
    place = str(Path(__file__).parent)
    try:
        told = await processes.run(
            ["git", "-C", place, "describe", "--always", "--dirty"], seconds_max=10
        )
    except (OSError, EmvsError):
        return "unknown"
    return told.output.strip() or "unknown"


def _build() -> str:
    """Return how this Python was built: a third of a server's time may depend on it."""
    try:
        is_shared = "/libpython" in Path("/proc/self/maps").read_text()
    except OSError:
        is_shared = bool(sysconfig.get_config_var("Py_ENABLE_SHARED"))
    asked = "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "")
    place = "in a shared library" if is_shared else "in the program itself"
    return f"{platform.python_compiler()}, the interpreter {place}" + (
        ", --enable-optimizations" if asked else ""
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"
