"""A batch of a million packs in four messages: how fast, how large, and who has to wait meanwhile.

    python -m loadtests.upload_million ENDPOINTS_JSON [--form ndjson|json|gzip] [--serials 250000]

Talks to a running system (`emvs up`) by HTTP alone. Serial numbers come from the hub's own order:
both directions stream. Every 5 ms the hub is asked for something small: the longest answer bounds
the longest stall of its event loop from above. Peak memory is Linux' VmHWM of each process.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import aiohttp

_MESSAGES: Final = 4
_PROBE_S: Final = 0.005
_DONE: Final = frozenset({"STIV", "STDS", "STDF"})
_ADDRESS: Final = {
    "name": "Demo Pharma",
    "street": "High Street 1",
    "street2": "",
    "city": "Dublin",
    "postCode": "D01",
    "country": "IE",
}


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


class Uploader:
    """One manufacturer."""

    def __init__(self, endpoints: dict[str, Any], http: aiohttp.ClientSession) -> None:
        login = next(p["hub"] for p in endpoints["participants"] if p["kind"] == "obp")
        self._http = http
        self._hub = endpoints["hub"]["url"]
        self._auth = {"Authorization": f"Bearer {login['token']}"}
        self._organisation = login["organisation_id"] + login["client_id"]
        self._now = datetime.now(UTC)
        self._number = int(time.time() * 10) % 10**9 * 100
        self.markets = sorted(endpoints["markets"])

    def transaction_id(self, message_type: str) -> str:
        """Return a new one."""
        self._number += 1
        reference = f"{self._number:012}"
        return f"{message_type}RQM{self._organisation}{self._now:%Y%j}{reference}"

    async def send(self, message_type: str, body: bytes, **headers: str) -> None:
        """Send a message that has to be taken."""
        url = f"{self._hub}/obp/v1/{message_type}"

        async def pieces() -> Any:
            for start in range(0, len(body), 1 << 18):
                yield body[start : start + (1 << 18)]

        async with self._http.post(url, data=pieces(), headers=self._auth | headers) as response:
            if response.status != 202:
                raise SystemExit(f"{message_type}: {response.status} {await response.text()}")

    async def serials(self, count: int) -> bytes:
        """Return serial numbers as lines."""
        url = f"{self._hub}/obp/v1/serials"
        async with self._http.post(url, json={"count": count}, headers=self._auth) as response:
            return await response.read()

    async def status(self, transaction_id: str) -> dict[str, Any]:
        """Return a request's status."""
        url = f"{self._hub}/obp/v1/requests/{transaction_id}"
        async with self._http.get(url, headers=self._auth) as response:
            return dict(await response.json())

    async def ended(self, transaction_id: str) -> dict[str, Any]:
        """Return a request's status at its end."""
        while True:
            status = await self.status(transaction_id)
            if status.get("status") in _DONE:
                return status
            await asyncio.sleep(0.05)

    async def reported(self, transaction_id: str) -> None:
        """Wait for the report on a request's serial numbers."""
        while True:
            if (await self.status(transaction_id))["serialQuality"]:
                return
            await asyncio.sleep(0.05)

    async def probe(self, waits_s: list[float]) -> None:
        """Ask for the last requests until cancelled."""
        url = f"{self._hub}/obp/v1/requests?limit=1"
        while True:
            began_s = time.perf_counter()
            async with self._http.get(url, headers=self._auth) as response:
                await response.read()
            waits_s.append(time.perf_counter() - began_s)
            await asyncio.sleep(_PROBE_S)


def peak_mb(module: str, data: Path) -> dict[str, float]:
    """Return the peak memory of a system's processes of one kind, by process id."""
    peaks = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            lines = (folder / "status").read_text().splitlines()
        except OSError:
            continue
        if module in command and str(data) in command:
            peak = next(line for line in lines if line.startswith("VmHWM"))
            peaks[folder.name] = int(peak.split()[1]) / 1024
    return peaks


def encoded(head: dict[str, Any], lines: bytes, form: str) -> tuple[bytes, dict[str, str]]:
    """Return a body in the form wanted, and its headers."""
    if form == "json":
        whole = head | {"serialNumbers": [json.loads(line) for line in lines.splitlines()]}
        return json.dumps(whole).encode(), {"Content-Type": "application/json"}
    body, headers = (
        json.dumps(head).encode() + b"\n" + lines,
        {"Content-Type": "application/x-ndjson"},
    )
    if form == "gzip":
        return gzip.compress(body, 1), headers | {"Content-Encoding": "gzip"}
    return body, headers


async def run(endpoints: dict[str, Any], folder: Path, form: str, serials: int) -> None:
    """Upload and print."""
    async with aiohttp.ClientSession() as http:
        uploader = Uploader(endpoints, http)
        market = uploader.markets[0]
        code = "09520000777777"
        product = {
            "scheme": "GTIN", "productCode": code, "name": "Novol 5 mg", "commonName": "novol",
            "pharmaceuticalForm": "tablet", "strength": "5 mg", "packType": "blister",
            "packSize": 28,
            "markets": [{"market": market, "marketingAuthorisationHolder": _ADDRESS}],
        }  # fmt: skip
        transaction_id = uploader.transaction_id("PMDR")
        await uploader.send(
            "PMDR", json.dumps({"transactionId": transaction_id, **product}).encode()
        )
        await uploader.ended(transaction_id)
        before = {name: peak_mb(name, folder) for name in ("-m hub", "-m nmvs")}
        began_s = time.perf_counter()
        lines = await uploader.serials(serials * _MESSAGES)
        _say(f"{serials * _MESSAGES} serial numbers made in {time.perf_counter() - began_s:.1f} s")
        rows = lines.splitlines(keepends=True)
        waits_s: list[float] = []
        probe = asyncio.create_task(uploader.probe(waits_s))
        began_s = time.perf_counter()
        ids: list[str] = []
        for number in range(_MESSAGES):
            message_type = "PPDM" if number else "PPDC"
            ids.append(uploader.transaction_id(message_type))
            head: dict[str, Any] = {
                "transactionId": ids[-1], "productCode": code,
                "batchId": f"M{began_s:.0f}", "expiry": "301231", "manufacturer": _ADDRESS,
            }  # fmt: skip
            some = b"".join(rows[number * serials : (number + 1) * serials])
            body, headers = await asyncio.to_thread(encoded, head, some, form)
            await uploader.send(message_type, body, **headers)
        taken_s = time.perf_counter() - began_s
        ends = [await uploader.ended(transaction_id) for transaction_id in ids]
        distributed_s = time.perf_counter() - began_s
        for transaction_id in ids:
            await uploader.reported(transaction_id)
        probe.cancel()
        waits_s.sort()
        loaded = sum(end["markets"][0]["loadedCount"] for end in ends)
        _say(f"form {form}: taken in {taken_s:.1f} s, distributed in {distributed_s:.1f} s,"
              f" {loaded} packs loaded, {loaded / distributed_s:.0f}/s,"
              f" reports after {time.perf_counter() - began_s:.1f} s")  # fmt: skip
        p50, p99 = (waits_s[len(waits_s) * part // 100] * 1e3 for part in (50, 99))
        _say(f"{len(waits_s)} small requests meanwhile: p50 {p50:.1f}, p99 {p99:.1f},"
              f" longest {waits_s[-1] * 1e3:.1f} ms")  # fmt: skip
        for name, peaks in before.items():
            after = peak_mb(name, folder)
            for pid, peak in after.items():
                _say(f"{name}: peak {peaks.get(pid, 0):.0f} -> {peak:.0f} MB")


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("endpoints", type=Path)
    parser.add_argument("--form", choices=("ndjson", "json", "gzip"), default="ndjson")
    parser.add_argument("--serials", type=int, default=250_000)
    arguments = parser.parse_args()
    endpoints = json.loads(arguments.endpoints.read_text())
    folder = arguments.endpoints.resolve().parent
    asyncio.run(run(endpoints, folder, arguments.form, arguments.serials))


if __name__ == "__main__":
    main()
