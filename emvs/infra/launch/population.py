"""Fills running systems: participants, products and packs, all over HTTP; clocks kept alike."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from datetime import datetime

from emvs.infra.launch.goods import Batch, choose_products, make_batches
from emvs.infra.launch.http_calls import HttpCalls
from emvs.infra.launch.manufacturer import Manufacturer
from emvs.infra.launch.papers import hub_management_url, hub_url, management_url
from emvs.infra.launch.participants import MANUFACTURER, participants_of
from emvs.infra.launch.reporting import Reporter
from emvs.infra.launch.settings import Settings
from emvs.serial_numbers import UNMISTAKABLE

_RUN_ID_LENGTH = 6
_CONCURRENT_MAX = 4  # Each registration hashes its passwords, which fills a processor.


def new_run_id() -> str:
    """Return what tells the batches of this start from those of others."""
    return "".join(secrets.choice(UNMISTAKABLE) for _ in range(_RUN_ID_LENGTH))


async def populate(
    settings: Settings, calls: HttpCalls, reporter: Reporter, *, stock_count: int, run_id: str
) -> list[Batch]:
    """Return the batches that every market concerned has loaded, but those for which the hub holds
    everything back. Raises LaunchError."""
    await align_clocks(settings, calls)
    reporter.step("participants")
    await _register(settings, calls)
    clock = await calls.get(f"{hub_management_url(settings)}/clock")
    now = datetime.fromisoformat(clock["now"])
    products = choose_products(settings.running_markets)
    batches = make_batches(products, run_id=run_id, today=now.date(), stock_count=stock_count)
    held = await _held_markets(settings, calls)
    if held:
        reporter.remark(
            f"the hub holds back what is for {', '.join(held)} (`distribution` at its management"
            " port): the new packs are known there when it goes on"
        )
    manufacturer = Manufacturer(
        calls, hub_url(settings), settings.manufacturer_token, now=now, held=held
    )
    reporter.step(f"master data of {len(products)} products")
    await manufacturer.send_products(products)
    await _send(manufacturer, batches, reporter)
    return batches


async def align_clocks(settings: Settings, calls: HttpCalls) -> None:
    """Bring every system's clock to the one that is furthest ahead.

    A market that joins later, or missed a move of the clocks, would live in another time.
    """
    addresses = [hub_management_url(settings), *map(management_url, settings.running_markets)]
    clocks = await asyncio.gather(*(calls.get(f"{address}/clock") for address in addresses))
    furthest = max(clock["offset_s"] for clock in clocks)
    for address, clock in zip(addresses, clocks, strict=True):
        if clock["offset_s"] < furthest:
            await calls.post(f"{address}/clock", {"advance_s": furthest - clock["offset_s"]})


async def _held_markets(settings: Settings, calls: HttpCalls) -> list[str]:
    """Return the markets whose distribution somebody has disturbed: it outlives a start."""
    told = await calls.get(f"{hub_management_url(settings)}/distribution")
    return [market for market, setting in told["systems"].items() if any(setting.values())]


async def _register(settings: Settings, calls: HttpCalls) -> None:
    await calls.post(
        f"{hub_management_url(settings)}/organisations",
        {
            "organisationId": MANUFACTURER["organisation_id"],
            "name": MANUFACTURER["name"],
            "kind": "obp",
            "clientId": MANUFACTURER["client_id"],
            "token": settings.manufacturer_token,
        },
    )
    slots = asyncio.Semaphore(_CONCURRENT_MAX)

    async def register(url: str, registration: dict[str, object]) -> None:
        async with slots:
            # What somebody has changed since an earlier start stays changed.
            await calls.post(url, registration | {"keep": True})

    await asyncio.gather(
        *(
            register(f"{management_url(market)}/participants", registration)
            for market in settings.running_markets
            for registration in participants_of(market)
        )
    )


async def _send(manufacturer: Manufacturer, batches: Sequence[Batch], reporter: Reporter) -> None:
    total = sum(len(batch.serial_numbers) for batch in batches)
    reporter.step(f"{total:,} packs in {len(batches)} batches")
    done = {"uploaded": 0, "distributed": 0}

    def counter(what: str) -> None:
        reporter.progress(what, done[what], total)

    def uploaded(count: int) -> None:
        done["uploaded"] += count
        counter("uploaded")

    def distributed(count: int) -> None:
        done["distributed"] += count
        counter("distributed")

    counter("uploaded")
    counter("distributed")
    await manufacturer.send_batches(batches, uploaded=uploaded, distributed=distributed)
