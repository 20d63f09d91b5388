"""A first honest figure: verify and supply per second, beside aiohttp answering a constant.

`python -m loadtests.first_figures [--packs 100000] [--seconds 5]`. One run, one machine, everything
on loopback: the generator has one core, the national system and PostgreSQL share what is left.
Figures compare within one run only. `make bench` of a later release replaces this.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import uvloop

from emvs.infra.embedded_postgres import EmbeddedPostgres
from emvs.serial_numbers import generate_serial_numbers
from loadtests.stand import (
    load_packs,
    log_in,
    rest_request,
    soap_request,
    start_constant,
    start_system,
)
from loadtests.wire_client import Measured, measure

_CONNECTIONS = 64


async def _run(packs: int, seconds: float, only: str) -> None:
    with ExitStack() as exits:
        folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="emvs-bench-")))
        server = exits.enter_context(EmbeddedPostgres(folder / "postgres"))
        _, ready = start_system(exits, folder, server.dsn("emvs"), packs)
        _, constant = start_constant(exits)
        serials = list(generate_serial_numbers(packs, rng=random.Random(1)))  # noqa: S311 - packs
        upload_s = await load_packs(int(ready["interconnect"]), serials)
        sys.stdout.write(f"{packs} packs loaded in {upload_s:.2f} s\n")
        port = int(ready["service"])
        token = await log_in(int(ready["management"]), port)
        fresh = iter(serials)

        def endless(make: Any) -> Iterator[bytes]:
            sample = [make(serial) for serial in random.Random(2).sample(serials, 2_000)]  # noqa: S311
            return itertools.cycle(sample)

        cases: list[tuple[str, int, Iterator[bytes]]] = [
            ("constant GET", constant, endless(lambda s: rest_request(constant, s, token, None))),
            (
                "constant PATCH",
                constant,
                endless(lambda s: rest_request(constant, s, token, "Supplied")),
            ),
            ("constant SOAP POST", constant, endless(lambda s: soap_request(constant, s, "G110"))),
            ("verify REST", port, endless(lambda s: rest_request(port, s, token, None))),
            ("verify SOAP", port, endless(lambda s: soap_request(port, s, "G110"))),
            ("supply REST", port, (rest_request(port, s, token, "Supplied") for s in fresh)),
            ("supply SOAP", port, (soap_request(port, s, "G120") for s in fresh)),
        ]
        rates: dict[str, Measured] = {}
        for name, target, requests in cases:
            if only not in name:
                continue
            rates[name] = await measure(
                "127.0.0.1", target, requests, connections=_CONNECTIONS, seconds=seconds
            )
            _print_case(name, rates)


def _print_case(name: str, rates: dict[str, Measured]) -> None:
    rate = rates[name]
    base = "constant SOAP POST" if "SOAP" in name else "constant GET"
    base = "constant PATCH" if name == "supply REST" else base
    ratio = f"{rate.requests_per_s / rates[base].requests_per_s:5.2f}" if base in rates else "    -"
    sys.stdout.write(
        f"{name:20} {rate.requests_per_s:9.0f}/s  ratio {ratio}  p50 {rate.latency_ms_p50:6.2f} ms"
        f"  p99 {rate.latency_ms_p99:6.2f} ms  {rate.statuses}\n"
    )
    sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packs", type=int, default=200_000)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--only", default="", help="run cases whose name holds this")
    arguments = parser.parse_args()
    uvloop.run(_run(arguments.packs, arguments.seconds, arguments.only))
