"""A manufacturer and a parallel distributor change packs in two markets, through the hub."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from tests.acceptance.several_markets import ACTIVE, SUPPLIED, Markets, started
from tests.integration.hub.stand import CODE, Obp, register

BOTH = ("IE", "PL")
DESTROYED, LOCKED, STOLEN, CHECKED_OUT = "11110300", "11110400", "11110700", "11110900"
EXPORTED = "11110500"


@pytest_asyncio.fixture
async def markets(dsn: str, schema_name: str) -> AsyncIterator[Markets]:
    """Ireland and Poland around a hub."""
    async with started(dsn, schema_name, *BOTH) as running:
        yield running


async def send(obp: Obp, message_type: str, *serial_numbers: str, **more: Any) -> str:
    """Send a message about packs; return its transaction id."""
    members = {"productCode": CODE, "batchId": "LOT1", **more}
    return await obp.send(message_type, **members, serialNumbers=list(serial_numbers))


async def done(
    obp: Obp, message_type: str, *serial_numbers: str, **more: Any
) -> dict[str, set[tuple[str, str | None]]]:
    """Send a message about packs; return outcome and state of each in all markets, once they have
    answered."""
    sent = await send(obp, message_type, *serial_numbers, **more)
    ended = await obp.ended(sent)
    assert ended["status"] == "STDS", ended
    return await answers(obp, sent)


async def answers(obp: Obp, sent: str) -> dict[str, set[tuple[str, str | None]]]:
    """Return outcome and state of each pack in all markets."""
    status, page = await obp.get(f"requests/{sent}/packs")
    assert status == 200, page
    return {
        pack["serialNumber"]: {(one["outcome"], one["state"]) for one in pack["markets"]}
        for pack in page["packs"]
    }


async def distributor(markets: Markets) -> Obp:
    """Return the client of a parallel distributor."""
    assert markets._hub is not None
    token = await register(
        markets.http,
        markets._hub.management,
        organisationId="20002",
        name="Example Parallel",
        kind="parallel_distributor",
        token="token-of-the-distributor-1",
    )
    return Obp(markets.obp.url, markets.http, organisation_id="20002", token=token, actor="D")


async def shown(markets: Markets, serial: str) -> set[str]:
    """Return what the pharmacies of all markets are told of a pack."""
    return {(await markets.ask(market, serial)).code for market in BOTH}


async def test_what_a_manufacturer_does_to_packs_holds_in_every_market(markets: Markets) -> None:
    obp = markets.obp
    await markets.upload("A1", "A2", "A3")
    gone = {("DECOMMISSIONED", "Destroyed")}
    assert await done(obp, "PSUDC", "A1", state="Destroyed") == {"A1": gone}
    assert await shown(markets, "A1") == {DESTROYED}
    assert (await markets.ask("IE", "A1", "Supplied")).alert_id is not None

    # What can be undone, and what never can.
    for message, undo, state, word in (
        ("PSUDC", "PSUUD", LOCKED, "Locked"),
        ("PSUEX", "PSUUE", EXPORTED, "Exported"),
    ):
        assert await done(obp, message, "A2", state=word) == {"A2": {("DECOMMISSIONED", word)}}
        assert await shown(markets, "A2") == {state}
        assert await done(obp, undo, "A2", state=word) == {"A2": {("REACTIVATED", "Active")}}
        assert await shown(markets, "A2") == {ACTIVE}
    assert await done(obp, "PSUDS", "A2") == {"A2": {("DECOMMISSIONED", "Supplied")}}
    assert await done(obp, "PSUUS", "A2") == {"A2": {("REACTIVATED", "Active")}}
    await done(obp, "PSUDC", "A3", state="Stolen")
    never = {("UNDO_IMPOSSIBLE", "Stolen")}
    assert await done(obp, "PSUUD", "A3", state="Stolen") == {"A3": never}
    assert await shown(markets, "A3") == {STOLEN}

    # Each market was told by the hub; none tells another (Art. 35(2)).
    await markets.settled()
    for market in BOTH:
        for serial in ("A1", "A2", "A3"):
            assert await markets.trail(market, serial) == []
            hub_entries = await markets.trail(market, serial, dialect="hub")
            assert {entry["role"] for entry in hub_entries} == {"obp"}


async def test_a_pack_that_is_checked_out_cannot_be_supplied(markets: Markets) -> None:
    repacker = await distributor(markets)
    await markets.upload("A1", "A2")
    looked = await done(repacker, "VBOP", "A1", "A2")
    assert looked == {"A1": {("VERIFIED", "Active")}, "A2": {("VERIFIED", "Active")}}
    out = {("DECOMMISSIONED", "CheckedOut")}
    assert await done(repacker, "PSURP", "A1", "A2") == {"A1": out, "A2": out}
    assert await shown(markets, "A1") == {CHECKED_OUT}
    refused = await markets.ask("PL", "A1", "Supplied")
    assert refused.status == 409
    assert refused.alert_id is not None
    assert await done(repacker, "PSUUR", "A1") == {"A1": {("REACTIVATED", "Active")}}
    assert (await markets.ask("PL", "A1", "Supplied")).code == SUPPLIED
    await markets.settled()
    assert (await markets.ask("IE", "A1")).code == "11110200"  # A supply does travel.
    # Nor may the manufacturer undo what the distributor has done.
    elsewhere = await done(markets.obp, "PSUUD", "A2", state="Locked")
    assert elsewhere == {"A2": {("UNDO_MISMATCH", "CheckedOut")}}


async def test_unknown_packs_alert_the_manufacturer_about_itself(markets: Markets) -> None:
    await markets.upload("A1")
    unknown = {("SERIAL_UNKNOWN", None)}
    assert await done(markets.obp, "PSUDC", "NEVER", state="Locked") == {"NEVER": unknown}
    assert await done(markets.obp, "VBOP", "NEITHER", "A1") == {
        "NEITHER": unknown,
        "A1": {("VERIFIED", "Active")},
    }
    async with asyncio.timeout(20):
        found: list[dict[str, Any]] = []
        while len(found) < 3:
            found = (await markets.obp.get("alerts"))[1]["alerts"]
            await asyncio.sleep(0.02)
    told = sorted(
        (one["serialNumber"], one["raisingMarket"], one["code"], one["sourceProcess"])
        for one in found
    )
    assert told == [
        # Only the last market that was asked for a verification.
        ("NEITHER", "PL", "#A3", "MAH PPV Request"),
        ("NEVER", "IE", "#A3", "MAH PPSU Request"),
        ("NEVER", "PL", "#A3", "MAH PPSU Request"),
    ]


async def test_a_market_that_was_down_catches_up(markets: Markets) -> None:
    await markets.upload("A1", "A2")
    await markets.stop_market("PL")
    first = await send(markets.obp, "PSUDC", "A1", "A2", state="Locked")
    second = await send(markets.obp, "PSUUD", "A1", state="Locked")
    async with asyncio.timeout(20):  # One market's answer can be read while another is awaited.
        while await answers(markets.obp, second) != {"A1": {("REACTIVATED", "Active")}}:
            await asyncio.sleep(0.02)
    # The hub is restarted too: nothing of this is in memory alone.
    await markets.stop_hub()
    await markets.start_hub()
    await markets.start_market("PL")
    for sent in (first, second):
        assert (await markets.obp.ended(sent))["status"] == "STDS"
    assert await shown(markets, "A1") == {ACTIVE}
    assert await shown(markets, "A2") == {LOCKED}


async def test_packs_released_in_one_market_follow_the_others_again(markets: Markets) -> None:
    await markets.upload("A1")
    # Only Ireland is told, so its copy of the pack has changed more often than Poland's.
    await done(markets.obp, "PSUDC", "A1", state="Locked", markets=["IE"])
    await done(markets.obp, "PSUUD", "A1", state="Locked", markets=["IE"])
    assert (await markets.ask("PL", "A1", "Supplied")).code == SUPPLIED
    await markets.until("IE", "A1", "11110200")
    await markets.assert_agreed("A1")
