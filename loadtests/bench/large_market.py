"""A market with many packs: its cold start, and whether it verifies as fast as a small one."""

from __future__ import annotations

import random
from contextlib import ExitStack
from pathlib import Path

from emvs.infra.embedded_postgres import EmbeddedPostgres
from emvs.serial_numbers import generate_serial_numbers
from loadtests.bench.closed_loop import drive
from loadtests.bench.database_cases import copy_out_rate, vacuum
from loadtests.bench.figures import Figure, Results
from loadtests.bench.requests import rest_templates, verifications
from loadtests.bench.scale import CONNECTIONS, Scale
from loadtests.bench.systems import MarketUnderTest, check_answers, fill, start_market
from loadtests.bench.wire_cases import MARKS, VERIFIED
from loadtests.cpu_time import process_cpu_s

_SMALL_PACKS = 100_000
_SHARE_MIN = 0.1
"""Of the start of an empty market: what its packs must take longer, or nothing was measured."""
_LOOKS = 200_000
"""Verifications that are prepared, more packs than caches hold; then the first comes again."""


async def measure_large_market(
    results: Results, folder: Path, server: EmbeddedPostgres, scale: Scale
) -> None:
    """Fill two markets, start one again and again, then both, and verify in turns."""
    packs = scale.large_packs
    serials = generate_serial_numbers(packs, rng=random.Random(11))  # noqa: S311 - packs.
    with ExitStack() as exits:
        large = start_market(exits, folder, server, schema="large", packs=packs)
        empty_bytes = large.resident_bytes
        await fill(large, serials)
        _report_memory(results, "after deliveries", large, empty_bytes, packs)
        tokens = {"large": large.token}  # They outlive the process, like its keys.
    with ExitStack() as exits:
        small = start_market(exits, folder, server, schema="small", packs=_SMALL_PACKS)
        await fill(small, serials[:_SMALL_PACKS])
        tokens["small"] = small.token
    await _cold_starts(results, folder, server, packs, scale.uploads)
    with ExitStack() as exits:  # Both freshly started: neither has lived through a delivery.
        small = start_market(exits, folder, server, schema="small", packs=_SMALL_PACKS)
        large = start_market(exits, folder, server, schema="large", packs=packs)
        _report_memory(results, "after a cold start", large, empty_bytes, packs)
        assert await large.rows("select count(*) from pack") == packs
        small.token, large.token = tokens["small"], tokens["large"]
        await _verify_in_turns(results, {"small": small, "large": large}, serials, scale)


def _report_memory(
    results: Results, when: str, market: MarketUnderTest, empty_bytes: int, packs: int
) -> None:
    if empty_bytes:
        per_pack = (market.resident_bytes - empty_bytes) / packs
        name, note = f"process memory per pack, {when}", f"{packs:,} packs, all that it has grown"
        results.add(Figure(name, "bytes", [per_pack], "memory", note, lower_is_better=True))


async def _cold_starts(
    results: Results, folder: Path, server: EmbeddedPostgres, packs: int, rounds: int
) -> None:
    rates, out_rates, notes = [], [], []
    await vacuum(server, "large")
    await copy_out_rate(server, "large")  # The first reads what later ones find in memory.
    for number in range(rounds):
        out_rates.append(await copy_out_rate(server, "large"))
        seconds = {}
        for schema in ("empty", "large") if number % 2 else ("large", "empty"):
            with ExitStack() as exits:
                market = start_market(exits, folder, server, schema=schema, packs=packs)
            seconds[schema] = market.start_s
        taken_s = seconds["large"] - seconds["empty"]
        note = f"{seconds['large']:.2f} s until ready, an empty one {seconds['empty']:.2f} s"
        if taken_s < _SHARE_MIN * seconds["empty"]:
            results.broken.append(f"cold start: its packs cannot be told from chance: {note}")
            return
        rates.append(packs / taken_s)
        notes.append(note)
    results.add(Figure("COPY out", "rows/s", out_rates, "rows", f"binary, {packs:,} packs"))
    results.add(Figure("cold start", "rows/s", rates, "rows", f"{packs:,} packs: {notes[-1]}"))


async def _verify_in_turns(
    results: Results, markets: dict[str, MarketUnderTest], serials: list[str], scale: Scale
) -> None:
    known = {"small": serials[:_SMALL_PACKS], "large": serials}
    rates: dict[str, list[float]] = {name: [] for name in markets}
    own_us: dict[str, list[float]] = {name: [] for name in markets}
    for market in markets.values():
        await market.answered()
    in_turns = list(markets.items())
    for number in range(-1, scale.rounds):  # The first round warms up.
        for name, market in in_turns if number % 2 == 0 else reversed(in_turns):
            steps = verifications(known[name], _LOOKS, seed=100 + number)
            cpu_s = process_cpu_s(market.pid)
            measured = await drive(
                market.port,
                rest_templates(market.port, market.token),
                steps,
                seconds=scale.seconds if number >= 0 else 1.0,
                connections=CONNECTIONS,
                mark=MARKS["REST"],
                wrap=True,
            )
            cpu_s = process_cpu_s(market.pid) - cpu_s
            await check_answers(
                market,
                answered=measured.answered,
                asked=measured.asked,
                allowed=VERIFIED,
                case=f"verify in the {name} market",
            )
            if number >= 0:
                rates[name].append(measured.requests_per_s)
                own_us[name].append(cpu_s / measured.answered * 1e6)
    for name, figure in (("small", "verify, 10^5 packs"), ("large", "verify, most packs")):
        note = f"{len(known[name]):,} packs; processor: {min(own_us[name]):.0f} µs of its own"
        results.add(Figure(figure, "/s", rates[name], "flatness", note))
