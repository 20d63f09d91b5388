"""What one operation costs: processor time of the national system and of PostgreSQL, each.

`python -m loadtests.operation_cost [--rounds 9] [--only core|wire|soap]`. Verify and supply,
without HTTP ("core": a request as dialects make it, until it is durable), through REST and through
SOAP, with 64 requests under way; beside them aiohttp answering a constant to the same requests.
Rounds of all cases follow one another; shown are the least of all rounds, which is the least
disturbed one, and their median, in microseconds per operation. Processor time depends on what else
the machine does, though less than rates do: compare figures of one run. Linux only.

"soap" is the dialect's own part alone: a message to a call, and an answer to its bytes, in each
version of the interface, by a form met before and by parser and schema.

The core is measured from inside; the rest goes over HTTP.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import uvloop

from emvs.infra.embedded_postgres import EmbeddedPostgres
from emvs.infra.logs import configure_logs
from emvs.scheme import Scheme
from emvs.serial_numbers import generate_serial_numbers
from emvs.states import Operation
from loadtests.cpu_time import process_cpu_s, server_cpu_s
from loadtests.soap_cost import measure_messages, print_messages
from loadtests.stand import (
    BATCH_ID,
    EXPIRY,
    PRODUCT_CODE,
    load_packs,
    log_in,
    rest_request,
    soap_request,
    start_constant,
    start_system,
    system_settings,
)
from loadtests.wire_client import measure
from nmvs.app import NationalSystem
from nmvs.config import NmvsConfig
from nmvs.requests import PackRequest

_AT_ONCE: Final = 64
_MICRO: Final = 1e6


class Cost(NamedTuple):
    """Microseconds of processor time per operation."""

    system: float
    postgres: float


class Case(NamedTuple):
    """One thing to measure; `run` performs it on these packs and is done when all are."""

    name: str
    run: Callable[[list[str]], Awaitable[None]]
    system_cpu_s: Callable[[], float]
    uses_packs_up: bool


async def _core_cases(system: NationalSystem) -> list[Case]:
    await log_in(system.ports["management"], system.ports["service"])
    participant = system.directory.by_number(1)
    assert participant is not None
    perform = system.operations.perform

    def run(operation: Operation) -> Callable[[list[str]], Awaitable[None]]:
        async def work(requests: Iterator[PackRequest]) -> None:
            for request in requests:
                answer = await perform(request)
                assert answer.outcome.name in ("VERIFIED", "DECOMMISSIONED"), answer

        async def run_all(serials: list[str]) -> None:
            requests = (
                PackRequest(
                    operation, participant, Scheme.GTIN, PRODUCT_CODE, serial, BATCH_ID, EXPIRY
                )
                for serial in serials
            )
            await asyncio.gather(*(work(requests) for _ in range(_AT_ONCE)))

        return run_all

    return [
        Case("core verify", run(Operation.VERIFY), time.process_time, False),
        Case("core supply", run(Operation.SUPPLY), time.process_time, True),
    ]


def _wire_cases(
    pid: int, port: int, constant_pid: int, constant_port: int, token: str
) -> list[Case]:
    def run(
        make: Callable[[str], bytes], port: int = port
    ) -> Callable[[list[str]], Awaitable[None]]:
        async def run_all(serials: list[str]) -> None:
            requests = iter([make(serial) for serial in serials])
            measured = await measure("127.0.0.1", port, requests, connections=_AT_ONCE, seconds=600)
            assert measured.statuses == {200: len(serials)}, measured.statuses

        return run_all

    def cpu_s() -> float:
        return process_cpu_s(pid)

    def constant_cpu_s() -> float:
        return process_cpu_s(constant_pid)

    def rest(state: str | None) -> Callable[[str], bytes]:
        return lambda serial: rest_request(port, serial, token, state)

    def soap(name: str) -> Callable[[str], bytes]:
        return lambda serial: soap_request(port, serial, name)

    return [
        Case("constant GET", run(rest(None), constant_port), constant_cpu_s, False),
        Case("constant PATCH", run(rest("Supplied"), constant_port), constant_cpu_s, False),
        Case("constant SOAP", run(soap("G110"), constant_port), constant_cpu_s, False),
        Case("REST verify", run(rest(None)), cpu_s, False),
        Case("REST supply", run(rest("Supplied")), cpu_s, True),
        Case("SOAP verify", run(soap("G110")), cpu_s, False),
        Case("SOAP supply", run(soap("G120")), cpu_s, True),
    ]


async def _measure(
    cases: list[Case], serials: list[str], postmaster: int, *, operations: int, rounds: int
) -> dict[str, list[Cost]]:
    costs: dict[str, list[Cost]] = {case.name: [] for case in cases}
    fresh = iter(serials)
    some = random.Random(2).sample(serials, operations)  # noqa: S311 - packs to look at.
    for number in range(rounds + 1):
        for case in cases:
            packs = list(itertools.islice(fresh, operations)) if case.uses_packs_up else some
            before_s, before_server_s = case.system_cpu_s(), server_cpu_s(postmaster)
            await case.run(packs)
            system_s, server_s = case.system_cpu_s(), server_cpu_s(postmaster)
            if number:  # The first round warms up.
                costs[case.name].append(
                    Cost(
                        (system_s - before_s) / operations * _MICRO,
                        (server_s - before_server_s) / operations * _MICRO,
                    )
                )
    return costs


def _print(costs: dict[str, list[Cost]]) -> None:
    sys.stdout.write(f"{'us per operation':16} {'system':>16} {'PostgreSQL':>16}\n")
    sys.stdout.write(f"{'':16} {'least  median':>16} {'least  median':>16}\n")
    for name, rounds in costs.items():
        columns = ""
        for values in zip(*rounds, strict=True):
            columns += f" {min(values):8.1f} {statistics.median(values):7.1f}"
        sys.stdout.write(f"{name:16}{columns}\n")
    sys.stdout.flush()


async def _run(operations: int, rounds: int, only: str) -> None:
    packs = 2 * operations * (rounds + 1)
    serials = list(generate_serial_numbers(packs, rng=random.Random(1)))  # noqa: S311 - packs.
    with ExitStack() as exits:
        folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="emvs-cost-")))
        server = exits.enter_context(EmbeddedPostgres(folder / "postgres"))
        costs: dict[str, list[Cost]] = {}
        if only in ("", "core"):
            settings = system_settings(server.dsn("emvs"), packs) | {"schema": "core"}
            async with NationalSystem(msgspec.convert(settings, NmvsConfig)) as system:
                await load_packs(system.ports["interconnect"], serials)
                cases = await _core_cases(system)
                costs |= await _measure(
                    cases, serials, server.pid, operations=operations, rounds=rounds
                )
        if only in ("", "wire"):
            pid, ports = start_system(exits, folder, server.dsn("emvs"), packs)
            await load_packs(int(ports["interconnect"]), serials)
            port = int(ports["service"])
            token = await log_in(int(ports["management"]), port)
            cases = _wire_cases(pid, port, *start_constant(exits), token)
            costs |= await _measure(
                cases, serials, server.pid, operations=operations, rounds=rounds
            )
        _print(costs)
    print_messages(measure_messages(rounds))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="loadtests.operation_cost", description=__doc__)
    parser.add_argument("--operations", type=int, default=4_000, help="in each case and round")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", default="", choices=("", "core", "wire", "soap"))
    arguments = parser.parse_args()
    configure_logs(system="operation_cost", level="warning")
    if arguments.only == "soap":
        print_messages(measure_messages(arguments.rounds))
        sys.exit()
    uvloop.run(_run(arguments.operations, arguments.rounds, arguments.only))
