"""Lines that do not move: what waits in them ends in time, and holds up nothing it need not."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from hub.app import Hub
from hub.config import HubConfig, RetryConfig
from tests.integration.hub.national_wire import NationalWire
from tests.integration.hub.stand import CODE, Stand, StartStand, hub_settings, packs, product
from tests.integration.running import gtin

OTHER_CODE = "09506000117843"
WEEK_S = 7 * 86_400
RECALL = {"productCode": CODE, "batchId": "LOT1", "reason": "glass", "markets": ["IE"]}
CHANGE = {
    "transactionId": "0" * 32,
    "productCode": CODE,
    "productVersion": 1,
    "serialNumber": "A1",
    "version": 1,
    "operation": "SUPPLY",
    "state": "SUPPLIED",
    "setAt": 1_700_000_000,
    "market": "DE",
    "location": 1,
    "role": "pharmacy",
}


async def stored_serials(hub: Hub) -> int:
    """Return how many requests' serial numbers the hub holds, once reports on them are made."""
    pool = hub.database.pool
    async with asyncio.timeout(30):
        while await pool.fetchval("select count(*) from serial_quality where report is null"):
            await asyncio.sleep(0.02)
    count: int = await pool.fetchval("select count(*) from request_serials")
    return count


async def status_of(stand: Stand, transaction_id: str) -> dict[str, Any]:
    return (await stand.obp.get(f"requests/{transaction_id}"))[1]


async def test_what_waits_behind_a_recall_for_a_dead_market_ends_in_time(
    start_stand: StartStand,
) -> None:
    stand = await start_stand("IE", "DE")
    await stand.obp.product("IE", "DE")
    await stand.obp.packs(["A1"])
    await stand.wires["IE"].stop()
    recall = await stand.obp.send("RCBR", **RECALL)
    behind = [
        await stand.obp.send("PPDC", **packs([f"B{number}"], batchId=f"L{number}"))
        for number in range(3)
    ]
    await stand.obp.attempted(recall)
    await stand.obp.ended(behind[-1], until={"STLD"})
    await stand.manage("POST", "/clock", advance_s=WEEK_S)
    young = await stand.obp.send("PPDC", **packs(["C1"], batchId="YOUNG"))
    for transaction_id in behind:
        ended = await stand.obp.ended(transaction_id)
        entries = {entry["market"]: entry for entry in ended["markets"]}
        assert (entries["IE"]["status"], entries["DE"]["status"]) == ("Failed", "Distributed")
        assert entries["IE"]["lastError"].startswith("given up")
    loaded = await stand.obp.ended(young, until={"STLD", "STDF"})
    assert loaded["status"] == "STLD", "it has its own seven days"
    assert await stored_serials(stand.hub) == 1, "of the young one"
    # The manufacturer sees that the recall is not heard, and why.
    seen = await stand.obp.attempted(recall, 2)
    assert (seen["status"], seen["markets"][0]["status"]) == ("STLD", "Waiting")
    assert seen["markets"][0]["lastError"].startswith("no answer")
    await stand.wires["IE"].start()
    assert (await stand.obp.ended(recall))["status"] == "STDS"
    assert (await stand.obp.ended(young))["status"] == "STDS"


async def test_what_waits_for_a_market_taken_out_ends_in_time_but_its_recall_is_kept(
    start_stand: StartStand, dsn: str, schema_name: str
) -> None:
    stand = await start_stand("IE", "DE")
    await stand.obp.product("IE", "DE")
    await stand.obp.packs(["A1"])
    stand.wires["DE"].open_gate.clear()
    recall = await stand.obp.send("RCBR", **RECALL | {"markets": ["DE"]})
    stranded = await stand.obp.send("PPDC", **packs(["B1"], batchId="LOT2"))
    await stand.obp.ended(stranded, until={"STLD"})
    await stand.hub.__aexit__()

    ireland_alone = {"IE": stand.wires["IE"]}
    async with Hub(HubConfig(**hub_settings(dsn, schema_name, ireland_alone))) as hub:
        stand.hub, stand.obp.url = hub, hub.url
        async with asyncio.timeout(10):
            while not (seen := (await status_of(stand, recall))["markets"][0])["lastError"]:
                await asyncio.sleep(0.02)
        assert (seen["attempts"], seen["status"]) == (0, "Waiting")
        assert "not connected" in seen["lastError"]
        await stand.manage("POST", "/clock", advance_s=WEEK_S - 3600)
        await asyncio.sleep(0.3)
        assert (await status_of(stand, stranded))["status"] == "STLD"
        assert await stored_serials(hub) == 1
        await stand.manage("POST", "/clock", advance_s=3600)
        ended = await stand.obp.ended(stranded)
        entries = {entry["market"]: entry for entry in ended["markets"]}
        assert (ended["status"], entries["DE"]["status"]) == ("STDF", "Failed")
        assert entries["DE"]["lastError"] == (
            "given up: the national system of DE is not connected"
        )
        assert await stored_serials(hub) == 0
        assert (await stand.manage("GET", "/health"))[1]["waitingForNotConnected"] == {"DE": 1}

    stand.wires["DE"].open_gate.set()
    async with Hub(HubConfig(**hub_settings(dsn, schema_name, stand.wires))) as hub:
        stand.obp.url = hub.url
        assert (await stand.obp.ended(recall))["status"] == "STDS"


async def test_a_recall_that_a_market_fails_at_holds_up_its_batch_alone(
    start_stand: StartStand,
) -> None:
    stand = await start_stand("IE", "DE", retry=RetryConfig(first_wait_s=0.05, wait_s_max=0.05))
    await stand.obp.product("IE", "DE")
    await stand.obp.product("IE", "DE", code=OTHER_CODE)
    await stand.obp.packs(["A1"])
    wire = stand.wires["IE"]
    wire.failing_kind = "recalls"
    recall = await stand.obp.send("RCBR", **RECALL)
    await stand.obp.attempted(recall)
    assert (await stand.obp.packs(["B1"], batchId="LOT2"))["status"] == "STDS"
    later = await stand.obp.send("PMDR", **product("IE", "DE"))  # It waits for what is held.
    after = await stand.obp.send("PPDC", **packs(["D1"], batchId="LOT3"))  # It waits for that.
    await stand.obp.ended(after, until={"STLD"})
    await tell(stand)
    other = await stand.obp.packs(["C1"], productCode=OTHER_CODE)
    assert other["status"] == "STDS"
    wire.failing_kind = None
    for transaction_id in (recall, later, after):
        assert (await stand.obp.ended(transaction_id))["status"] == "STDS"
    async with asyncio.timeout(10):
        while "changes" not in (told := told_to(wire)):
            await asyncio.sleep(0.02)
    assert told[3:] == [
        f"packs {CODE} LOT2",
        f"packs {OTHER_CODE} LOT1",
        f"recalls {CODE} LOT1",
        f"products {CODE}",
        f"packs {CODE} LOT3",
        "changes",
    ]


def told_to(wire: NationalWire) -> list[str]:
    """Return what took effect there, in order."""
    parts = [
        (kind, message.get("productCode"), message.get("batchId"))
        for kind, message in wire.applied.values()
    ]
    return [" ".join(filter(None, part)) for part in parts]


async def test_a_change_does_not_wait_for_a_recall_that_a_market_fails_at(
    start_stand: StartStand,
) -> None:
    stand = await start_stand("IE", "DE", retry=RetryConfig(first_wait_s=600, jitter=0))
    await stand.obp.product("IE", "DE")
    await stand.obp.packs(["A1"])
    wire = stand.wires["IE"]
    wire.faults = ["500"]
    recall = await stand.obp.send("RCBR", **RECALL)
    await stand.obp.attempted(recall)
    await tell(stand)
    async with asyncio.timeout(10):
        while "changes" not in [kind for kind, _ in wire.applied.values()]:
            await asyncio.sleep(0.02)
    _, outbox = await stand.manage("GET", "/outbox")
    (line,) = outbox["systems"]
    assert (line["waiting"], line["attempts"]) == (1, 1)
    assert line["nextAttemptAt"] is not None


async def tell(stand: Stand) -> None:
    """Tell the hub of a change, as Germany's system."""
    async with stand.http.post(
        f"{stand.hub.url}/nmvs/v1/changes",
        data=msgspec.json.encode({"changes": [CHANGE]}),
        headers={"Authorization": "Bearer interconnect-token-of-DE"},
    ) as response:
        assert response.status == 200, await response.text()


async def test_a_system_that_fails_at_everything_is_not_asked_without_end(
    start_stand: StartStand,
) -> None:
    stand = await start_stand("IE", retry=RetryConfig(first_wait_s=600, jitter=0))
    codes = [gtin(number) for number in range(20)]
    wire = stand.wires["IE"]
    wire.faults = ["500"] * 1_000
    for code in codes:
        await stand.obp.ended(
            await stand.obp.send("PMDR", **product("IE", code=code)), until={"STLD"}
        )
    await asyncio.sleep(0.3)
    assert 16 <= len(wire.attempts) <= 17
