"""What a self-test asks beside the hub: the markets' management ports, and pharmacies there."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Final, NamedTuple

import aiohttp
import msgspec

from emvs.errors import EmvsError

_ASK_S_MAX: Final = 600.0
"""Comparing an index of a million packs with the database takes some ten seconds."""
_PHARMACY_S_MAX: Final = 60.0
_PHARMACY_MODULE: Final = "pharmacy_client.cli"


class StandError(EmvsError):
    """A market does not answer as it should."""

    title = "Market"


class _Market(msgspec.Struct):
    management: str


class Stand(msgspec.Struct):
    """The markets in an `endpoints.json`."""

    markets: dict[str, _Market]


class _Report(msgspec.Struct):
    equal: bool
    indexed_count: int
    stored_count: int


class Held(NamedTuple):
    """What a market holds."""

    packs: int
    is_equal: bool
    """Whether its index is what its database says."""


class Verdict(msgspec.Struct):
    """What a pharmacy was told."""

    category: str = ""
    state: str | None = None
    alert_id: str | None = None
    detail: str = ""


def read_stand(endpoints: Path) -> Stand:
    """Return the markets of a running simulator. Raises StandError."""
    try:
        return msgspec.json.decode(endpoints.read_bytes(), type=Stand)
    except (OSError, ValueError) as error:
        raise StandError(f"{endpoints} is not the endpoints file of `emvs up`: {error}") from error


async def held_by(stand: Stand, market: str) -> Held:
    """Return how many packs a market holds, by its own count. Raises StandError."""
    url = f"{stand.markets[market].management}/check"
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_ASK_S_MAX)) as session,
            session.get(url) as response,
        ):
            report = msgspec.json.decode(await response.read(), type=_Report)
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise StandError(f"{market} does not tell what it holds: {error!r}") from error
    return Held(report.stored_count, report.equal)


async def pharmacy_verifies(
    endpoints: Path, market: str, *, product_code: str, batch_id: str, expiry: str, serial: str
) -> Verdict:
    """Return what a pharmacy of the market is told about a pack, by its own software."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", _PHARMACY_MODULE, "verify", "--json", "--endpoints", str(endpoints)),
        *("--market", market, "--product-code", product_code, "--serial", serial),
        *("--batch", batch_id, "--expiry", expiry),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_PHARMACY_S_MAX):
            output, _ = await process.communicate()
        return msgspec.json.decode(output, type=Verdict)
    except (TimeoutError, ValueError) as error:
        raise StandError(f"a pharmacy in {market} got no answer: {error!r}") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
