"""What the servers say of themselves while the load goes: their metrics and processor time."""

from __future__ import annotations

import asyncio
import json
import re
import time
from pathlib import Path
from typing import Any, Final

import aiohttp

from loadtests.cpu_time import process_cpu_s, server_cpu_s

SERVER_NAME: Final = "server.jsonl"
_EVERY_S: Final = 2.0
_LINE: Final = re.compile(
    r'^nmvs_operation(_ledger)?_seconds_(bucket|sum|count)\{(?:le="([^"]+)",)?operation="([A-Z_]+)"'
    r'(?:,le="([^"]+)")?\} ([0-9.e+-]+)$',
    re.MULTILINE,
)

Histograms = dict[str, dict[str, dict[str, float]]]
"""By kind ("service", "ledger") and operation: "sum", "count", and bounds with cumulated counts."""


async def watch_servers(
    managements: dict[str, str], processes: dict[str, int], folder: Path
) -> None:
    """Write a line every two seconds, until cancelled."""
    timeout = aiohttp.ClientTimeout(total=5.0)
    with (folder / SERVER_NAME).open("w") as file:
        async with aiohttp.ClientSession(timeout=timeout) as http:
            while True:
                started = time.monotonic()
                line = {
                    "time": time.time(),
                    "cpu": {name: _cpu_s(name, pid) for name, pid in processes.items()},
                    "markets": {
                        market: await _metrics(http, url) for market, url in managements.items()
                    },
                }
                file.write(json.dumps(line) + "\n")
                file.flush()
                await asyncio.sleep(max(0.2, _EVERY_S - (time.monotonic() - started)))


def _cpu_s(name: str, pid: int) -> float:
    return round(server_cpu_s(pid) if name == "postgres" else process_cpu_s(pid), 4)


async def _metrics(http: aiohttp.ClientSession, management: str) -> Histograms:
    try:
        async with http.get(f"{management}/metrics") as response:
            return read_histograms(await response.text())
    except (TimeoutError, aiohttp.ClientError):
        return {}  # A gap in a chart; that the system is gone shows in the answers.


def read_histograms(text: str) -> Histograms:
    """Return the operations' histograms from Prometheus' text format."""
    found: Histograms = {}
    for ledger, part, low, operation, high, value in _LINE.findall(text):
        one = found.setdefault("ledger" if ledger else "service", {}).setdefault(operation, {})
        one[(low or high) if part == "bucket" else part] = float(value)
    return found


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the JSON objects of a file, one a line; a broken last one is left out."""
    if not path.exists():
        return []
    lines = []
    for line in path.read_text().splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            continue
    return lines
