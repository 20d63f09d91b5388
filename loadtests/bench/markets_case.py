"""National systems are processes of their own: whether two of them do more than one."""

from __future__ import annotations

import asyncio
import random
from contextlib import ExitStack
from pathlib import Path

from emvs.infra.embedded_postgres import EmbeddedPostgres
from emvs.serial_numbers import generate_serial_numbers
from loadtests.bench.closed_loop import drive
from loadtests.bench.figures import Figure, Results
from loadtests.bench.requests import rest_templates, verifications
from loadtests.bench.scale import CONNECTIONS, PACKS_PER_SECOND, Scale
from loadtests.bench.systems import MarketUnderTest, check_answers, fill, start_market
from loadtests.bench.wire_cases import VERIFIED

_PACKS = 50_000


async def measure_two_markets(
    results: Results, folder: Path, server: EmbeddedPostgres, scale: Scale
) -> None:
    """Verify in one market, then in two at once with as many connections in all, round by round."""
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
    note = f"verify REST, {CONNECTIONS} connections in all"
    results.add(Figure("one market", "/s", one, "markets", note))
    results.add(Figure("two markets", "/s", two, "markets", note))


async def _verify(markets: list[MarketUnderTest], serials: list[str], seconds: float) -> float:
    steps = verifications(serials, int(seconds * PACKS_PER_SECOND))
    measured = await asyncio.gather(
        *(
            drive(
                market.port,
                rest_templates(market.port, market.token),
                steps,
                seconds=seconds,
                connections=CONNECTIONS // len(markets),
            )
            for market in markets
        )
    )
    for market, part in zip(markets, measured, strict=True):
        await check_answers(
            market,
            answered=part.answered,
            asked=part.asked,
            allowed=VERIFIED,
            case=f"verify in market {market.schema}",
        )
    return sum(part.requests_per_s for part in measured)
