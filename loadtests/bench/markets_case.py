"""National systems are processes of their own: whether two of them do more than one.

Each market has its own pharmacies, so each is asked over as many connections, alone or not. What
the machine's cores were busy with is told beside: where generator, PostgreSQL and one market take
nearly all of them, a second market cannot do much more, however little the two share.
"""

from __future__ import annotations

import asyncio
import random
import resource
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from emvs.infra.embedded_postgres import EmbeddedPostgres
from emvs.serial_numbers import generate_serial_numbers
from loadtests.bench.closed_loop import drive
from loadtests.bench.figures import Figure, Results
from loadtests.bench.requests import rest_templates, verifications
from loadtests.bench.scale import CONNECTIONS, PACKS_PER_SECOND, Scale
from loadtests.bench.systems import MarketUnderTest, check_answers, fill, start_market
from loadtests.bench.wire_cases import VERIFIED
from loadtests.cpu_time import process_cpu_s, server_cpu_s

_PACKS = 50_000


class _Round(NamedTuple):
    """One measurement; processor time in microseconds for a request."""

    requests_per_s: float
    market_us: float
    postgres_us: float
    generator_us: float

    @property
    def cores(self) -> float:
        """How many cores were busy with all that."""
        return self.requests_per_s * sum(self[1:]) / 1e6


async def measure_two_markets(
    results: Results, folder: Path, server: EmbeddedPostgres, scale: Scale
) -> None:
    """Verify in one market, then in two at once, round by round."""
    serials = generate_serial_numbers(_PACKS, rng=random.Random(31))  # noqa: S311 - packs.
    with ExitStack() as exits:
        markets = []
        for schema in ("first", "second"):
            market = start_market(exits, folder, server, schema=schema, packs=_PACKS)
            await fill(market, serials)
            markets.append(market)
        one, two = [], []
        for _ in range(scale.rounds):
            one.append(await _verify(markets[:1], serials, scale.seconds))
            two.append(await _verify(markets, serials, scale.seconds))
    for name, rounds in (("one market", one), ("two markets", two)):
        best = min(rounds, key=lambda measured: sum(measured[1:]))
        note = (
            f"verify REST, {CONNECTIONS} connections to each; processor: {best.market_us:.0f} µs of"
            f" a market, {best.postgres_us:.0f} µs of PostgreSQL, {best.generator_us:.0f} µs of the"
            f" generator, {best.cores:.1f} cores in all"
        )
        rates = [measured.requests_per_s for measured in rounds]
        results.add(Figure(name, "/s", rates, "markets", note))


def _cpu_s(markets: list[MarketUnderTest]) -> tuple[float, float, float]:
    # wrk is a process that has ended by then; what prepares its requests is no part of it.
    whose = resource.RUSAGE_SELF if shutil.which("wrk") is None else resource.RUSAGE_CHILDREN
    generator = resource.getrusage(whose)
    return (
        sum(process_cpu_s(market.pid) for market in markets),
        server_cpu_s(markets[0].server.pid),
        generator.ru_utime + generator.ru_stime,
    )


async def _verify(markets: list[MarketUnderTest], serials: list[str], seconds: float) -> _Round:
    steps = verifications(serials, int(seconds * PACKS_PER_SECOND))
    before = _cpu_s(markets)
    measured = await asyncio.gather(
        *(
            drive(
                market.port,
                rest_templates(market.port, market.token),
                steps,
                seconds=seconds,
                connections=CONNECTIONS,
            )
            for market in markets
        )
    )
    taken = [after - earlier for after, earlier in zip(_cpu_s(markets), before, strict=True)]
    for market, part in zip(markets, measured, strict=True):
        await check_answers(
            market,
            answered=part.answered,
            asked=part.asked,
            allowed=VERIFIED,
            case=f"verify in market {market.schema}",
        )
    answered = sum(part.answered for part in measured)
    per_request_us = [cpu_s / answered * 1e6 for cpu_s in taken]
    return _Round(sum(part.requests_per_s for part in measured), *per_request_us)
