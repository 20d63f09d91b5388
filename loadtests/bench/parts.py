"""The parts of a run, in order. Each can be run alone."""

from __future__ import annotations

import random
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from emvs.errors import EmvsError
from emvs.infra.embedded_postgres import EmbeddedPostgres
from emvs.serial_numbers import generate_serial_numbers
from loadtests.bench.beside_cases import many_batches, new_texts
from loadtests.bench.database_cases import ONE_STATEMENT, UPDATE_INSERT, PgBench, vacuum
from loadtests.bench.disturbance import read_clocks, told
from loadtests.bench.errors import LoadError
from loadtests.bench.figures import Figure, Results
from loadtests.bench.index_cases import measure_index
from loadtests.bench.large_market import measure_large_market
from loadtests.bench.markets_case import measure_two_markets
from loadtests.bench.pharmacy_traffic import PharmacyTraffic
from loadtests.bench.scale import Scale
from loadtests.bench.systems import fill, start_market
from loadtests.bench.upload_case import measure_uploads
from loadtests.bench.wire_cases import WireCases

_PGBENCH_PACKS: Final = 100_000


class Place(NamedTuple):
    """Where a part measures."""

    results: Results
    folder: Path
    server: EmbeddedPostgres
    scale: Scale
    peers: bool


async def _wire(place: Place) -> None:
    """Round by round: the constant, verify, supply, pgbench beside it; then pharmacy traffic."""
    scale, results, server = place.scale, place.results, place.server
    serials = generate_serial_numbers(scale.packs, rng=random.Random(1))  # noqa: S311 - packs.
    with ExitStack() as exits:
        market = start_market(exits, place.folder, server, schema="bench", packs=scale.packs)
        await fill(market, serials)
        cases = WireCases(market, serials, scale)
        await cases.prepare(exits, place.folder)
        cases.cases += [await many_batches(market), new_texts(market, serials)]
        pgbench = PgBench(server, place.folder)
        if pgbench.is_here:
            await pgbench.prepare("bench", _PGBENCH_PACKS)
        else:
            results.left_out.append("pgbench: this server's programs lack it")
        transactions: dict[str, list[float]] = {UPDATE_INSERT: [], ONE_STATEMENT: []}

        async def run_pgbench(name: str) -> None:
            transactions[name].append(await pgbench.run(name, scale.seconds))

        turns: list[Callable[[], Awaitable[object]]] = []
        for case in cases.cases:
            await cases.warm_up(case)
            turns.append(partial(cases.run, case))
            if case.name == "supply REST" and pgbench.is_here:
                turns += [partial(run_pgbench, name) for name in transactions]
        for number in range(scale.rounds):
            await vacuum(server, "bench")
            # Neighbours stay neighbours, and none of them is always the first.
            for turn in turns if number % 2 == 0 else reversed(turns):
                await turn()
        if pgbench.is_here:
            for name, rates in transactions.items():
                note = "a transaction each, 32 clients, 10^5 packs"
                results.add(Figure(name, "/s", rates, "rate", note))
        await PharmacyTraffic(cases, market, serials, scale).run(results)
        cases.report(results)
        await cases.check_durable(results)


async def _upload(place: Place) -> None:
    await measure_uploads(place.results, place.folder, place.server, place.scale)


async def _large(place: Place) -> None:
    await measure_large_market(place.results, place.folder, place.server, place.scale)


async def _markets(place: Place) -> None:
    await measure_two_markets(place.results, place.folder, place.server, place.scale)


async def _index(place: Place) -> None:
    await measure_index(place.results, place.scale.index_packs)


async def _peers(place: Place) -> None:
    try:
        from loadtests.bench.peers.measuring import measure_peers  # noqa: PLC0415 - an extra.
    except ImportError as error:
        raise LoadError(f"{error}; pip install 'emvs[peers]' brings them") from error
    await measure_peers(place.results, place.folder, place.server, place.scale)


PARTS: Final[Mapping[str, Callable[[Place], Awaitable[None]]]] = {
    "wire": _wire,
    "upload": _upload,
    "large": _large,
    "markets": _markets,
    "index": _index,
}


def _told(error: Exception) -> str:
    """Return what went wrong; where, if it is nothing that was foreseen."""
    if isinstance(error, EmvsError | LoadError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "loadtests" in frame.filename] or frames
    place = f" ({Path(ours[-1].filename).name}, line {ours[-1].lineno})" if ours else ""
    return f"{type(error).__name__}: {error}{place}"


async def run_parts(
    results: Results,
    folder: Path,
    server: EmbeddedPostgres,
    scale: Scale,
    names: Sequence[str],
    *,
    peers: bool,
) -> None:
    """Run parts one after the other; where each is, is told on standard error."""
    place = Place(results, folder, server, scale, peers)
    chosen = {name: part for name, part in PARTS.items() if name in names}
    if peers:
        chosen["peers"] = _peers
    for name, part in chosen.items():
        begun, clocks = time.monotonic(), read_clocks(server.pid)
        sys.stderr.write(f"measuring: {name} ...\n")
        try:
            await part(place)
        except Exception as error:  # noqa: BLE001 - what others have measured must not be lost.
            results.broken.append(f"{name}: {_told(error)}")
        taken = f"{time.monotonic() - begun:.0f} s"
        results.about[f"during {name}"] = f"{taken}; {told(clocks, read_clocks(server.pid))}"
        sys.stderr.write(f"  {taken}\n")
