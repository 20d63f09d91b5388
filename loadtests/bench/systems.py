"""A national system under test: started, filled, and questioned about what it has done."""

from __future__ import annotations

import mmap
import re
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
import asyncpg

from emvs.infra.embedded_postgres import EmbeddedPostgres
from loadtests.bench.errors import LoadError
from loadtests.stand import load_packs, log_in, start_system

_SAMPLE: Final = re.compile(r"^(\w+)(?:\{(.*)\})? ([0-9.e+-]+)$", re.MULTILINE)
_ANSWERED: Final = "nmvs_answers_total"


@dataclass
class MarketUnderTest:
    """One national system in a process of its own, on a schema of its own."""

    server: EmbeddedPostgres
    schema: str
    pid: int
    ports: Mapping[str, int]
    start_s: float
    """From the start of the process until it was ready."""
    token: str = ""
    counted: dict[str, float] = field(default_factory=dict)
    unseen: int = 0
    """Requests of earlier cases whose generator left, and which may still be counted."""

    @property
    def port(self) -> int:
        return self.ports["service"]

    @property
    def resident_bytes(self) -> int:
        """Memory of its process as Linux counts it; 0 elsewhere."""
        try:
            pages = Path(f"/proc/{self.pid}/statm").read_text().split()[1]
        except OSError:
            return 0
        return int(pages) * mmap.PAGESIZE

    async def metrics(self) -> dict[str, float]:
        """Return what its management port shows, by name and labels."""
        url = f"http://127.0.0.1:{self.ports['management']}/metrics"
        async with aiohttp.ClientSession() as http, http.get(url) as response:
            text = await response.text()
        return {
            name + (f"{{{labels}}}" if labels else ""): float(value)
            for name, labels, value in _SAMPLE.findall(text)
        }

    async def answered(self) -> dict[str, int]:
        """Return how many answers of each outcome it has given since this was asked last."""
        now: dict[str, float] = await self._counts()
        earlier: dict[str, float] = {}
        while now != earlier:  # The last requests of a generator that left may be under way.
            now, earlier = await self._counts(), now
        before, self.counted = self.counted, now
        return {
            outcome: int(value - before.get(outcome, 0))
            for outcome, value in now.items()
            if value != before.get(outcome, 0)
        }

    async def _counts(self) -> dict[str, float]:
        return {
            name.split('"')[1]: value
            for name, value in (await self.metrics()).items()
            if name.startswith(_ANSWERED)
        }

    async def rows(self, query: str) -> int:
        """Return one number that the database tells, in this system's schema."""
        connection = await asyncpg.connect(self.server.dsn("emvs"))
        try:
            await connection.execute(f'set search_path to "{self.schema}"')
            return int(await connection.fetchval(query, timeout=600))
        finally:
            await connection.close()

    async def check(self) -> None:
        """Raise LoadError unless its memory equals its database."""
        url = f"http://127.0.0.1:{self.ports['management']}/check"
        timeout = aiohttp.ClientTimeout(total=600)
        async with aiohttp.ClientSession(timeout=timeout) as http, http.get(url) as response:
            document = await response.json()
        if not document["equal"]:
            raise LoadError(f"the index differs from the database: {document}")


def start_market(
    exits: ExitStack,
    folder: Path,
    server: EmbeddedPostgres,
    *,
    schema: str,
    packs: int,
    **settings: Any,
) -> MarketUnderTest:
    """Start a national system with room for `packs` packs and more."""
    place = folder / f"{schema}-{time.monotonic_ns()}"
    place.mkdir()
    begun = time.perf_counter()
    pid, ready = start_system(exits, place, server.dsn("emvs"), packs, schema=schema, **settings)
    start_s = time.perf_counter() - begun
    ports = {name: int(ready[name]) for name in ("service", "management", "interconnect")}
    return MarketUnderTest(server, schema, pid, ports, start_s)


async def fill(market: MarketUnderTest, serials: list[str]) -> float:
    """Deliver packs to its interconnect port and log a pharmacy in; return the seconds it took."""
    seconds = await load_packs(market.ports["interconnect"], serials)
    market.token = await log_in(market.ports["management"], market.port)
    await market.answered()
    return seconds


async def check_answers(
    market: MarketUnderTest, *, answered: int, asked: int, allowed: frozenset[str], case: str
) -> int:
    """Return how many answers the server has counted since this was asked last.

    Raises LoadError unless they are what the generator asked and got.
    """
    told = await market.answered()
    total = sum(told.values())
    if not answered <= total <= asked + market.unseen:
        raise LoadError(
            f"{case}: the server counted {total} answers, the generator got {answered} of {asked}"
        )
    market.unseen += asked - total
    if strange := {name: count for name, count in told.items() if name not in allowed}:
        raise LoadError(f"{case}: there were outcomes that there should not be: {strange}")
    return total
