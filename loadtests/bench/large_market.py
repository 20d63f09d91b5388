"""A market with many packs: its cold start, and whether it verifies as fast as a small one."""

from __future__ import annotations

import random
from contextlib import ExitStack
from pathlib import Path

from emvs.infra.embedded_postgres import EmbeddedPostgres
from emvs.serial_numbers import generate_serial_numbers
from loadtests.bench.closed_loop import drive
from loadtests.bench.database_cases import copy_out_rate
from loadtests.bench.figures import Figure, Results
from loadtests.bench.requests import rest_templates, verifications
from loadtests.bench.scale import CONNECTIONS, PACKS_PER_SECOND, Scale
from loadtests.bench.systems import MarketUnderTest, check_answers, fill, start_market
from loadtests.bench.wire_cases import VERIFIED

_SMALL_PACKS = 100_000


async def measure_large_market(
    results: Results, folder: Path, server: EmbeddedPostgres, scale: Scale
) -> None:
    """Fill two markets, start them again and again, and verify in turns."""
    packs = scale.large_packs
    serials = generate_serial_numbers(packs, rng=random.Random(11))  # noqa: S311 - packs.
    with ExitStack() as exits:
        large = start_market(exits, folder, server, schema="large", packs=packs)
        await fill(large, serials)
        token = large.token
    with ExitStack() as exits:
        small = start_market(exits, folder, server, schema="small", packs=_SMALL_PACKS)
        await fill(small, serials[:_SMALL_PACKS])
        await _cold_starts(results, folder, server, packs, scale.uploads)
        large = start_market(exits, folder, server, schema="large", packs=packs)
        assert await large.rows("select count(*) from pack") == packs
        large.token = token  # It outlives the process, like its keys.
        await _verify_in_turns(results, {"small": small, "large": large}, serials, scale)


async def _cold_starts(
    results: Results, folder: Path, server: EmbeddedPostgres, packs: int, rounds: int
) -> None:
    rates, out_rates, notes = [], [], []
    for _ in range(rounds):
        out_rates.append(await copy_out_rate(server, "large"))
        with ExitStack() as exits:
            empty = start_market(exits, folder, server, schema="empty", packs=1)
        with ExitStack() as exits:
            full = start_market(exits, folder, server, schema="large", packs=packs)
        rates.append(packs / max(full.start_s - empty.start_s, 1e-3))
        notes.append(f"{full.start_s:.2f} s until ready, an empty one {empty.start_s:.2f} s")
    results.add(Figure("COPY out", "rows/s", out_rates, "rows", f"binary, {packs:,} packs"))
    results.add(Figure("cold start", "rows/s", rates, "rows", f"{packs:,} packs: {notes[-1]}"))


async def _verify_in_turns(
    results: Results, markets: dict[str, MarketUnderTest], serials: list[str], scale: Scale
) -> None:
    most = int(scale.seconds * PACKS_PER_SECOND)
    known = {"small": serials[:_SMALL_PACKS], "large": serials}
    rates: dict[str, list[float]] = {name: [] for name in markets}
    for market in markets.values():
        await market.answered()
    for number in range(scale.rounds):
        for name, market in markets.items():
            steps = verifications(known[name], most, seed=100 + number)
            measured = await drive(
                market.port,
                rest_templates(market.port, market.token),
                steps,
                seconds=scale.seconds,
                connections=CONNECTIONS,
            )
            await check_answers(
                market,
                answered=measured.answered,
                asked=measured.asked,
                allowed=VERIFIED,
                case=f"verify in the {name} market",
            )
            rates[name].append(measured.requests_per_s)
    results.add(Figure("verify, 10^5 packs", "/s", rates["small"], "flatness"))
    results.add(
        Figure("verify, most packs", "/s", rates["large"], "flatness", f"{len(serials):,} packs")
    )
