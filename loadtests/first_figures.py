"""A first honest figure: verify and supply per second, beside aiohttp answering a constant.

`python -m loadtests.first_figures [--packs 100000] [--seconds 5]`. One run, one machine, everything
on loopback: the generator has one core, the national system and PostgreSQL share what is left.
Figures compare within one run only. `make bench` of a later release replaces this.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp
import uvloop

from emvs.check_digits import gtin_check_digit
from emvs.infra.embedded_postgres import EmbeddedPostgres
from emvs.serial_numbers import generate_serial_numbers
from loadtests.wire_client import Measured, measure

_CONNECTIONS = 64
_TOKEN = "interconnect-of-the-bench"  # noqa: S105 - a system of its own, for a minute.
_CODE = "0950600013437" + gtin_check_digit("0950600013437")
_ENVELOPE = (Path(__file__).parent / "g110.xml").read_text()


def _rest(port: int, serial: str, token: str, state: str | None) -> bytes:
    path = f"/verification/product/gs1/{_CODE}/pack/{serial}?batch=LOT1&expiry=301231"
    head = f"{path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
    head += "emvs-data-entry-mode: non-manual\r\n"
    if state is None:
        return f"GET {head}\r\n".encode()
    body = f'{{"state":"{state}"}}'
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"PATCH {head}\r\n{body}".encode()


def _soap(port: int, serial: str, name: str) -> bytes:
    body = _ENVELOPE.replace("G110", name).replace("SERIAL", serial).replace("CODE", _CODE)
    return (
        f"POST /WS_SINGLE_TRANSACTIONS_V1/SinglePackServiceV50 HTTP/1.1\r\nHost: 127.0.0.1:{port}"
        f"\r\nContent-Type: application/soap+xml\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


async def _prepare(ready: dict[str, Any], serials: list[str]) -> tuple[str, float]:
    """Load a product, packs and a participant; return an access token and the upload's seconds."""
    interconnect = f"http://127.0.0.1:{ready['interconnect']}/hub/v1"
    headers = {"Authorization": f"Bearer {_TOKEN}"}
    async with aiohttp.ClientSession(raise_for_status=True) as http:
        product = {"scheme": "GTIN", "productCode": _CODE, "version": 1, "name": "B"}
        await http.put(
            f"{interconnect}/products/1", json={**product, "commonName": "b"}, headers=headers
        )
        started = time.perf_counter()
        for number, start in enumerate(range(0, len(serials), 250_000)):
            await http.put(
                f"{interconnect}/packs/{number}",
                json={
                    "productCode": _CODE,
                    "productVersion": 1,
                    "batchId": "LOT1",
                    "expiry": "301231",
                    "serialNumbers": serials[start : start + 250_000],
                },
                headers=headers,
            )
        upload_s = time.perf_counter() - started
        await http.post(
            f"http://127.0.0.1:{ready['management']}/participants",
            json={
                "kind": "pharmacy",
                "name": "Bench",
                "location": "bench",
                "rest": {"client_id": "bench", "client_secret": "bench-secret"},
                "soap": {
                    "client_login_id": "BENCH",
                    "user_id": "USER1",
                    "password": "Bench-Pass-1",
                },
            },
        )
        form = {
            "grant_type": "client_credentials",
            "client_id": "bench",
            "client_secret": "bench-secret",
        }
        async with http.post(
            f"http://127.0.0.1:{ready['service']}/connect/token", data=form
        ) as response:
            token: str = (await response.json())["access_token"]
            return token, upload_s


def _start_system(exits: ExitStack, folder: Path, dsn: str, packs: int) -> dict[str, Any]:
    ready = folder / "ready.json"
    config = folder / "nmvs.json"
    config.write_text(
        json.dumps(
            {
                "market": "IE",
                "dsn": dsn,
                "interconnect_token": _TOKEN,
                "dialects": ["soap", "rest"],
                "packs_max": packs + 1_000_000,
                "ready_file": str(ready),
                "log_level": "warning",
            }
        )
    )
    command = [sys.executable, "-m", "nmvs", "--config", str(config)]
    process = subprocess.Popen(command)  # noqa: S603 - our own module.
    exits.callback(process.wait)
    exits.callback(process.terminate)
    while not ready.exists():
        assert process.poll() is None, "the national system did not start"
        time.sleep(0.05)
    started: dict[str, Any] = json.loads(ready.read_text())
    return started


def _start_constant(exits: ExitStack) -> int:
    process = subprocess.Popen(
        [sys.executable, "-m", "loadtests.constant_server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    exits.callback(process.wait)
    exits.callback(process.terminate)
    return int(process.stdout.readline())


async def _run(packs: int, seconds: float, only: str) -> None:
    with ExitStack() as exits:
        folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="emvs-bench-")))
        server = exits.enter_context(EmbeddedPostgres(folder / "postgres"))
        ready = _start_system(exits, folder, server.dsn("emvs"), packs)
        constant = _start_constant(exits)
        serials = list(generate_serial_numbers(packs, rng=random.Random(1)))  # noqa: S311 - packs
        token, upload_s = await _prepare(ready, serials)
        sys.stdout.write(f"{packs} packs loaded in {upload_s:.2f} s\n")
        port = int(ready["service"])
        fresh = iter(serials)

        def endless(make: Any) -> Iterator[bytes]:
            sample = [make(serial) for serial in random.Random(2).sample(serials, 2_000)]  # noqa: S311
            return itertools.cycle(sample)

        cases: list[tuple[str, int, Iterator[bytes]]] = [
            ("constant GET", constant, endless(lambda s: _rest(constant, s, token, None))),
            ("constant PATCH", constant, endless(lambda s: _rest(constant, s, token, "Supplied"))),
            ("constant SOAP POST", constant, endless(lambda s: _soap(constant, s, "G110"))),
            ("verify REST", port, endless(lambda s: _rest(port, s, token, None))),
            ("verify SOAP", port, endless(lambda s: _soap(port, s, "G110"))),
            ("supply REST", port, (_rest(port, s, token, "Supplied") for s in fresh)),
            ("supply SOAP", port, (_soap(port, s, "G120") for s in fresh)),
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
