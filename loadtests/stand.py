"""A national system of its own for a measurement: started, filled with packs, stopped.

Knows how a system is started and prepared over HTTP; measures nothing.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import aiohttp

from emvs.check_digits import gtin_check_digit
from loadtests import processes

TOKEN: Final = "interconnect-of-the-bench"  # noqa: S105 - a system of its own, for a minute.
PRODUCT_CODE: Final = "0950600013437" + gtin_check_digit("0950600013437")
BATCH_ID: Final = "LOT1"
EXPIRY: Final = "301231"
_START_S_MAX: Final = 60.0
_LOAD_S_MAX: Final = 1_800.0
"""Of a national system, its packs included: 10^8 of them."""
_UNDOS: Final = ("G121",)
_REFERENCE: Final = "<t:RefClientTrxId>T20260302-0001</t:RefClientTrxId>"
_SERIALS_PER_DELIVERY: Final = 250_000
_ENVELOPE: Final = (Path(__file__).parent / "g110.xml").read_text()


def system_settings(dsn: str, packs: int, **others: Any) -> dict[str, Any]:
    """Return the settings of a national system with room for `packs` packs."""
    return {
        "market": "IE",
        "dsn": dsn,
        "interconnect_token": TOKEN,
        "dialects": ["soap", "rest"],
        "packs_max": packs + 1_000_000,
        "log_level": "warning",
        **others,
    }


def start_system(
    exits: ExitStack, folder: Path, dsn: str, packs: int, **others: Any
) -> tuple[int, dict[str, Any]]:
    """Start a national system in a process of its own; return its id and its ports."""
    ready = folder / "ready.json"
    config = folder / "nmvs.json"
    settings = system_settings(dsn, packs, **others) | {"ready_file": str(ready)}
    config.write_text(json.dumps(settings))
    command = [sys.executable, "-m", "nmvs", "--config", str(config)]
    process = processes.start(exits, command)
    processes.wait_for_file(process, ready, _LOAD_S_MAX)
    started: dict[str, Any] = json.loads(ready.read_text())
    return process.pid, started


def start_constant(exits: ExitStack, *bodies: Path, is_lean: bool = False) -> tuple[int, int]:
    """Start aiohttp answering a constant; return its process id and its port. `bodies`: files with
    what GET, PATCH and POST are answered. `is_lean`: without a router."""
    options = ["--low-level"] if is_lean else []
    command = [sys.executable, "-m", "loadtests.constant_server", *options, *map(str, bodies)]
    process = processes.start(exits, command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    return process.pid, int(processes.read_line(process, _START_S_MAX))


async def load_packs(
    interconnect: int,
    serials: list[str],
    *,
    product_code: str = PRODUCT_CODE,
    batch_id: str = BATCH_ID,
) -> float:
    """Deliver a product and its packs to an interconnect port; return the packs' seconds."""
    url = f"http://127.0.0.1:{interconnect}/hub/v1"
    headers = {"Authorization": f"Bearer {TOKEN}"}
    message = f"{product_code}-{batch_id}"
    async with aiohttp.ClientSession(raise_for_status=True) as http:
        product = {"scheme": "GTIN", "productCode": product_code, "version": 1, "name": "B"}
        await http.put(
            f"{url}/products/{message}", json={**product, "commonName": "b"}, headers=headers
        )
        started = time.perf_counter()
        for number, start in enumerate(range(0, len(serials), _SERIALS_PER_DELIVERY)):
            part = serials[start : start + _SERIALS_PER_DELIVERY]
            answer = await http.put(
                f"{url}/packs/{message}-{number}",
                json={
                    "productCode": product_code,
                    "productVersion": 1,
                    "batchId": batch_id,
                    "expiry": EXPIRY,
                    "serialNumbers": part,
                },
                headers=headers,
            )
            result = await answer.json()
            assert result["loadedCount"] == len(part), result
        return time.perf_counter() - started


async def log_in(management: int, service: int) -> str:
    """Register a pharmacy with logins to both dialects; return its REST access token."""
    async with aiohttp.ClientSession(raise_for_status=True) as http:
        await http.post(
            f"http://127.0.0.1:{management}/participants",
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
        async with http.post(f"http://127.0.0.1:{service}/connect/token", data=form) as response:
            token: str = (await response.json())["access_token"]
            return token


def rest_request(port: int, serial: str, token: str, state: str | None) -> bytes:
    """Return a verification, or with `state` a change, as the bytes of an HTTP request."""
    path = f"/verification/product/gs1/{PRODUCT_CODE}/pack/{serial}"
    path += f"?batch={BATCH_ID}&expiry={EXPIRY}"
    head = f"{path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
    head += "emvs-data-entry-mode: non-manual\r\n"
    if state is None:
        return f"GET {head}\r\n".encode()
    body = f'{{"state":"{state}"}}'
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"PATCH {head}\r\n{body}".encode()


def soap_request(port: int, serial: str, name: str) -> bytes:
    """Return the SOAP operation with this name as the bytes of an HTTP request."""
    body = _ENVELOPE.replace("G110", name).replace("SERIAL", serial).replace("CODE", PRODUCT_CODE)
    if name in _UNDOS:
        body = body.replace("</t:Body>", f"{_REFERENCE}</t:Body>")
    return (
        f"POST /WS_SINGLE_TRANSACTIONS_V1/SinglePackServiceV50 HTTP/1.1\r\nHost: 127.0.0.1:{port}"
        f"\r\nContent-Type: application/soap+xml\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()
